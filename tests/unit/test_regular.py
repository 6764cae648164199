"""Only files are opened; whatever else has a file's name is told at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from igsearch import images
from igsearch.errors import FetchError
from igsearch.fetch import Fetcher
from igsearch.records import Photo
from igsearch.regular import NotAFileError, open_regular

OTHERS = ["folder", "pipe", "socket", "device", "link to a device", "link to a pipe"]


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of something that is no file."""
    monkeypatch.chdir(tmp_path)  # the path of a socket may have no more than some 100 characters
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    (tmp_path / "link to a device").symlink_to("/dev/zero")
    (tmp_path / "link to a pipe").symlink_to("pipe")
    return Path("/dev/zero") if request.param == "device" else tmp_path / str(request.param)


@pytest.mark.skipif(os.name == "nt", reason="there are no such things on Windows")
@pytest.mark.parametrize("other", OTHERS, indirect=True)
def test_what_is_no_file_is_not_opened(other: Path) -> None:
    """Nobody waits for a pipe's other end, or reads a device for ever; neither as a picture nor as a ZIP file nor for its date."""
    with pytest.raises(NotAFileError):
        open_regular(other)
    for photo in (Photo("a", path=other), Photo("a", path=other, member="a.jpg")):
        with Fetcher() as fetcher, pytest.raises(FetchError, match=r"is not a file: (name|give) a"):
            fetcher.fetch(photo)
    assert images.taken_at_of_file(other) is None


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes with names on Windows")
def test_what_takes_a_files_place_in_the_last_moment_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is a file is asked of what was opened, and not before."""
    (tmp_path / "file.jpg").write_bytes(b"picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = (tmp_path / "file.jpg").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: found)
    with Fetcher() as fetcher, pytest.raises(FetchError, match="is not a file"):
        fetcher.fetch(Photo("a", path=tmp_path / "pipe.jpg"))


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    """Also through a link."""
    (tmp_path / "file").write_bytes(b"a\r\nb\x1ac" * 10_000)
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"a\r\nb\x1ac" * 10_000
