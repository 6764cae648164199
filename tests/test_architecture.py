"""The shape of the house: who may import whom, and what a command drags in before it has done anything."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src"
PACKAGE = SOURCE / "igsearch"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = {"igsearch." + str(file.relative_to(PACKAGE).with_suffix("")).replace(os.sep, "."): file for file in FILES}

BORDERS = {
    "torch": ("captioner/",),
    "torchvision": ("captioner/",),
    "onnx": ("captioner/graphs.py",),
    "onnxruntime": ("captioner/onnx_engine.py",),
    "transformers": ("captioner/huggingface.py",),
    "huggingface_hub": ("captioner/huggingface.py",),
    "instaloader": ("sources/instagram.py",),
    "typer": ("cli/",),
    "click": ("cli/",),
    "rich": ("output/terminal.py",),
    "pillow_heif": ("images.py",),
    "yt_dlp": ("sources/browser_cookies.py",),
    "sklearn": ("ranking/words.py",),
    "joblib": ("ranking/words.py",),
    "scipy": ("ranking/words.py",),
    "training": (),
}
"""Where, below the package, each of these may be imported."""

LATE = {"torch", "torchvision", "onnx", "onnxruntime", "transformers", "sklearn", "joblib", "scipy", "instaloader", "rich", "pillow_heif", "yt_dlp"}
"""What costs too much to be imported on the way to something else."""

WEB_FRAMEWORKS = ("starlette", "uvicorn", "flask", "werkzeug", "waitress", "fastapi", "aiohttp")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, as a dotted path, and where it stands: at the top of the module, for type checkers only, or inside a function."""

    file: Path
    line: int
    name: str
    late: bool
    for_types: bool

    @property
    def place(self) -> str:
        """The file below the package."""
        return self.file.relative_to(PACKAGE).as_posix()

    def __str__(self) -> str:
        """`file:line imports name`."""
        return f"{self.place}:{self.line} imports {self.name}"


class Imports(ast.NodeVisitor):
    """Collects every import of a module."""

    def __init__(self, file: Path) -> None:
        """Read `file`."""
        self.file, self.found = file, list[Import]()
        self._late = self._for_types = False
        self.visit(ast.parse(file.read_text(encoding="utf-8")))

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b`."""
        self._add(node.lineno, *(alias.name for alias in node.names))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a import b`: both `a` and `a.b`, whichever of them is a module."""
        base = node.module or ""
        if node.level:
            above = (PACKAGE.parent / self.file.relative_to(PACKAGE.parent)).parents[node.level - 1].relative_to(PACKAGE.parent)
            base = ".".join([*above.parts, *([node.module] if node.module else [])])
        self._add(node.lineno, base, *(f"{base}.{alias.name}" for alias in node.names))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """What is imported below here is imported late."""
        before, self._late = self._late, True
        self.generic_visit(node)
        self._late = before

    def visit_If(self, node: ast.If) -> None:
        """`if TYPE_CHECKING:` is never run."""
        before, self._for_types = self._for_types, self._for_types or "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body:
            self.visit(child)
        self._for_types = before
        for child in node.orelse:
            self.visit(child)

    def _add(self, line: int, *names: str) -> None:
        self.found += [Import(self.file, line, name, self._late, self._for_types) for name in names]


IMPORTS = [one for file in FILES for one in Imports(file).found]


def top(name: str) -> str:
    """The distribution's package: `torch` of `torch.nn`."""
    return name.partition(".")[0]


def test_the_rules_see_the_package() -> None:
    """A rule that looks at no file, or misses the imports it is about, keeps nothing."""
    assert {"records.py", "images.py", "output/terminal.py", "output/formats.py"} <= {one.place for one in IMPORTS}
    assert {"PIL", "rich", "numpy", "igsearch"} <= {top(one.name) for one in IMPORTS}
    assert any(one.late for one in IMPORTS)
    assert any(one.for_types for one in IMPORTS)


@pytest.mark.parametrize(("library", "places"), BORDERS.items(), ids=BORDERS)
def test_each_library_has_its_place(library: str, places: tuple[str, ...]) -> None:
    """What depends on a library can be found, and replaced, in one place. Types need no permission, except training's."""
    strays = [
        one for one in IMPORTS if top(one.name) == library and not one.place.startswith(places or ("\0",)) and (not one.for_types or library == "training")
    ]

    assert not strays, "\n".join(map(str, strays))


def test_the_web_framework_stays_in_web() -> None:
    """The command works without it."""
    strays = [one for one in IMPORTS if top(one.name) in WEB_FRAMEWORKS and not one.place.startswith("web/")]

    assert not strays, "\n".join(map(str, strays))


def test_heavy_libraries_are_imported_inside_functions() -> None:
    """Except where a module exists for its library, which nobody imports by accident."""
    theirs = ("captioner/", "sources/instagram.py")
    strays = [one for one in IMPORTS if top(one.name) in LATE and not one.late and not one.for_types and not one.place.startswith(theirs)]

    assert not strays, "\n".join(map(str, strays))


def module_of(name: str) -> str | None:
    """The package's own module that an imported dotted name is, or lies in."""
    while name:
        for candidate in (name, f"{name}.__init__"):
            if candidate in NAMES:
                return candidate
        name = name.rpartition(".")[0]
    return None


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """A loop of imports, its first module repeated at the end; empty if there is none."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for following in sorted(graph.get(module, ())):
            if loop := walk(following, [*path, module]):
                return loop
        done.add(module)
        return []

    return next((loop for module in sorted(graph) if (loop := walk(module, []))), [])


@pytest.mark.parametrize(
    ("graph", "cycle"),
    [({"a": {"b"}, "b": {"c"}, "c": set()}, []), ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]), ({"a": {"a"}}, ["a", "a"])],
    ids=["none", "two", "itself"],
)
def test_the_search_for_cycles_finds_them(graph: dict[str, set[str]], cycle: list[str]) -> None:
    """The rule below is only as good as this."""
    assert find_cycle(graph) == cycle


def test_no_module_needs_itself() -> None:
    """No loop of imports, those for type checkers and inside functions included: the data flows one way. Only the lazy facade `igsearch` may look down."""
    graph: dict[str, set[str]] = {name: set() for name in NAMES}
    for one in IMPORTS:
        importer = next(name for name, file in NAMES.items() if file == one.file)
        imported = module_of(one.name)
        if imported and imported not in {importer, "igsearch.__init__"} and importer != "igsearch.__init__":
            graph[importer].add(imported)

    assert find_cycle(graph) == []


def test_nothing_below_the_command_prints_or_exits() -> None:
    """`print` and `sys.exit` belong to the command; `assert` is no way to check what a user gave."""
    found = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called == "print" or (called in {"sys.exit", "exit", "quit"} and not file.match("cli/*.py")) or isinstance(node, ast.Assert):
                found.append(f"{file.name}: {ast.unparse(node)}")

    assert not found, found


HEAVY_FOR_A_SEARCH = LATE - {"rich"} | {"requests", "pandas", "training", *WEB_FRAMEWORKS}
IMPORTED = """
import json, sys
from igsearch.cli.app import run
from igsearch.errors import NotIndexedError
code = 0
try:
    code = run()
except NotIndexedError as err:
    code = err.exit_code
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("search", "--help"), ("search", "nobody", "a", "cat"), ("search", "nobody", "cat", "--json"), ("list",)],
    ids=" ".join,
)
def test_a_search_waits_for_no_heavy_import(arguments: tuple[str, ...]) -> None:
    """Help and search answer in a fraction of a second because torch, scikit-learn and instaloader stay where they are."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, timeout=120, check=False)
    modules = json.loads(done.stderr[done.stderr.rindex("[") :])

    assert done.returncode in {0, 5}, done.stderr
    assert "igsearch.cli.app" in modules
    assert not HEAVY_FOR_A_SEARCH & {top(name) for name in modules}


def test_captions_that_come_with_photos_wait_for_no_network(tmp_path: Path) -> None:
    """Loading one would take a second, for nothing, where a file brings every caption."""
    entry = {"id": "1", "url": (REPOSITORY / "assets" / "sample" / "cat.jpg").as_uri(), "caption": "a cat on a bed"}
    (tmp_path / "captions.json").write_text(json.dumps([entry]), encoding="utf-8")
    arguments = ("index", "cats", "--from", str(tmp_path / "captions.json"), "--json", "--quiet")
    done = subprocess.run([sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, timeout=120, check=False)
    modules = json.loads(done.stderr[done.stderr.rindex("[") :])

    assert json.loads(done.stdout)["photos"]["given"] == 1, done.stderr
    assert not {"torch", "torchvision", "onnx", "onnxruntime"} & {top(name) for name in modules}


@pytest.mark.parametrize("arguments", [("caption", "{folder}/cat.jpg"), ("index", "sample", "--from", "{folder}", "--quiet")], ids=["caption", "index"])
def test_photos_are_described_without_torch_on_a_cpu(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Its import takes longer than everything else that a caption needs."""
    named = [one.format(folder=REPOSITORY / "assets" / "sample") for one in arguments]
    command = [sys.executable, "-c", IMPORTED, *named, "--device", "cpu", "--json", "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    modules = json.loads(done.stderr[done.stderr.rindex("[") :])

    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout or json.loads(done.stdout)["photos"]["described"] >= 12
    assert "onnxruntime" in modules
    assert not {"torch", "torchvision"} & {top(name) for name in modules}


SERVED = """
import json, sys
from pathlib import Path
from igsearch.web.server import create_app
from igsearch.web.settings import Settings
asked = create_app(Settings(Path(sys.argv[1]))).test_client().get("/api/v2/search?q=cat").status_code
print(json.dumps([asked, sorted(sys.modules)]))
"""


def test_the_server_waits_for_no_heavy_import(tmp_path: Path) -> None:
    """It starts in well under a second: what it needs beside the framework is what a search needs."""
    done = subprocess.run([sys.executable, "-c", SERVED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True)
    status, modules = json.loads(done.stdout)

    assert status == 404
    assert {"flask", "waitress", "igsearch.searching"} <= set(modules)
    assert not (HEAVY_FOR_A_SEARCH - set(WEB_FRAMEWORKS)) & {top(name) for name in modules}
