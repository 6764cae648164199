"""What a profile may be called, which addresses name one, and what is made of the paths people and scripts write."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igsearch.errors import UsageError
from igsearch.paths import ProfilePaths, cache_root, is_blank, is_profile_name, new_profile_name, path_given, profile_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("natgeo", "natgeo"),
        ("NatGeo", "natgeo"),
        ("@natgeo", "natgeo"),
        ("a", "a"),
        ("_x_", "_x_"),
        ("x..y", "x..y"),
        ("123", "123"),
        ("my-holiday", "my-holiday"),
        ("holiday-", "holiday-"),
        ("Caf\u00c9", "caf\u00e9"),
        ("Cafe\u0301", "caf\u00e9"),
        ("วันหยุด", "วันหยุด"),
        ("छुट्टियाँ", "छुट्टियाँ"),
        ("விடுமுறை", "விடுமுறை"),
        ("旅行-2024", "旅行-2024"),
        ("ОТПУСК", "отпуск"),
        ("عطلة", "عطلة"),
        ("console", "console"),
        ("con-1", "con-1"),
        ("com10", "com10"),
        ("my.con", "my.con"),
        ("instagram.com", "instagram.com"),
        ("犬" * 64, "犬" * 64),
    ],
)
def test_a_name_is_letters_of_any_language(written: str, name: str) -> None:
    """And digits, hyphens, dots and underscores, in one spelling; it is the folder's name, and its own name."""
    assert profile_name(written) == name
    assert profile_name(name) == name
    assert is_profile_name(name)
    assert ProfilePaths.of(Path("cache"), written).root == Path("cache", "profiles", name)


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "a b", "a/b", "a\\b", "../etc", "..", ".", ".hidden", "-x", "x.", "x..", "~", "c:", "a*", "a?", "@@x", "#x",
        "a\0b", "a\u200bb", "\udcff", "\u0301x", "\u00b2", "🐶",
        "x" * 65, "𠀀" * 60, "x" * 10**6, "e\u0301" * 10**6,
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(written: str) -> None:
    """Never a path, never hidden, never longer than a folder's name may be."""
    with pytest.raises(UsageError, match=r"is not a profile name: [^\n]+$") as refused:
        profile_name(written)
    assert len(str(refused.value)) < 300
    assert not is_profile_name(written)


@pytest.mark.parametrize("written", ["con", "CON", "con.txt", "aux", "nul.x.y", "prn", "com1", "COM9.jpg", "lpt0"])
def test_no_new_profile_is_called_as_a_device_of_windows(written: str) -> None:
    """One that is there keeps its name, and can be searched and removed by it."""
    with pytest.raises(UsageError, match=r"is not a profile name: Windows keeps it for a device; put something before it, such as my-"):
        new_profile_name(written)
    assert profile_name(written) == written.lower()
    assert new_profile_name(f"my-{written}") == f"my-{written.lower()}"


@given(st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9._]{0,28}[A-Za-z0-9_])?", fullmatch=True))
def test_names_of_existing_caches_stay(written: str) -> None:
    """What Instagram allows is a name, folded as it always was."""
    assert profile_name(written) == written.lower()
    assert is_profile_name(written.lower())


@given(st.text(max_size=70))
def test_a_name_is_its_own_name(written: str) -> None:
    """Whatever is taken as a name is a folder's name in one spelling, which means itself."""
    try:
        name = profile_name(written)
    except UsageError:
        return
    assert profile_name(name) == name == normalize("NFC", name)
    assert is_profile_name(name)
    assert len(name.encode()) <= 255
    assert not {"/", "\\", "\0"} & set(name)
    assert name[0] != "."


@pytest.mark.parametrize(
    "address",
    [
        "https://www.instagram.com/natgeo/",
        "https://www.instagram.com/natgeo",
        "http://instagram.com/NatGeo/?hl=en",
        "https://www.instagram.com/natgeo/?hl=en&img_index=1#top",
        "https://m.instagram.com/natgeo/",
        "https://de-de.instagram.com/natgeo/",
        "www.instagram.com/natgeo/reels/",
        "instagram.com/natgeo",
        "instagram.com/natgeo/tagged/",
        "HTTPS://WWW.INSTAGRAM.COM/natgeo/",
        "//www.instagram.com/natgeo",
        "https://www.instagram.com:443//natgeo//",
        "https://instagr.am/natgeo",
        "https://instagram.com/_u/natgeo/",
        "https://www.instagram.com/@natgeo/",
    ],
)
def test_an_address_on_instagram_names_its_profile(address: str) -> None:
    """As it is copied from a browser or the app."""
    assert profile_name(address) == "natgeo"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://www.instagram.com/p/CxYz123/", "is the address of a post"),
        ("instagram.com/reel/CxYz123", "is the address of a post"),
        ("https://www.instagram.com/reels/CxYz123/", "is the address of a post"),
        ("https://www.instagram.com/tv/CxYz123/?hl=en", "is the address of a post"),
        ("https://www.instagram.com/natgeo/p/CxYz123/", "write natgeo$"),
        ("https://www.instagram.com/natgeo/reel/CxYz123/", "write natgeo$"),
        ("https://www.instagram.com/", "names no profile"),
        ("https://www.instagram.com", "names no profile"),
        ("https://www.instagram.com/explore/tags/cat/", "names no profile"),
        ("https://www.instagram.com/accounts/login/?next=/natgeo/", "names no profile"),
        ("https://evilinstagram.com/natgeo/", "not an address on Instagram"),
        ("https://instagram.com.evil.com/natgeo/", "not an address on Instagram"),
        ("https://instagram.com@evil.com/natgeo", "not an address on Instagram"),
        ("https://example.com/a.jpg", "not an address on Instagram"),
        ("ftp://instagram.com/natgeo", "not an address on Instagram"),
        ("https://www.instagram.com/nat%20geo/", "is not a profile name"),
        ("@all", "every profile that is indexed: name one"),
    ],
)
def test_an_address_of_something_else_is_one_line(address: str, says: str) -> None:
    """Which says what it is."""
    with pytest.raises(UsageError, match=says) as refused:
        profile_name(address)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "blank"),
    [("", True), (" \t\n", True), ("\u200b\ufeff\u00a0\u3000\u2060", True), ("\0", True), ("x", False), (" 0 ", False), ("犬", False), ("\udcff", False)],
)
def test_blank_is_what_nobody_sees(text: str, blank: bool) -> None:
    """White space of every kind, and marks without a width; a byte that is no UTF-8 is something."""
    assert is_blank(text) is blank


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a b/c", "/a b/c"),
        ('"/a b/c"', "/a b/c"),
        ("'/a b/c'", "/a b/c"),
        ("\u201c/a b/c\u201d", "/a b/c"),
        ("file:///a%20b/c", "/a b/c"),
        ("FILE://LOCALHOST/c", "/c"),
        ("~/c", "HOME/c"),
        ('"~/c"', "HOME/c"),
        ('"', '"'),
        ("\"/a'", "\"/a'"),
        ("-", "-"),
        ("./-", "HERE/-"),
    ],
)
def test_a_path_is_read_as_it_was_meant(text: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the quotes of a script, below the home, out of an address; only a bare hyphen is a stream."""
    monkeypatch.chdir(tmp_path)
    assert path_given(text) == Path(path.replace("HOME", str(Path.home())).replace("HERE", str(tmp_path)))


def test_a_file_on_another_machine_is_not_taken_for_one_here(tmp_path: Path) -> None:
    """Though one of that path may lie here."""
    with pytest.raises(UsageError, match="names a file on the machine 'elsewhere'"):
        path_given(f"file://elsewhere{tmp_path}")


def test_a_file_whose_name_has_quotes_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What exists as it stands is meant; the home of nobody is an error of the user's."""
    monkeypatch.chdir(tmp_path)
    for name in ("'x'", "~x"):
        Path(name).touch()
        assert path_given(name) == Path(name)
    with pytest.raises(UsageError, match="names the home of nobody"):
        path_given("~no.such.user/x")


@pytest.mark.parametrize("value", ["", " ", "\u00a0"])
def test_a_blank_cache_variable_is_no_folder(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script with an unset variable is told; unset, the variable means the user's own cache."""
    monkeypatch.setenv("IGSEARCH_CACHE_DIR", value)
    with pytest.raises(UsageError, match="IGSEARCH_CACHE_DIR is empty: set it to a folder, or unset it"):
        cache_root()
    assert cache_root(Path("x")) == Path("x")
    monkeypatch.setenv("IGSEARCH_CACHE_DIR", '"~/a b"')
    assert cache_root() == Path.home() / "a b"
    monkeypatch.delenv("IGSEARCH_CACHE_DIR")
    assert cache_root().name == "igsearch"
