"""Lists of paths and addresses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from igsearch.errors import SourceError
from igsearch.records import Photo, Unread
from igsearch.sources import url_list
from igsearch.sources.url_list import MAX_LINE_BYTES, MAX_PASSED_BYTES, UrlList

SIGNED = "https://scontent.cdninstagram.com/v/178_n.jpg?oe=608CF1C0&ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MQ%3D%3D.2"


def listed(folder: Path, content: bytes) -> UrlList:
    """A list of these bytes."""
    (folder / "list.txt").write_bytes(content)
    return UrlList(folder / "list.txt")


def photos(source: UrlList) -> list[Photo]:
    """The photos that a list names."""
    return [found for found in source.photos() if isinstance(found, Photo)]


def unread(source: UrlList) -> list[Unread]:
    """What a list names and cannot be read."""
    return [found for found in source.photos() if isinstance(found, Unread)]


def put(path: Path) -> Path:
    """A picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.fixture
def ids(tmp_path: Path) -> Callable[[bytes], list[str]]:
    """The ids of the photos that a list of these bytes names."""

    def read(content: bytes) -> list[str]:
        return [photo.id for photo in photos(listed(tmp_path, content))]

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
    first, second, third, fourth = photos(UrlList(Path("lists/mine.txt")))
    assert (first.id, first.path) == ("a.jpg", tmp_path / "lists" / "a.jpg")
    assert (second.id, second.path) == (f"{tmp_path.as_posix()}/b.jpg", tmp_path / "lists" / ".." / "b.jpg")
    assert (third.id, third.path) == ("/photos/c.jpg", Path("/photos/c.jpg"))
    assert (fourth.url, fourth.path, fourth.shortcode) == (SIGNED, None, "CD_ivppDsyP")


def test_what_a_list_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same source however it is named, walked whole in every run."""
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    source = UrlList(Path("../x/../list.txt"))
    assert (source.kind, source.root, source.newest_first, source.n_expected, source.left_out) == ("list", str(tmp_path / "list.txt"), False, None, {})


@pytest.mark.parametrize(
    "name", ["a b.jpg", " a.jpg ", "a\nb.jpg", "#a.jpg", "'a'.jpg", '"a.jpg"', "~a.jpg", "a\\b.jpg", "\r", "file:a.jpg", "é.jpg", "x y\t.jpg\r"]
)
def test_names_that_are_followed_by_nul_are_exact(tmp_path: Path, name: str) -> None:
    """As `find -print0` and `igsearch search --paths -0` write them, whatever is in them."""
    put(tmp_path / name)
    for other in ("other.jpg", str(tmp_path / "other.jpg")):
        found = photos(listed(tmp_path, f"{name}\0{other}\0".encode()))
        assert [photo.path for photo in found] == [tmp_path / name, tmp_path / "other.jpg"]
    assert photos(listed(tmp_path, f"{name}\0".encode()))[0].path == tmp_path / name


def test_addresses_may_be_followed_by_nul(tmp_path: Path) -> None:
    """As `igsearch search --urls -0` writes them."""
    found = photos(listed(tmp_path, b"file:///x/a%20b.jpg\0https://example.org/c.jpg\0a"))
    assert [(photo.path, photo.url) for photo in found] == [(Path("/x/a b.jpg"), None), (None, "https://example.org/c.jpg"), (tmp_path / "a", None)]


@pytest.mark.parametrize(
    "content",
    [b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", b"PK\3\4\x14\0\0\0", bytes(1000), "a.jpg\nb.jpg\n".encode("utf-16-le"), b"\0", b"a.jpg\n\0\0"],
    ids=["picture", "zip", "zeros", "utf-16", "zero", "zeros behind"],
)
def test_a_file_of_another_kind_is_no_list(tmp_path: Path, content: bytes) -> None:
    """NUL characters alone do not make it one."""
    with pytest.raises(SourceError, match="is not a list"):
        photos(listed(tmp_path, content))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("#cats/cat.jpg", "#cats/cat.jpg"),
        ("# a.jpg", "# a.jpg"),
        ('"a b.jpg"', "a b.jpg"),
        ("'a b.jpg'", "a b.jpg"),
        (" 'a b.jpg'\r", "a b.jpg"),
        (r"a\ b.jpg", "a b.jpg"),
        (r"'it'\''s.jpg'", "it's.jpg"),
        ("\u201ca b.jpg\u201d", "a b.jpg"),
        ("<a b.jpg>", "a b.jpg"),
        ("<a>", "<a>"),
        (r"$'tab\t1.jpg'", "tab\t1.jpg"),
        (r"'new'$'\n''line.jpg'", "new\nline.jpg"),
        (r"it\'s\ $'\303\251\u00e9\'\e.jpg'", "it's \u00e9\u00e9'\x1b.jpg"),
        (r'"caf\303\251 \"x\".jpg"', 'caf\u00e9 "x".jpg'),
        (r'"\u00e9\/\u65e5.jpg"', "\u00e9/\u65e5.jpg"),
        (r"new\nline\ 1.jpg", "new\nline 1.jpg"),
        (r"\xff\xFE.jpg", r"\xff\xfe.jpg"),
        ("a.jpg\\ ", "a.jpg "),
        (r"\U00110000.jpg", r"\U00110000.jpg"),
        (r"\ud800.jpg", r"\ud800.jpg"),
        ('"a.jpg"', '"a.jpg"'),
        ("it's.jpg", "it's.jpg"),
        (r"sub\a.jpg", "sub/a.jpg"),
        ("a.jpg ", "a.jpg "),
        ("a.jpg\r", "a.jpg"),
        ("www.example.org/a.jpg", "www.example.org/a.jpg"),
        ("https:x.jpg", "https:x.jpg"),
        ("ftp://x.jpg", "ftp:/x.jpg"),
        ("[1] {a}.jpg", "[1] {a}.jpg"),
    ],
)
def test_a_name_is_read_as_it_is_or_as_it_is_meant(tmp_path: Path, line: str, name: str) -> None:
    """In quotes or with a shell's escapes, with # in front, with a blank behind: what is there decides."""
    path = put(tmp_path / (os.fsdecode(b"\xff\xfe.jpg") if name == r"\xff\xfe.jpg" else name))
    [photo] = photos(listed(tmp_path, f"\n{line}\n".encode()))
    assert photo.path is not None
    assert (photo.path.samefile(path), photo.id) == (True, name)


@pytest.mark.parametrize("line", ["~/a.jpg", '"~/a.jpg"', r"~/\a.jpg"])
def test_the_home_folder_may_be_written_short(tmp_path: Path, own_home: Path, line: str) -> None:
    """Also in quotes, where a shell does not expand it; a folder called ~ goes first."""
    put(own_home / "a.jpg")
    [photo] = photos(listed(tmp_path, line.encode()))
    assert (photo.path, photo.id) == (own_home / "a.jpg", str(own_home / "a.jpg"))
    put(tmp_path / "~" / "a.jpg")
    assert photos(listed(tmp_path, b"~/a.jpg"))[0].id == "~/a.jpg"


def test_a_user_who_is_unknown_has_no_home(tmp_path: Path) -> None:
    """The line is a path like any other."""
    assert photos(listed(tmp_path, b"~nobody-of-that-name/a.jpg"))[0].id == "~nobody-of-that-name/a.jpg"


def test_remarks_that_may_be_names_are_counted(tmp_path: Path) -> None:
    """`#cats/cat.jpg` is a photo if it is there; if not, it is not passed over in silence. A remark in words is."""
    source = listed(tmp_path, b"# my list\n#\n## more\n#cats/cat.jpg\n#dogs/dog.jpg\na.jpg\n")
    put(tmp_path / "#cats" / "cat.jpg")
    assert [photo.id for photo in photos(source)] == ["#cats/cat.jpg", "a.jpg"]
    assert source.left_out == {url_list.REMARKS: 1}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"], ids=["unix", "windows", "nul"])
def test_accents_are_composed_or_not_in_the_name_of_a_file(tmp_path: Path, form: Literal["NFC", "NFD"], end: bytes) -> None:
    """In folders of both kinds; a file of exactly the name goes first."""
    there = put(tmp_path / normalize("NFC", "Été") / normalize("NFD", "plage à midi.jpg"))
    name = normalize(form, "Été/plage à midi.jpg")
    assert [photo.path for photo in photos(listed(tmp_path, name.encode() + end))] == [there]
    exact = put(tmp_path / name)
    assert [photo.path for photo in photos(listed(tmp_path, name.encode() + end))] == [exact]


@pytest.mark.parametrize(
    ("line", "identity", "path", "member"),
    [
        ("file:///photos/my%20cat.jpg", "/photos/my cat.jpg", "/photos/my cat.jpg", None),
        ("FILE://localhost/a.jpg", "/a.jpg", "/a.jpg", None),
        ("file:/a.jpg", "/a.jpg", "/a.jpg", None),
        ("'file:///a.jpg'", "/a.jpg", "/a.jpg", None),
        ("file:///a%FF.jpg", r"/a\xff.jpg", "/a\udcff.jpg", None),
        ("file:///a?b%23c.jpg", "/a?b#c.jpg", "/a?b#c.jpg", None),
        ("file:///x.zip#media/a%20b.jpg", "/x.zip#media/a b.jpg", "/x.zip", "media/a b.jpg"),
    ],
)
def test_addresses_of_files_are_paths(tmp_path: Path, line: str, identity: str, path: str, member: str | None) -> None:
    """What `igsearch search --urls` writes for photos that have no other address can be fed back."""
    [photo] = photos(listed(tmp_path, line.encode()))
    assert (photo.id, str(photo.path), photo.member, photo.url) == (identity, path, member, None)


def test_addresses_may_stand_between_angle_brackets(tmp_path: Path) -> None:
    """As in mails, and as RFC 3986 advises."""
    found = photos(listed(tmp_path, b"<https://example.org/a.jpg>\n <file:///a%20b.jpg> \n"))
    assert [(photo.id, photo.url) for photo in found] == [("example.org/a.jpg", "https://example.org/a.jpg"), ("/a b.jpg", None)]


def test_the_address_of_a_file_in_the_lists_folder_is_the_photo_that_its_path_names(tmp_path: Path) -> None:
    """It is there once; a file whose name has # in it is no member of a ZIP."""
    put(tmp_path / "#1" / "a#b.jpg")
    found = photos(listed(tmp_path, f"#1/a#b.jpg\nfile://{tmp_path}/%231/a%23b.jpg\nfile://{tmp_path}/#1/a#b.jpg\n".encode()))
    assert [(photo.id, photo.member) for photo in found] == [("#1/a#b.jpg", None)]


@pytest.mark.parametrize(
    ("line", "identity", "permalink"),
    [
        ("https://www.instagram.com/p/CD_ivppDsyP/", "CD_ivppDsyP", "https://www.instagram.com/p/CD_ivppDsyP/"),
        ("http://instagram.com/natgeo/reel/CD_ivppDsyP?img_index=3", "CD_ivppDsyP_3", "https://www.instagram.com/p/CD_ivppDsyP/"),
        ("instagram.com/p/CD_ivppDsyP", "CD_ivppDsyP", "https://www.instagram.com/p/CD_ivppDsyP/"),
        ("https://www.instagram.com/natgeo/", "www.instagram.com/natgeo/", None),
        ("https://www.instagram.com", "www.instagram.com", None),
        ("ftp://example.org/a.jpg", "ftp://example.org/a.jpg", None),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA", None),
        ("file://elsewhere/a.jpg", "file://elsewhere/a.jpg", None),
        ("file:a.jpg", "file:a.jpg", None),
        ("https://", "https://", None),
        ("https:///a.jpg", "https:///a.jpg", None),
        ("http://:80/a.jpg", "http://:80/a.jpg", None),
        ("https://[broken", "https://[broken", None),
    ],
)
def test_what_is_no_picture_is_told(tmp_path: Path, line: str, identity: str, permalink: str | None) -> None:
    """In a line that says what to do; it is never asked for."""
    source = listed(tmp_path, f"{line}\na.jpg\n{line}\n".encode())
    [one] = unread(source)
    assert (one.id, one.permalink, one.hides, line[:200] in one.reason) == (identity, permalink, False, True)
    assert [photo.id for photo in photos(source)] == ["a.jpg"]


def test_a_list_of_nothing_but_posts_says_so_of_each(tmp_path: Path) -> None:
    """It is no empty list."""
    assert [one.id for one in unread(listed(tmp_path, b"https://www.instagram.com/p/CAAAA/\nhttps://www.instagram.com/p/CBBBB/\n"))] == ["CAAAA", "CBBBB"]


def test_a_photo_is_not_hidden_by_the_link_to_its_post(tmp_path: Path) -> None:
    """Whichever comes first in the list."""
    link = b"https://www.instagram.com/p/CD_ivppDsyP/\n"
    for content in (link + SIGNED.encode(), SIGNED.encode() + b"\n" + link):
        assert [photo.url for photo in photos(listed(tmp_path, content))] == [SIGNED]


def test_a_line_that_is_too_long_is_told(tmp_path: Path) -> None:
    """By its number."""
    source = listed(tmp_path, b"a.jpg\n" + b"x" * (MAX_LINE_BYTES * 20) + b"\nb.jpg\n" + b"y" * (MAX_LINE_BYTES + 1))
    assert ([photo.id for photo in photos(source)], [one.id for one in unread(source)]) == (["a.jpg", "b.jpg"], ["line 2", "line 4"])


def test_a_nul_in_the_middle_of_a_text_is_told(tmp_path: Path) -> None:
    """No file has such a name; asking for it would end in an error."""
    source = listed(tmp_path, b"a.jpg\n" * 20_000 + b"b\0.jpg\nc.jpg\n")
    assert ([photo.id for photo in photos(source)], len(unread(source))) == (["a.jpg", "c.jpg"], 1)


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
        photos(UrlList(tmp_path / "missing.txt"))


@pytest.mark.parametrize("endless", [b"x" * (MAX_PASSED_BYTES + 3 * MAX_LINE_BYTES), b"\n" * (url_list.MAX_BLANK_LINES + 2**17)], ids=["line", "blank lines"])
def test_a_list_without_an_end_is_given_up(tmp_path: Path, endless: bytes) -> None:
    """One line says so, and the lines before it were read."""
    found = listed(tmp_path, b"one.jpg\n" + endless).photos()
    assert next(found).id == "one.jpg"
    with pytest.raises(SourceError, match=r"of list '.*' has no end"):
        next(found)
