"""A plain folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from igsearch.errors import SourceError
from igsearch.sources.folder import Folder


def fill(root: Path, *names: str) -> None:
    """Put small files of these names below `root`."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def ids(root: Path) -> list[str]:
    """The ids of all photos below `root`."""
    return [photo.id for photo in Folder(root).photos()]


def test_pictures_come_sorted_with_their_relative_path_as_id(tmp_path: Path) -> None:
    """All picture suffixes count, in any case; what is hidden or no picture does not."""
    fill(tmp_path, "b.JPG", "a.heic", "sub/c.webp", "sub/deep/d.tiff", "e.mp4", "notes.txt", ".hidden.jpg", ".git/f.jpg", "g.jpg.part")
    assert ids(tmp_path) == ["a.heic", "b.JPG", "sub/c.webp", "sub/deep/d.tiff"]


def test_paths_are_absolute_and_tell_nothing_but_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold when the working directory changes; the id does not depend on where the folder lies."""
    fill(tmp_path, "sub/a.jpg")
    monkeypatch.chdir(tmp_path)
    [photo] = Folder(Path("sub")).photos()
    assert (photo.id, photo.path, photo.url, photo.taken_at) == ("a.jpg", tmp_path / "sub" / "a.jpg", None, None)


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    """A folder that is reached twice is walked once; links to themselves and to nothing are passed over."""
    fill(tmp_path, "real/a.jpg", "elsewhere.jpg")
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "real" / "b.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (tmp_path / "real" / "self.jpg").symlink_to(tmp_path / "real" / "self.jpg")
    (tmp_path / "real" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert ids(tmp_path) == ["elsewhere.jpg", "real/a.jpg", "real/b.jpg"]


@pytest.mark.skipif(os.name != "posix", reason="only there may a name be bytes that are no text")
def test_a_name_that_is_no_text_gives_an_id_that_is(tmp_path: Path) -> None:
    """Ids go into databases and JSON, which take only valid text; the path still opens."""
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"picture")
    [photo] = Folder(tmp_path).photos()
    assert photo.id == r"caf\xe9.jpg"
    assert photo.path is not None
    assert photo.path.read_bytes() == b"picture"


def test_the_walk_is_lazy(tmp_path: Path) -> None:
    """Nothing is looked at before the first photo is asked for, so that a missing folder is an error then."""
    photos = Folder(tmp_path / "later").photos()
    fill(tmp_path, "later/a.jpg")
    assert next(photos).id == "a.jpg"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param([], "is empty", id="empty"),
        pytest.param([".DS_Store"], "is empty", id="only-hidden"),
        pytest.param(["notes.txt", "a.mp4"], "holds no picture among its 2 files", id="no-picture"),
    ],
)
def test_a_folder_without_pictures_says_why(tmp_path: Path, names: list[str], message: str) -> None:
    """Empty and full of something else are two messages."""
    fill(tmp_path, *names)
    with pytest.raises(SourceError, match=message):
        ids(tmp_path)


def test_a_missing_folder_is_a_third_message(tmp_path: Path) -> None:
    """It says what the system says."""
    with pytest.raises(SourceError, match=r"cannot be read \(No such file"):
        ids(tmp_path / "missing")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A subfolder that may not be read, beside one that may."""
    fill(tmp_path, "a/1.jpg", "locked/2.jpg", "z/3.jpg")
    return tmp_path / "locked"


def test_a_locked_subfolder_is_passed_over(locked: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The rest is indexed, and the log names what is missing."""
    scandir = os.scandir

    def refusing(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        # Simulated: root, as which tests run in containers, may read everything.
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert ids(locked.parent) == ["a/1.jpg", "z/3.jpg"]
    assert "locked" in caplog.text
    with pytest.raises(SourceError, match="Permission denied"):
        ids(locked)
