"""torchvision's published weights: nothing is read before its sum is right, nothing runs, and nothing is left half-written."""

from __future__ import annotations

import gc
import hashlib
import pickle
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from igsearch.captioner.pretrained import fetched, load_into, published
from igsearch.errors import CacheError, CheckpointError, OfflineError

CONTENT = b"weights" * 1000
GOOD, BAD = f"tiny-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth", "tiny-00000000.pth"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of torch's cache where weights lie."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


class Site(BaseHTTPRequestHandler):
    """Serves `CONTENT` under any name but `/missing…`, and half of it under `/half…`."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path.startswith("/half") else CONTENT)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a server on loopback."""
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # torch.hub leaves the connection of a failed download to the garbage collector
        gc.collect()


def test_what_is_in_the_cache_is_taken_if_its_sum_is_right(cache: Path) -> None:
    """No connection is needed."""
    (cache / GOOD).write_bytes(CONTENT)
    assert published(f"https://download.pytorch.org/models/{GOOD}") == cache / GOOD


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\0"], ids=["empty", "cut", "longer"])
def test_a_damaged_file_in_the_cache_is_refused(cache: Path, content: bytes) -> None:
    """The line names the file, and what to do."""
    (cache / GOOD).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{GOOD} is damaged.*delete it"):
        published(f"https://download.pytorch.org/models/{GOOD}")


def test_a_file_of_an_older_torchvision_will_do(cache: Path) -> None:
    """AlexNet's weights were published under another name before: that one is looked at, and checked against its own sum."""
    (cache / "alexnet-owt-4df8aa71.pth").write_bytes(b"not the weights")
    with pytest.raises(CheckpointError, match=r"alexnet-owt-4df8aa71\.pth is damaged: .* 4df8aa71"):
        published("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth")


def test_what_is_not_there_is_fetched_once(cache: Path, site: str) -> None:
    """It arrives whole, under its name, and is then taken from the cache."""
    assert published(f"{site}/{GOOD}").read_bytes() == CONTENT
    assert published(f"https://download.pytorch.org/models/{GOOD}") == cache / GOOD
    assert [file.name for file in cache.iterdir()] == [GOOD]


@pytest.mark.parametrize("path", [BAD, f"half/{GOOD}", f"missing/{GOOD}"], ids=["wrong sum", "cut", "not found"])
def test_a_failed_download_leaves_nothing(cache: Path, site: str, path: str) -> None:
    """Whatever comes instead of the weights: one line that says where to put them by hand, and an empty cache."""
    with pytest.raises(OfflineError, match=f"cannot fetch .*put it into {cache}") as caught:
        published(f"{site}/{path}")
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_without_a_connection_the_line_names_file_and_folder(cache: Path) -> None:
    """The proxy of these tests is a port where nobody listens."""
    with pytest.raises(OfflineError, match=f"{GOOD}.*{cache}"):
        published(f"http://download.invalid/models/{GOOD}")


def test_a_cache_that_cannot_be_written_is_a_line(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="TORCH_HOME"):
        fetched(f"http://127.0.0.1:9/{GOOD}", tmp_path / "file" / GOOD)


class Trap:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        """Leave it at `mark`."""
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_nothing_in_a_file_of_weights_runs(tmp_path: Path) -> None:
    """Neither in torch's own format nor in a bare pickle."""
    torch.save({"weight": torch.zeros(1), "extra": Trap(tmp_path / "mark")}, tmp_path / "torch.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    for name in ("torch.pth", "bare.pth"):
        with pytest.raises(CheckpointError, match=f"{name} is not a file of weights"):
            load_into(nn.Linear(1, 1), tmp_path / name)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "other than a state dict"),
        ({"weight": "text", "bias": 1}, "other than a state dict"),
        ({1: torch.zeros(1)}, "other than a state dict"),
        ({"weight": torch.zeros(1, 1)}, "another network than Linear"),
        ({"weight": torch.zeros(2, 2), "bias": torch.zeros(1)}, "another network than Linear"),
        ({"weight": torch.full((1, 1), torch.nan), "bias": torch.zeros(1)}, "not numbers"),
    ],
    ids=["list", "texts", "numbered", "lacking", "shape", "nan"],
)
def test_weights_of_something_else_are_refused(tmp_path: Path, content: object, says: str) -> None:
    """A line for each way not to be a network's weights."""
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=says):
        load_into(nn.Linear(1, 1), tmp_path / "other.pth")


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02", b"PK\x03\x04" + b"\0" * 100, b"<html>", bytes(range(256)) * 10], ids=["empty", "cut", "zip", "page", "noise"]
)
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever was saved under the name."""
    (tmp_path / "noise.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"noise\.pth"):
        load_into(nn.Linear(1, 1), tmp_path / "noise.pth")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_both_of_torchs_formats_are_read(tmp_path: Path, zipped: bool) -> None:
    """The oldest of torchvision's files are in the older one. The digest is that of the file."""
    weights: dict[str, Tensor] = {"weight": torch.full((1, 1), 2.0), "bias": torch.full((1,), 3.0)}
    torch.save(weights, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    network = nn.Linear(1, 1)
    assert load_into(network, tmp_path / "w.pth") == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()[:8]
    assert network(torch.ones(1)).item() == 5.0
