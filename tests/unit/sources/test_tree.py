"""What counts as a picture below a folder, and what is passed over."""

from __future__ import annotations

import os
import socket
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from igsearch.sources.folder import Folder
from igsearch.sources.tree import Tree, begins_a_picture, walk
from tests.fake_instagram import jpeg

JPEG, PNG, GIF = jpeg(), b"\x89PNG\r\n\x1a\n" + bytes(20), b"GIF89a" + bytes(20)
WEBP, HEIC, AVIF = b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic\0\0\0\0", b"\0\0\0\x18ftypavif\0\0\0\0"
BMP, TIFF = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0" + bytes(20), b"II*\0\x08\0\0\0"


def put(root: Path, name: str, content: bytes = b"x") -> None:
    """A file below `root`."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.JIF", "a.pjpeg", "a.pjp", "a.dib", "a.apng", "a.hif", "b.c.Jpeg"])
def test_a_picture_is_told_by_its_suffix(tmp_path: Path, name: str) -> None:
    """Every suffix under which a kind that is read goes about; that it is none shows when it is opened."""
    put(tmp_path, name)
    assert Tree.below(tmp_path).pictures == [name]


NAMES = ["a", "a.jpg_large", "a.jpg~", "a.JPG.1", "a.json", "a.txt", "118_n.jpg?oe=5F", "notes.html", "a.ndjson"]


@pytest.mark.parametrize(("name", "content"), list(zip(NAMES, [JPEG, PNG, GIF, WEBP, HEIC, AVIF, BMP, TIFF, PNG], strict=True)))
def test_any_other_name_is_judged_by_its_contents(tmp_path: Path, name: str, content: bytes) -> None:
    """Browsers and scripts save pictures under all kinds of names; none of them says whether it is one."""
    put(tmp_path, name, content)
    put(tmp_path, f"other/{name}", b"no picture")
    assert [found.id for found in Folder(tmp_path).photos()] == [name]


@pytest.mark.parametrize("head", [b"", b"BM", b"BMW is a maker of cars", b"RIFF\0\0\0\0WAVE", b"\0\0\0\x18ftypmp42", b"%PDF-1.7", b"<html>", b"PK\3\4"])
def test_what_begins_like_no_picture_is_none(head: bytes) -> None:
    """Containers of pictures hold other things too."""
    assert not begins_a_picture(head)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    """Each kind under a name of its own; what the system puts everywhere is not worth a word."""
    put(tmp_path, "a.jpg")
    for name in ("a.mp4", "b.mp4", "c.MOV", "raw.CR2", "raw.svg", "notes.txt", "letter.pdf", ".hidden.png", "._a.jpg", "Thumbs.db", "desktop.ini", ".DS_Store"):
        put(tmp_path, name, TIFF if name == "raw.CR2" else b"x")
    put(tmp_path, ".private/a.jpg")
    put(tmp_path, "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg")
    put(tmp_path, "album.zip", b"PK\5\6" + bytes(18))
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["a.jpg"]
    assert source.left_out == {
        "videos without a cover": 2,
        "raw and vector pictures": 2,
        "files that are no pictures": 2,
        "hidden pictures": 1,
        "hidden folders": 1,
        "folders of trash or thumbnails": 1,
        "ZIP files that are no export of Instagram's": 1,
    }


@pytest.mark.parametrize(
    "folder",
    [
        "@eaDir", "@EADIR", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", ".@__thumb", "$RECYCLE.BIN", "$Recycle.Bin", "RECYCLER", "__MACOSX",
        "System Volume Information", ".Trashes", ".Trash-1000", ".thumbnails", "lost+found", ".dtrash", ".picasaoriginals", "files_trashbin", "files_versions",
        "appdata_oc1x2y3z", ".stversions", "Catalog Previews.lrdata", "My.photoslibrary/resources", "Google Photos/Trash", "CaptureOne/Cache", "node_modules",
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "album/"], ids=["top", "below"])
def test_trash_and_thumbnails_of_known_programs_are_passed_over(tmp_path: Path, above: str, folder: str) -> None:
    """At any depth, however they are written; also for an export of Instagram's."""
    put(tmp_path, f"{above}a.jpg")
    put(tmp_path, f"{above}{folder}/x/a.jpg")
    tree = Tree.below(tmp_path)
    assert (tree.pictures, tree.left_out) == ([f"{above}a.jpg"], {"folders of trash or thumbnails": 1})
    assert list(walk(tmp_path)) == [tmp_path / above / "a.jpg"]


@pytest.mark.parametrize("folder", ["Trash", "resources", "cache", "thumbs", "recycle", "eaDir"])
def test_folders_of_ones_own_are_not_taken_for_it(tmp_path: Path, folder: str) -> None:
    """A name that only some program's folder makes a trash is a name like any other elsewhere."""
    put(tmp_path, f"{folder}/a.jpg")
    assert Tree.below(tmp_path).pictures == [f"{folder}/a.jpg"]


def test_a_trash_that_is_given_is_walked(tmp_path: Path) -> None:
    """Whoever names it means it."""
    put(tmp_path, "#recycle/a.jpg")
    assert Tree.below(tmp_path / "#recycle").pictures == ["a.jpg"]


def a_pipe(path: Path) -> None:
    """Whoever opens it waits for a writer."""
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    """It cannot be opened."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))  # its address must be short


def a_device(path: Path) -> None:
    """It has no end."""
    path.symlink_to("/dev/zero")


def a_broken_link(path: Path) -> None:
    """It leads nowhere."""
    path.symlink_to(path.parent / "nowhere")


def a_link_to_itself(path: Path) -> None:
    """The system refuses to follow it."""
    path.symlink_to(path)


def a_link_to_a_pipe(path: Path) -> None:
    """It looks like a file until it is followed."""
    os.mkfifo(path.parent / ".pipe")
    path.symlink_to(path.parent / ".pipe")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("make", [a_pipe, a_socket, a_device, a_broken_link, a_link_to_itself, a_link_to_a_pipe])
@pytest.mark.parametrize("name", ["x.jpg", "x", "2020-05-01_12-00-00_UTC.txt", "a.jpg.json", "media.json"])
def test_only_regular_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], name: str) -> None:
    """Whatever they are called, other things are counted, and nobody waits."""
    put(tmp_path, "a.jpg")
    put(tmp_path, "2020-05-01_12-00-00_UTC.jpg")
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["2020-05-01_12-00-00_UTC", "a.jpg"]
    assert source.left_out == {"links to nothing, pipes and devices": 1}


def test_a_large_folder_takes_little(tmp_path: Path) -> None:
    """2,000 pictures: a small part of a second, and less than two kilobytes each."""
    for number in range(2000):
        os.mknod(tmp_path / f"IMG_{number:04}.jpg")
    started = time.process_time()
    assert sum(1 for _ in Folder(tmp_path).photos()) == 2000
    assert time.process_time() - started < 5
    tracemalloc.start()
    for _ in Folder(tmp_path).photos():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * 2000
