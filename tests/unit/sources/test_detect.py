"""Which source a path is."""

from __future__ import annotations

import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest

from igsearch.errors import SourceError
from igsearch.sources.detect import detect
from tests.fake_instagram import jpeg

EXPORT_PATHS = [
    "media.json",
    "content/posts_1.json",
    "your_instagram_activity/content/posts_1.json",
    "your_instagram_activity/media/posts_2.json",
    "instagram-me-2025-01-01-abcdefgh/your_instagram_activity/media/posts_1.json",
]
EXPORT_IDS = ["2018", "2021", "2023", "2025", "inside-a-folder"]


def put(root: Path, name: str, content: bytes = b"x") -> Path:
    """A file below `root`."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def archive(path: Path, *names: str) -> Path:
    """A ZIP file with members of these names."""
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "[]")
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


@pytest.mark.parametrize("name", EXPORT_PATHS, ids=EXPORT_IDS)
@pytest.mark.parametrize("packed", [True, False], ids=["zip", "unpacked"])
def test_instagrams_export_is_recognised(tmp_path: Path, name: str, packed: bool) -> None:
    """In every layout since 2018, packed and unpacked."""
    if packed:
        given = archive(tmp_path / "export.zip", name)
    else:
        put(tmp_path, name)
        put(tmp_path, "media/posts/202001/a.jpg")
        given = tmp_path
    with pytest.raises(SourceError, match="is Instagram's export of a profile, which this version does not read"):
        detect(str(given), "me")


def test_an_html_export_is_recognised(tmp_path: Path) -> None:
    """The commonest mistake in asking Instagram for one's data."""
    given = archive(tmp_path / "export.zip", "your_instagram_activity/media/posts_1.html", "media/posts/202001/a.jpg")
    with pytest.raises(SourceError, match="is Instagram's export in HTML"):
        detect(str(given), "me")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(b'{"GraphImages": [{"id": "1"}]}', "instagram-scraper", id="instagram-scraper"),
        pytest.param(b'[{"id": "1", "url": "https://cdn/1.jpg"}]', "a list of photo addresses in JSON", id="addresses"),
        pytest.param(b'\xef\xbb\xbf [{"id": "1", "url": "u", "caption": "c"}]', "a list of captioned photos", id="captions"),
        pytest.param(b'{"natgeo": [{"url": "u", "caption": "c", "yolo_objects": ""}]}', "a database of captioned photos", id="database"),
        pytest.param(b'{"node": {"shortcode": "CA"}}', "a single post", id="post"),
        pytest.param(b"[1, 2]", "a JSON file", id="other-json"),
        pytest.param(jpeg(), "a single picture", id="picture"),
        pytest.param(b"PK\3\4broken", "a damaged ZIP file", id="damaged-zip"),
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
    with pytest.raises(SourceError, match="is a ZIP file"):
        detect(str(archive(tmp_path / "x.zip", "ads/posts_viewed.json", "a.jpg")), "me")


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
