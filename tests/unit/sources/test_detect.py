"""Which source a path is."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from igsearch.errors import SourceError
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
    assert source.name == "instaloader download folder"
    assert [photo.shortcode for photo in source.photos()] == ["CA"]


@pytest.mark.parametrize("content", ["a.jpg\n", "\ufeff# mine\na.jpg\n", "", "{a}.jpg\n"[1:]], ids=["plain", "marked", "empty", "odd"])
def test_a_list(tmp_path: Path, content: str) -> None:
    """Any text that is nothing else."""
    path = put(tmp_path, "list", content.encode())
    assert detect(str(path), "me").name == "list of paths and addresses"


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
    assert [(photo.shortcode, photo.path) for photo in source.photos()] == [("CA", tmp_path / "1_n.jpg")]


def test_a_folder_of_gallery_dl(tmp_path: Path) -> None:
    """Its descriptions are no posts of instaloader, although they have a shortcode."""
    put(tmp_path, "natgeo/1.jpg")
    put(tmp_path, "natgeo/1.jpg.json", b'{"category": "instagram", "media_id": "1", "post_shortcode": "CA", "shortcode": "CA"}')
    source = detect(str(tmp_path), "natgeo")
    assert source.name == "gallery-dl download folder"
    assert [photo.shortcode for photo in source.photos()] == ["CA"]


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
