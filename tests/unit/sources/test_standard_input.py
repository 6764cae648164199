"""What other programs write into igsearch."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from igsearch.errors import SourceError
from igsearch.records import Photo
from igsearch.sources import json_file
from igsearch.sources.standard_input import StandardInput

Given = Callable[[bytes], StandardInput]
ENTRY = {"id": "a", "profile": "natgeo", "caption": "a cat", "path": "a.jpg"}


@pytest.fixture
def stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    """Standard input with these bytes."""

    def given(content: bytes) -> StandardInput:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
        return StandardInput("natgeo")

    monkeypatch.chdir(tmp_path)
    return given


def test_what_standard_input_is(stdin: Given) -> None:
    """One source for whoever writes into it."""
    source = stdin(b"")
    assert (source.kind, source.root, source.newest_first, source.n_expected, source.left_out) == ("stdin", "", False, None, {})
    assert source.name == "list of paths and addresses on standard input"


def test_a_list_is_read_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first photo is there before the writer has finished; paths start from the current directory."""
    read_end, write_end = os.pipe()
    monkeypatch.chdir(tmp_path)
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as writer:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        found = StandardInput("natgeo").photos()
        writer.write(b"a.jpg\n")
        assert next(found) == Photo("a.jpg", path=tmp_path / "a.jpg")
        writer.write(b"b.jpg\n")
        assert next(found).id == "b.jpg"
        writer.close()
        assert list(found) == []


def test_names_that_are_followed_by_nul_are_read_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`find -print0 | igsearch index x --from -`."""
    read_end, write_end = os.pipe()
    monkeypatch.chdir(tmp_path)
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as writer:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        found = StandardInput("natgeo").photos()
        writer.write(b"a\nb.jpg\0")
        assert next(found).id == "a\nb.jpg"
        writer.write(b" c.jpg\0")
        writer.close()
        assert [one.id for one in found] == [" c.jpg"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(ENTRY), id="line"),
        pytest.param("\n".join(json.dumps(ENTRY | {"profile": name, "id": name[:1]}) for name in ("natgeo", "x")).replace('"n"', '"a"'), id="lines"),
        pytest.param(json.dumps([ENTRY], indent=2), id="list"),
        pytest.param("\ufeff\n " + json.dumps({"natgeo": [ENTRY], "x": []}), id="database"),
    ],
)
def test_json_is_recognised_as_in_a_file(stdin: Given, tmp_path: Path, content: str) -> None:
    """`igsearch export natgeo | igsearch index copy --from -`; paths start from the current folder."""
    source = stdin(content.encode())
    [photo] = [found for found in source.photos() if isinstance(found, Photo)]
    assert (photo.id, photo.path, photo.description is not None) == ("a", tmp_path / "a.jpg", True)
    assert "captioned photos from standard input" in source.name


def test_pictures_of_the_current_folder_belong_to_no_address_on_standard_input(stdin: Given, tmp_path: Path) -> None:
    """Nobody said that they were downloaded from there."""
    (tmp_path / "1.jpg").write_bytes(b"x")
    [photo] = stdin(b'["https://example.org/1.jpg"]').photos()
    assert isinstance(photo, Photo)
    assert photo.path is None


def test_what_is_left_out_is_counted(stdin: Given) -> None:
    """Of JSON as of a list."""
    source = stdin(b"\n".join(json.dumps(ENTRY | {"profile": name}).encode() for name in ("natgeo", "nasa")))
    assert len(list(source.photos())) == 1
    assert source.left_out == {"photos of other profiles": 1}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "standard input names no picture", id="empty"),
        pytest.param(b'{"a": 1}', "standard input is JSON of another kind", id="other JSON"),
        pytest.param(b'{"a": ', "standard input is not valid JSON", id="cut"),
        pytest.param(b'[{"profile": "x", "id": "1", "caption": "a"}, {"profile": "y"}]', "standard input holds no profile 'natgeo', but x, y", id="profile"),
        pytest.param(b'[{"url": "ftp://x"}]', "'standard input' contains no photos", id="no photo"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x10JFIF\0\0", "standard input is a single picture", id="picture"),
        pytest.param(b"\x00\0\0\x20ftypheic\0\0", "standard input is a single picture", id="picture of a phone"),
        pytest.param(b"profile,id,caption,logprob\r\nx,1,a dog,\r\n", "standard input is a table for spreadsheets", id="export in CSV"),
        pytest.param(b"\xef\xbb\xbfrank,score,profile,id\n1,0.5,x,1\n", "standard input is a table for spreadsheets", id="search in CSV, marked"),
        pytest.param(b"PK\3\4\x14\0", "standard input is a ZIP file", id="ZIP"),
        pytest.param(b"\x1f\x8b\x08\0", "standard input is a packed file", id="gzip"),
        pytest.param(b"a\0b\0\0\1", "standard input is not a list", id="bytes"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(stdin: Given, content: bytes, says: str) -> None:
    """As of a file."""
    with pytest.raises(SourceError, match=says):
        list(stdin(content).photos())


def test_more_than_memory_is_not_read(stdin: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written."""
    monkeypatch.setattr(json_file, "MAX_BYTES", 10**5)
    with pytest.raises(SourceError, match="standard input is larger than"):
        list(stdin(b'["' + b"x" * 10**6).photos())


def test_a_list_may_begin_with_a_bracket(stdin: Given) -> None:
    """Folders are called so."""
    assert [one.id for one in stdin(b"[2020] Rome/a.jpg\n{x}.jpg\n").photos()] == ["[2020] Rome/a.jpg", "{x}.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("content", [b"a.jpg\n", json.dumps([ENTRY]).encode()], ids=["list", "json"])
def test_a_pipe_is_read_like_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """`--from <(ls *.jpg)`: from the current folder, not from where the system keeps its pipes."""
    pipe = tmp_path / "pipes" / "63"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    monkeypatch.chdir(tmp_path)
    writer = Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    source = StandardInput("natgeo", pipe)
    assert [one.path for one in source.photos() if isinstance(one, Photo)] == [tmp_path / "a.jpg"]
    writer.join()
    assert (source.kind, source.root) == ("stdin", "")
