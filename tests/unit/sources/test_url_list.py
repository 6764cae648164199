"""Lists of paths and addresses."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from igsearch.errors import SourceError
from igsearch.sources.url_list import MAX_LINE_BYTES, MAX_PASSED_BYTES, UrlList

SIGNED = "https://scontent.cdninstagram.com/v/178_n.jpg?oe=608CF1C0&ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MQ%3D%3D.2"


@pytest.fixture
def ids(tmp_path: Path) -> Callable[[bytes], list[str]]:
    """The ids of the photos that a list of these bytes names."""

    def read(content: bytes) -> list[str]:
        (tmp_path / "list.txt").write_bytes(content)
        return [photo.id for photo in UrlList(tmp_path / "list.txt").photos()]

    return read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"a.jpg\nsub/b.jpg\n", ["a.jpg", "sub/b.jpg"], id="paths"),
        pytest.param(b"a.jpg", ["a.jpg"], id="no-newline-at-the-end"),
        pytest.param(b"\xef\xbb\xbfa.jpg\r\n\r\n  b.jpg  \r\n", ["a.jpg", "b.jpg"], id="written-on-windows"),
        pytest.param(b"# mine\n\na.jpg\n#b.jpg\nc#d.jpg\n", ["a.jpg", "c#d.jpg"], id="comments"),
        pytest.param(b"a.jpg\n./a.jpg\nx/../a.jpg\nb.jpg\n", ["a.jpg", "b.jpg"], id="same-path-twice"),
        pytest.param(b"https://example.org/a.jpg\nHTTP://example.org/b.jpg\n", ["example.org/a.jpg", "example.org/b.jpg"], id="addresses"),
        pytest.param(f"{SIGNED}\n{SIGNED.replace('608', '708')}\n".encode(), ["CD_ivppDsyP"], id="signed-twice"),
        pytest.param(b"x" * (MAX_LINE_BYTES * 3) + b"\nb.jpg\n", ["b.jpg"], id="line-too-long"),
        pytest.param(b"b.jpg\n" + b"x" * (MAX_LINE_BYTES + 1), ["b.jpg"], id="last-line-too-long"),
        pytest.param("été.jpg\n".encode(), ["été.jpg"], id="utf-8"),
        pytest.param(b"\xe9t\xe9.jpg\n", [r"\xe9t\xe9.jpg"], id="latin-1"),
        pytest.param(b"https://[broken\n", ["https://[broken"], id="no-address"),
    ],
)
def test_lines(ids: Callable[[bytes], list[str]], content: bytes, expected: list[str]) -> None:
    """One photo a line that names something new."""
    assert ids(content) == expected


def test_relative_paths_start_from_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the list can be used from anywhere; absolute ones stay as they are, and an address has no path."""
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path)
    Path("lists/mine.txt").write_text(f"a.jpg\n../b.jpg\n/photos/c.jpg\n{SIGNED}\n", encoding="utf-8")
    first, second, third, fourth = UrlList(Path("lists/mine.txt")).photos()
    assert (first.id, first.path) == ("a.jpg", tmp_path / "lists" / "a.jpg")
    assert (second.id, second.path) == (f"{tmp_path.as_posix()}/b.jpg", tmp_path / "lists" / ".." / "b.jpg")
    assert (third.id, third.path) == ("/photos/c.jpg", Path("/photos/c.jpg"))
    assert (fourth.url, fourth.path, fourth.shortcode) == (SIGNED, None, "CD_ivppDsyP")


def test_standard_input_is_read_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first photo is there before the writer has finished; paths start from the current directory."""
    read_end, write_end = os.pipe()
    monkeypatch.chdir(tmp_path)
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as writer:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        photos = UrlList("-").photos()
        writer.write(b"a.jpg\n")
        assert next(photos).path == tmp_path / "a.jpg"
        writer.write(b"b.jpg\n")
        writer.close()
        assert [photo.id for photo in photos] == ["b.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "names no picture", id="empty"),
        pytest.param(b"# nothing\n\n", "names no picture", id="only-comments"),
        pytest.param("a.jpg\n".encode("utf-16"), "save it as UTF-8", id="utf-16"),
    ],
)
def test_a_list_that_names_nothing_is_an_error(ids: Callable[[bytes], list[str]], content: bytes, message: str) -> None:
    """It says what a line should hold."""
    with pytest.raises(SourceError, match=message):
        ids(content)


def test_a_missing_list_is_an_error(tmp_path: Path) -> None:
    """With what the system says."""
    with pytest.raises(SourceError, match="No such file"):
        list(UrlList(tmp_path / "missing.txt").photos())


def test_a_line_without_an_end_is_given_up(tmp_path: Path) -> None:
    """Such as that of /dev/zero: one line says so, and the lines before it were read."""
    (tmp_path / "list.txt").write_bytes(b"one.jpg\n" + bytes(MAX_PASSED_BYTES + 3 * MAX_LINE_BYTES))
    photos = UrlList(tmp_path / "list.txt").photos()
    assert next(photos).id == "one.jpg"
    with pytest.raises(SourceError, match="line 2 of the list has no end"):
        next(photos)
