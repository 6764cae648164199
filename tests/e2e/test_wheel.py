"""What users install: the wheel, built here, looked into, and run from an environment that holds nothing else of the project."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ASSETS = REPOSITORY / "src" / "igsearch" / "assets"
MAX_WHEEL_BYTES = 60 * 2**20


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; a failure shows what was written."""
    ambient = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=ambient | environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree by the project's own build backend, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    """The names of the wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's folder of programs: the wheel is installed there, what it depends on is borrowed from the environment of the tests."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True, symlinks=os.name != "nt")
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--disable-pip-version-check", "--no-index", "--no-deps", wheel, cwd=home)
    borrowed = run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).stdout.strip()
    Path(borrowed, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs


def metadata(wheel: Path) -> dict[str, list[str]]:
    """The wheel's METADATA headers, each with all its values, and the description."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = BytesParser().parsebytes(archive.read(name))
    return {key: [str(value) for value in message.get_all(key, [])] for key in message} | {"body": [str(message.get_payload())]}


def imported_libraries() -> set[str]:
    """The top-level packages, not of the standard library, that the package imports anywhere."""
    found: set[str] = set()
    for file in ASSETS.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"igsearch"}


def test_the_wheel_holds_the_package_and_its_checkpoint(contents: set[str]) -> None:
    """Every module, the type marker, and the captioner's weights with the sums they are checked against."""
    modules = {f"igsearch/{file.relative_to(ASSETS.parent).as_posix()}" for file in ASSETS.parent.rglob("*.py")}
    assets = {Path(name).name for name in contents if name.startswith("igsearch/assets/")}

    assert modules | {"igsearch/py.typed"} <= contents
    assert {"SHA256SUMS", "config.json", "vocabulary.json"} <= assets
    assert any(name.endswith(".safetensors") for name in assets)
    assert any(re.fullmatch(r"igsearch-.*\.dist-info/licenses/LICENSE", name) for name in contents)


def test_the_wheel_holds_the_page_and_what_describes_the_server(contents: set[str]) -> None:
    """`igsearch serve` reads both as files."""
    assert {"igsearch/web/static/index.html", "igsearch/web/static/app.js", "igsearch/web/static/style.css", "igsearch/web/openapi.json"} <= contents


def test_the_wheel_holds_nothing_else(contents: set[str]) -> None:
    """No tests, no training, no caches, no pictures of the repository."""
    strays = {name for name in contents if not re.match(r"igsearch/|igsearch-[^/]+\.dist-info/", name) or "__pycache__" in name or name.endswith(".pyc")}

    assert not strays


def test_the_wheel_is_small(wheel: Path) -> None:
    """Package indexes take 100 MB; ours leaves room."""
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_the_metadata_is_complete(wheel: Path) -> None:
    """Name, licence, Python, extras and the README, which an index shows as the project's page."""
    found = metadata(wheel)

    assert (found["Name"], found["License-Expression"], found["Requires-Python"]) == (["igsearch"], ["MIT"], [">=3.11"])
    assert found["Description-Content-Type"] == ["text/markdown"]
    assert {"cookies", "hf", "test", "lint", "train"} <= set(found["Provides-Extra"])
    assert found["body"][0].lstrip().startswith("# igsearch")
    assert not any(" @ " in requirement for requirement in found["Requires-Dist"])


def test_every_dependency_is_declared(wheel: Path) -> None:
    """What the package imports, users get; where an extra brings it, they are told so when they need it."""
    declared = {re.split(r"[\s<>=!~;\[]", requirement)[0].lower() for requirement in metadata(wheel)["Requires-Dist"] if "extra ==" not in requirement}
    names = {"PIL": "pillow", "pillow_heif": "pillow-heif", "sklearn": "scikit-learn"}
    optional = {"transformers", "huggingface_hub", "yt_dlp"}

    assert {names.get(name, name) for name in imported_libraries() - optional} <= declared


def test_the_installed_command_says_its_version(installed: Path, wheel: Path, tmp_path: Path) -> None:
    """The script that pip makes runs the module of the wheel."""
    said = run(installed / "igsearch", "--version", cwd=tmp_path).stdout

    assert said == f"igsearch {wheel.name.split('-')[1]}\n"


def test_the_wheel_describes_a_photo_offline(installed: Path, sample_photos: Path, tmp_path: Path) -> None:
    """Straight after installation, without a network or a file outside the wheel: words for a real photo."""
    caption = run(installed / "igsearch", "caption", sample_photos / "cat.jpg", cwd=tmp_path).stdout

    assert len(caption.split()) >= 3
    assert "cat" in caption


def test_the_wheel_is_what_ran(installed: Path, tmp_path: Path) -> None:
    """Not the working tree, which the tests' own environment may point to."""
    where = run(installed / "python", "-c", "import igsearch; print(igsearch.__file__)", cwd=tmp_path).stdout.strip()

    assert Path(where).is_relative_to(installed.parent)
