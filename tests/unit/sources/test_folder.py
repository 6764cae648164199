"""A plain folder of pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from igsearch.errors import SourceError
from igsearch.records import Photo, Unread
from igsearch.sources.detect import detect
from igsearch.sources.folder import Folder
from tests.fake_instagram import jpeg


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
    assert isinstance(photo, Photo)
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
    assert isinstance(photo, Photo)
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
        pytest.param(
            [".a.jpg", "@eaDir/b.jpg"], r"among its 0 files: .*; passed over hidden pictures \(1\), folders of trash or thumbnails \(1\)$", id="passed-over"
        ),
        pytest.param(["a.cr2", "b.svg", "c.doc"], r"raw and vector pictures \(2\)", id="raw"),
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


def test_a_locked_subfolder_is_unread(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is indexed; it may hide photos, so that those that were known cannot be called gone."""
    scandir = os.scandir

    def refusing(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        # Simulated: root, as which tests run in containers, may read everything.
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    unread, *photos = Folder(locked.parent).photos()
    assert unread == Unread("locked", "folder 'locked' cannot be read (Permission denied): check that you may read it", hides=True)
    assert [photo.id for photo in photos] == ["a/1.jpg", "z/3.jpg"]
    with pytest.raises(SourceError, match="Permission denied"):
        ids(locked)


def test_a_folder_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kind and place are the same from wherever it is named."""
    fill(tmp_path, "sub/a.jpg")
    monkeypatch.chdir(tmp_path)
    source = Folder(Path("sub"))
    assert (source.kind, source.root, source.name, source.newest_first, source.n_expected) == ("folder", str(tmp_path / "sub"), "folder of pictures", False, 1)


def test_each_walk_looks_anew(tmp_path: Path) -> None:
    """What came in between is met, and counts are not added up."""
    fill(tmp_path, "a.jpg", "a.mov")
    source = Folder(tmp_path)
    fill(tmp_path, "b.jpg", "b.mp4", "c.mp4")
    assert [found.id for found in source.photos()] == ["a.jpg", "b.jpg"]
    fill(tmp_path, "d.jpg")
    assert [found.id for found in source.photos()] == ["a.jpg", "b.jpg", "d.jpg"]
    assert source.left_out == {"videos without a cover": 1}


def test_a_plain_folder_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From recognising it to the last picture, with its name and the number of pictures asked for on the way; no picture is opened."""
    fill(tmp_path, "a/1.jpg", "b/2.jpg", "c/d/3.png")
    asked, scandir = list[Path](), os.scandir

    def noted(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        asked.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("a file was opened"))
    source = detect(str(tmp_path), "me")
    assert (source.name, source.n_expected) == ("folder of pictures", 3)
    assert len(list(source.photos())) == 3
    assert (source.name, source.n_expected) == ("folder of pictures", 3)
    assert sorted(asked) == sorted([tmp_path, tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "c" / "d"])


POST = {"node": {"shortcode": "CPost", "display_url": "https://cdn/far.jpg", "taken_at_timestamp": 1_588_334_400}, "instaloader": {"node_type": "Post"}}
OF_GALLERY_DL = {"category": "instagram", "media_id": "31415926535", "post_shortcode": "CGallery", "display_url": "https://cdn/g.jpg", "likes": 7}
OF_SCRAPER = {"GraphImages": [{"id": "12345", "shortcode": "CScraped", "display_url": "https://cdn/77_n.jpg"}]}


@pytest.mark.parametrize("depth", ["", "one/", "one/two/three/"], ids=["beside", "below", "deep-below"])
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"2020-05-01_12-00-00_UTC.jpg": None}, {"{}2020-05-01_12-00-00_UTC"}, id="a-name-of-instaloaders"),
        pytest.param({"x.jpg": None, "x.json": POST}, {"CPost"}, id="a-post"),
        pytest.param({"y.json": POST}, {"CPost"}, id="a-post-without-picture"),
        pytest.param({"code.json": {"code": "abc", "message": "not a post"}}, set(), id="a-key-code"),
        pytest.param({"x.jpg": None, "x.jpg.json": OF_GALLERY_DL}, {"CGallery"}, id="gallery-dl"),
        pytest.param({"77_n.jpg": None, "natgeo.json": OF_SCRAPER}, {"CScraped"}, id="instagram-scraper"),
        pytest.param({"natgeo.json": OF_SCRAPER, "z.json": OF_GALLERY_DL, "x.jpg": None, "x.json": POST}, {"CScraped", "CGallery", "CPost"}, id="all"),
        pytest.param({"media.json": {"photos": "no list of Instagram's"}}, set(), id="a-name-of-the-export"),
        pytest.param({"empty.zip": "PK"}, set(), id="a-zip"),
    ],
)
def test_a_mixed_folder_is_mixed(tmp_path: Path, depth: str, files: dict[str, object], expected: set[str]) -> None:
    """Whatever a downloader left in a folder of pictures, at any depth: every picture is indexed, each with what is known of it."""
    mine = [f"IMG_{number:04}.jpg" for number in range(50)]
    fill(tmp_path, *mine)
    for name, content in files.items():
        path = tmp_path / depth / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" if content is None else json.dumps(content))
    found = list(detect(str(tmp_path), "me").photos())
    assert sorted(one.id for one in found if isinstance(one, Photo)) == sorted([*mine, *(name.format(depth) for name in expected)])


def test_the_same_names_in_two_folders_are_two_pictures(tmp_path: Path) -> None:
    """A short name says little: it is joined to a post only beside its description."""
    fill(tmp_path, "natgeo/1.jpg", "holiday/1.jpg", "holiday/deep/far.jpg")
    (tmp_path / "natgeo" / "1.json").write_text(json.dumps(POST))
    assert ids(tmp_path) == ["CPost", "holiday/1.jpg", "holiday/deep/far.jpg"]


@pytest.mark.parametrize(
    ("description", "picture", "other"),
    [
        ("a.jpg.json", "a.jpeg", "b.jpg"),
        ("a.heic.json", "a.jpg", "A.txt.jpg"),
        ("a.JPG.json", "a.jpg", "a.jpg.jpg"),
        ("a.json", "A.JPG", "b"),
        ("Abc.JSON", "aBC.png", "abcd.png"),
        ("caf\u00e9.json", "cafe\u0301.jpg", "cafe.jpg"),
        ("cafe\u0301.webp.json", "CAF\u00c9.jpg", "cafe.webp"),
    ],
)
def test_a_picture_that_was_converted_or_copied_from_elsewhere_is_joined(tmp_path: Path, description: str, picture: str, other: str) -> None:
    """Its name differs from its description's in case, in the way of accents or in its kind; one that has the very name goes first."""
    fill(tmp_path, picture)
    (tmp_path / other).write_bytes(jpeg())
    (tmp_path / description).write_text(json.dumps(POST))
    assert ids(tmp_path) == ["CPost", other]
    exact = description.removesuffix(".json").removesuffix(".JSON")
    exact = exact if "." in exact else f"{exact}.jpg"
    fill(tmp_path, exact)
    assert {found.id: found.path for found in Folder(tmp_path).photos() if isinstance(found, Photo)}["CPost"] == tmp_path / exact


def test_two_files_of_a_picture_in_one_folder_are_both_indexed(tmp_path: Path) -> None:
    """They may differ; the second is a picture of its own, with what is known of the post."""
    fill(tmp_path, "a.jpg", "a.png")
    (tmp_path / "a.json").write_text(json.dumps(POST))
    first, second = Folder(tmp_path).photos()
    assert isinstance(second, Photo)
    assert (first.id, second.id, second.shortcode) == ("CPost", "a.png", None)
    assert second.taken_at == datetime(2020, 5, 1, 12, tzinfo=UTC)


def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    """A picture may be called as a post is."""
    (tmp_path / "CPost").write_bytes(jpeg())
    fill(tmp_path, "2020-05-01_12-00-00_UTC.jpg", "2020-05-01_12-00-00_UTC.webp", "deep/below/x.jpg")
    (tmp_path / "deep" / "below" / "x.json").write_text(json.dumps(POST))
    assert len(set(ids(tmp_path))) == 4


def test_pictures_that_are_listed_and_nowhere_are_counted(tmp_path: Path) -> None:
    """Neither file nor address: there is nothing to describe."""
    fill(tmp_path, "a.jpg")
    (tmp_path / "b.json").write_text(json.dumps({"shortcode": "CGone", "is_video": False}))
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["a.jpg"]
    assert source.left_out == {"listed pictures that are neither there nor at an address": 1}
