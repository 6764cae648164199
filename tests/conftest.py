"""What every test gets: a home of its own, no network, and the things most tests ask for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent
HOME_VARIABLES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "IGSEARCH_CACHE_DIR")
STYLE_VARIABLES = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM", "TERM_PROGRAM", "PYTHONWARNINGS")

# Examples depend on the test alone, so that a red run can be repeated; and two busy cores must not fail a test that is only slow.
settings.register_profile("igsearch", derandomize=True, deadline=None, database=None)
settings.load_profile("igsearch")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it wrote."""

    code: int
    stdout: str
    stderr: str


class Igsearch:
    """The installed command, run as a user runs it: a process of its own, with nothing of the test's memory."""

    def __init__(self, cwd: Path) -> None:
        """Run in `cwd`."""
        self.cwd = cwd

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None, timeout: float = 300, **environment: str) -> Outcome:
        """Run with `arguments`; keywords in capitals are added to the environment."""
        command = [sys.executable, "-X", "utf8", "-m", "igsearch", *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=self.cwd, env=os.environ | environment, timeout=timeout, check=False)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory that is empty, and a terminal without opinions; child processes inherit both."""
    home = tmp_path_factory.mktemp("home")
    for name in HOME_VARIABLES:
        monkeypatch.setenv(name, str(home if name == "HOME" else home / name.lower()))
    for name in STYLE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return home


def refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: no name but this machine's is looked up, and no connection leaves it."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name not in {None, "", "localhost", "127.0.0.1", "::1"} and not str(name).startswith("127."):
        raise PermissionError(f"a test tried to reach {name!r}: only loopback is allowed")


sys.addaudithook(refuse_outside)


@pytest.fixture(autouse=True)
def no_network_below(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Child processes cannot reach the network either: their proxy is a port on loopback where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, nowhere)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "localhost,127.0.0.1,::1")
        yield


@pytest.fixture
def igsearch(tmp_path: Path) -> Igsearch:
    """The `igsearch` command: `igsearch("search", "natgeo", "cat")` gives its exit code, stdout and stderr."""
    return Igsearch(tmp_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-snapshots` writes what is shown now; the tests that wrote still fail, so that nobody takes the new ones unseen."""
    parser.addoption("--update-snapshots", action="store_true", help="write the recorded terminal output anew, for you to look at")


class Snapshot:
    """Compares text with a committed file. A missing file is a failure."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        """Files lie in `folder`."""
        self.folder, self.update = folder, update

    def check(self, name: str, shown: str) -> None:
        """`shown` is what the file `name` holds."""
        file = self.folder / name
        if self.update:
            file.parent.mkdir(exist_ok=True)
            file.write_text(shown, encoding="utf-8", newline="")
            pytest.fail(f"{file} was written: look at it, commit it, and run again without --update-snapshots")
        assert file.is_file(), f"{file} is missing: run with --update-snapshots, look at it, commit it"
        assert shown == file.read_bytes().decode(), f"{file.name} differs from what is shown now; if that is meant, run with --update-snapshots"


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    """Recorded output beside the test's file: `snapshot.check("results.ansi", text)`."""
    return Snapshot(request.path.parent / "snapshots", update=request.config.getoption("--update-snapshots"))


@pytest.fixture(scope="session")
def sample_photos() -> Path:
    """The folder of photos that ship with the project."""
    return REPOSITORY / "assets" / "sample"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the photos and captions that captioners are trained and measured on; too large to ship, so it may be missing."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the training data is not on this machine: {folder} does not exist")
    return folder
