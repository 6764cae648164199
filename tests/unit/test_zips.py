"""The guard before everything that is read out of ZIP files."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from igsearch import zips
from igsearch.zips import ZipError, head_of_member, members, open_zip, read_member
from tests.instagram_export import zipped


def names(path: Path) -> list[tuple[str, str]]:
    """The files in a ZIP."""
    with open_zip(path) as archive:
        return list(members(archive))


@pytest.mark.parametrize("name", ["../a", "a/../b", "/a", "C:/a", "C:\\a", "..\\a", "\\a", "a//b", "./", "a/./b", "a\nb", "x" * 1001, "a/", "a\\"], ids=repr)
def test_names_that_lead_out_are_not_there(tmp_path: Path, name: str) -> None:
    """Nor is what is a folder."""
    assert names(zipped(tmp_path / "x.zip", {"a/b.jpg": b"1", name: b"2"})) == [("a/b.jpg", "a/b.jpg")]


def test_names_may_begin_in_the_current_folder(tmp_path: Path) -> None:
    """As bsdtar and 7-Zip write them; the name as the ZIP has it leads to the bytes."""
    path = zipped(tmp_path / "x.zip", {"./a/b.jpg": b"1", ".\\a\\c.jpg": b"2"})
    assert names(path) == [("a/b.jpg", "./a/b.jpg"), ("a/c.jpg", ".\\a\\c.jpg")]
    with open_zip(path) as archive:
        assert read_member(archive, "./a/b.jpg", 100) == b"1"


def test_backslashes_part_folders(tmp_path: Path) -> None:
    """The name as the ZIP has it leads to the bytes."""
    path = zipped(tmp_path / "x.zip", {"a\\b/c.jpg": b"1"})
    assert names(path) == [("a/b/c.jpg", "a\\b/c.jpg")]
    with open_zip(path) as archive:
        assert read_member(archive, "a\\b/c.jpg", 100) == b"1"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_not_read(tmp_path: Path, kind: int) -> None:
    """Whoever asks for one by name is told."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        info = zipfile.ZipInfo("a.jpg")
        info.external_attr = (kind | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    assert names(tmp_path / "x.zip") == []
    with open_zip(tmp_path / "x.zip") as archive, pytest.raises(ZipError, match=r"'a.jpg' in '.*x.zip' is a link or a device"):
        read_member(archive, "a.jpg", 100)


def test_a_size_is_judged_before_anything_is_read(tmp_path: Path) -> None:
    """What is packed to nearly nothing, and what is larger than asked for; the first bytes can be had all the same."""
    path = zipped(tmp_path / "x.zip", {"zeros": bytes(zips.SMALL_BYTES + 1), "noise": os.urandom(zips.SMALL_BYTES + 1), "small": bytes(zips.SMALL_BYTES)})
    with open_zip(path) as archive:
        for name, most in (("zeros", 2**30), ("noise", zips.SMALL_BYTES)):
            with pytest.raises(ZipError, match=f"'{name}' in .* claims {zips.SMALL_BYTES + 1} bytes"):
                read_member(archive, name, most)
        assert len(read_member(archive, "noise", zips.SMALL_BYTES + 1)) == zips.SMALL_BYTES + 1
        assert len(read_member(archive, "small", 2**30)) == zips.SMALL_BYTES
        assert head_of_member(archive, "zeros", 5) == bytes(5)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_not_unpacked(tmp_path: Path, packing: int) -> None:
    """Zipfile does so without a bound."""
    with open_zip(zipped(tmp_path / "x.zip", {"a": b"1"}, packing)) as archive, pytest.raises(ZipError, match="packed in an unusual way"):
        read_member(archive, "a", 100)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """With the ZIP's name."""
    with open_zip(zipped(tmp_path / "x.zip", {"a": b"1"})) as archive, pytest.raises(ZipError, match=r"x.zip' holds no 'b'"):
        read_member(archive, "b", 100)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda path: path.write_bytes(b"PK\3\4 and no more"), "is a damaged ZIP file", id="cut"),
        pytest.param(lambda path: path.write_bytes(b""), "is a damaged ZIP file", id="empty"),
        pytest.param(lambda path: path.mkdir(), "is not a file", id="folder"),
        pytest.param(os.mkfifo, "is not a file", id="pipe"),
        pytest.param(lambda path: path.symlink_to("nowhere"), "No such file", id="broken link"),
        pytest.param(lambda _: None, "No such file", id="missing"),
    ],
)
def test_what_is_no_zip_is_told_and_never_waited_for(tmp_path: Path, make: object, says: str) -> None:
    """In one line with its name."""
    assert callable(make)
    make(tmp_path / "x.zip")
    with pytest.raises(ZipError, match=says) as caught:
        open_zip(tmp_path / "x.zip")
    assert str(tmp_path / "x.zip") in str(caught.value)
    assert "\n" not in str(caught.value)
