"""Which source a path is."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from igsearch.errors import SourceError, UsageError
from igsearch.records import Photo, Unread
from igsearch.sources.detect import detect
from tests.fake_instagram import jpeg
from tests.instagram_export import ERAS, export, unpacked, zipped


def put(root: Path, name: str, content: bytes = b"x") -> Path:
    """A file below `root`."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    """Whatever else lies in it, also JSON that is nobody's in particular."""
    put(tmp_path, "holiday/a.jpg")
    put(tmp_path, "package.json", b"{}")
    source = detect(str(tmp_path), "me")
    assert source.name == "folder of pictures"
    assert [photo.id for photo in source.photos()] == ["holiday/a.jpg"]


def test_a_folder_of_instaloader(tmp_path: Path) -> None:
    """Recognised by what the JSON files hold, in a subfolder too."""
    put(tmp_path, "2020/a.jpg")
    put(tmp_path, "2020/a.json.xz", lzma.compress(json.dumps({"node": {"shortcode": "CA"}, "instaloader": {"node_type": "Post"}}).encode()))
    source = detect(str(tmp_path), "natgeo")
    assert (source.kind, source.name, source.newest_first) == ("folder", "instaloader download folder", False)
    assert [photo.id for photo in source.photos()] == ["CA"]


@pytest.mark.parametrize("content", ["a.jpg\n", "\ufeff# mine\na.jpg\n", "", "{a}.jpg\n"[1:]], ids=["plain", "marked", "empty", "odd"])
def test_a_list(tmp_path: Path, content: str) -> None:
    """Any text that is nothing else."""
    path = put(tmp_path, "list", content.encode())
    assert detect(str(path), "me").name == "list of paths and addresses"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("https://example.org/a.jpg?x=1&y=2", "is an address: list it, as in echo 'https://example.org/a.jpg"),
        ("HTTP://example.org", "is an address"),
        ("https://www.instagram.com/natgeo/", "run igsearch index PROFILE to ask Instagram"),
        ("https://www.instagram.com/p/CD_ivppDsyP/", "is a post, not a picture"),
    ],
)
def test_an_address_is_no_path(given: str, says: str) -> None:
    """What to do with it is said."""
    with pytest.raises(SourceError, match=says):
        detect(given, "me")


def test_standard_input() -> None:
    """A single dash."""
    assert detect("-", "me").name == "list of paths and addresses on standard input"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_read_to_find_out(tmp_path: Path) -> None:
    """What is read from a pipe is gone, so it can only be a list: `--from <(ls *.jpg)`."""
    os.mkfifo(tmp_path / "pipe")
    assert detect(str(tmp_path / "pipe"), "me").name == "list of paths and addresses"


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "unpacked"])
@pytest.mark.parametrize("era", ERAS)
def test_instagrams_export(tmp_path: Path, era: str, packed: bool) -> None:
    """In every layout since 2018, packed and unpacked, before its folder is taken for one of pictures."""
    files = export(era, {"a.jpg": b"x"})
    given = zipped(tmp_path / "export.zip", files) if packed else unpacked(tmp_path, files)
    assert detect(str(given), "me").name == "Instagram's export"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(b'{"GraphImages": [{"id": "12345", "display_url": "https://e.org/1.jpg"}]}', "metadata of instagram-scraper", id="instagram-scraper"),
        pytest.param(b'[{"id": "1", "url": "https://e.org/1.jpg"}]', "list of photo addresses in JSON", id="addresses"),
        pytest.param(b'\xef\xbb\xbf [{"id": "1", "url": "https://e.org/1.jpg", "caption": "c"}]', "list of captioned photos", id="captions"),
        pytest.param(b'{"natgeo": [{"id": "1", "caption": "c", "yolo_objects": ""}]}', "database of captioned photos", id="database"),
        pytest.param(b'{"profile": "natgeo", "id": "a", "caption": "c"}\n', "list of captioned photos", id="exported"),
    ],
)
def test_json_that_lists_photos(tmp_path: Path, content: bytes, name: str) -> None:
    """Recognised by what it holds, under any name."""
    source = detect(str(put(tmp_path, "given", content)), "natgeo")
    assert source.name == name
    assert len(list(source.photos())) == 1


def test_a_folder_of_instagram_scraper(tmp_path: Path) -> None:
    """Pictures with the metadata among them, from which their posts are known."""
    put(tmp_path, "1_n.jpg")
    put(tmp_path, "natgeo.json", b'{"GraphImages": [{"id": "12345", "shortcode": "CA", "display_url": "https://e.org/1_n.jpg"}]}')
    source = detect(str(tmp_path), "natgeo")
    assert source.name == "metadata of instagram-scraper"
    [photo] = source.photos()
    assert isinstance(photo, Photo)
    assert (photo.shortcode, photo.path) == ("CA", tmp_path / "1_n.jpg")


def test_a_folder_of_gallery_dl(tmp_path: Path) -> None:
    """Its descriptions are no posts of instaloader, although they have a shortcode."""
    put(tmp_path, "natgeo/1.jpg")
    put(tmp_path, "natgeo/1.jpg.json", b'{"category": "instagram", "media_id": "1", "post_shortcode": "CA", "shortcode": "CA"}')
    source = detect(str(tmp_path), "natgeo")
    assert (source.kind, source.name) == ("folder", "gallery-dl download folder")
    assert [photo.id for photo in source.photos()] == ["CA"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(b'{"node": {"shortcode": "CA"}}', "a single post", id="post"),
        pytest.param(b'{"category": "instagram", "media_id": "1", "shortcode": "CA"}', "a single file by gallery-dl", id="gallery-dl"),
        pytest.param(b"[1, 2]", "a JSON file of another kind", id="other-json"),
        pytest.param(b"profile,id,caption,logprob\n", "a table for spreadsheets", id="csv"),
        pytest.param(jpeg(), "a single picture", id="picture"),
        pytest.param(b"\0\1\2", "a file of another kind", id="binary"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, what: str) -> None:
    """The message says what it is, and what would do, with the profile's name to copy."""
    path = put(tmp_path, "given", content)
    with pytest.raises(SourceError) as caught:
        detect(str(path), "natgeo")
    assert what in str(caught.value)
    assert "`igsearch index natgeo --from`" in str(caught.value)


def test_a_zip_of_something_else_is_named(tmp_path: Path) -> None:
    """It is not taken for an export."""
    with pytest.raises(SourceError, match="is a ZIP file of something else"):
        detect(str(zipped(tmp_path / "x.zip", {"ads/posts_viewed.json": b"[]", "a.jpg": b"x"})), "me")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param("missing", "No such file", id="missing"),
        pytest.param("x" * 5000, "too long", id="too-long"),
        pytest.param("a\0b", "null byte", id="no-path"),
        pytest.param("~nobody-of-that-name/x", "home directory", id="no-such-user"),
        pytest.param("'a b'", "No such file", id="quoted"),
    ],
)
def test_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, reason: str) -> None:
    """The path is repeated as it was given, with what is wrong with it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=f"cannot be read .*{reason}.*`igsearch index me --from`"):
        detect(given, "me")


def test_the_home_folder_may_be_written_short(own_home: Path) -> None:
    """A tilde in a quoted argument is not expanded by the shell."""
    put(own_home, "pictures/a.jpg")
    assert [photo.id for photo in detect("~/pictures", "me").photos()] == ["a.jpg"]


@pytest.mark.parametrize("given", ["", " ", "\n"])
def test_nothing_given_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """A script with an unset variable does this: the current folder is not meant."""
    put(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="--from is empty"):
        detect(given, "me")


def test_a_path_may_be_quoted_and_in_another_unicode_form(own_home: Path) -> None:
    """As it comes out of a file manager, a script or a Mac."""
    put(own_home, "Urlaub im Ma\u0308rz/a.jpg")
    assert [photo.id for photo in detect("'~/Urlaub im M\xe4rz'", "me").photos()] == ["a.jpg"]


POST = json.dumps({"node": {"shortcode": "CPost", "display_url": "https://cdn/x.jpg"}, "instaloader": {"node_type": "Post"}}).encode()
OTHERS = {
    "pictures": {"holiday/1.jpg": b"x", "IMG_2.jpg": b"x"},
    "instaloader": {"natgeo/2020-05-01_12-00-00_UTC.jpg": b"x", "natgeo/p.jpg": b"x", "natgeo/p.json": POST},
    "post-alone": {"p.json": POST},
    "names-alike": {"media/holiday/1.jpg": b"x", "photos/1.jpg": b"x", "mine/media/posts/2.jpg": b"x", "messages/3.jpg": b"x"},
}
IDS_OF_OTHERS = {
    "pictures": {"holiday/1.jpg", "IMG_2.jpg"},
    "instaloader": {"natgeo/2020-05-01_12-00-00_UTC", "CPost"},
    "post-alone": {"CPost"},
    "names-alike": {"media/holiday/1.jpg", "photos/1.jpg", "mine/media/posts/2.jpg", "messages/3.jpg"},
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("place", ["", "backup/instagram-me-2026-01-02-abc/", "export.zip"], ids=["same-folder", "below", "zip"])
@pytest.mark.parametrize("others", OTHERS)
def test_an_export_among_other_things_is_one_of_them(tmp_path: Path, era: str, place: str, others: str) -> None:
    """Its posts are indexed under the ids that they have in the export alone, its messages are not, and all else is indexed too."""
    private = {"your_instagram_activity/messages/inbox/x/photos/1.jpg": b"x", "messages/inbox/x/photos/2.jpg": b"x"} if era != "2018" else {}
    files = export(era, {"a.jpg": b"x", "b.jpg": b"x"}) | private
    alone = {photo.id for photo in detect(str(zipped(tmp_path / "alone.zip", files)), "me").photos()}
    given = tmp_path / "given"
    given.mkdir()
    zipped(given / place, files) if place.endswith(".zip") else unpacked(given / place, files)
    assert detect(str(given), "me").name == "Instagram's export"
    unpacked(given, OTHERS[others])
    source = detect(str(given), "me")
    assert (source.kind, source.name) == ("folder", "folder of pictures and downloads")
    for _ in range(2):
        assert {photo.id for photo in source.photos()} == alone | IDS_OF_OTHERS[others]
        n_private = 1 if era == "2018" else 2
        assert source.left_out["pictures in an export that are none of its posts"] == n_private


def test_parts_of_an_export_without_the_list_belong_to_it(tmp_path: Path) -> None:
    """Their pictures are listed in another part, or are messages."""
    files = {f"part1/{name}": data for name, data in export("2025", {"a.jpg": b"x"}).items()}
    unpacked(tmp_path, files | {"part2/media/posts/202405/z.jpg": b"x", "part2/your_instagram_activity/messages/inbox/x/1.jpg": b"x", "mine/1.jpg": b"x"})
    assert {photo.id for photo in detect(str(tmp_path), "me").photos()} == {"media/posts/202405/a.jpg", "mine/1.jpg"}


def test_an_export_in_html_costs_no_other_picture(tmp_path: Path) -> None:
    """It is unread, with what to do; alone it is an error."""
    unpacked(tmp_path / "export", {"your_instagram_activity/media/posts_1.html": b"<html>", "media/posts/202405/a.jpg": b"x"})
    with pytest.raises(SourceError, match="in HTML"):
        detect(str(tmp_path), "me")
    put(tmp_path, "holiday/1.jpg")
    unread, photo = detect(str(tmp_path), "me").photos()
    assert isinstance(unread, Unread)
    assert ("in HTML" in unread.reason, photo.id) == (True, "holiday/1.jpg")


def test_exports_of_two_accounts_cost_no_other_picture(tmp_path: Path) -> None:
    """They cannot be told apart, and are unread."""
    for account in ("me", "you"):
        unpacked(tmp_path / f"instagram-{account}-2026-01-02-abc", export("2025", {"a.jpg": b"x"}))
    put(tmp_path, "holiday/1.jpg")
    unread, photo = detect(str(tmp_path), "me").photos()
    assert isinstance(unread, Unread)
    assert ("several accounts" in unread.reason, photo.id) == (True, "holiday/1.jpg")


def test_a_damaged_zip_may_hide_photos(tmp_path: Path) -> None:
    """So nothing that is not met can be called gone; a sound one that is no export is left out and counted."""
    put(tmp_path, "a.jpg")
    put(tmp_path, "deep/part2.zip", b"PK\3\4 and no more")
    zipped(tmp_path / "album.zip", {"b.jpg": b"x"})
    source = detect(str(tmp_path), "me")
    unread, photo = source.photos()
    assert isinstance(unread, Unread)
    assert (unread.id, unread.hides, photo.id) == ("deep/part2.zip", True, "a.jpg")
    assert source.left_out == {"ZIP files that are no export of Instagram's": 1}


def test_include_is_refused_for_a_folder_without_an_export(tmp_path: Path) -> None:
    """Nothing there has stories."""
    put(tmp_path, "a.jpg")
    with pytest.raises(UsageError, match="--include goes with"):
        detect(str(tmp_path), "me", include="stories")
