"""Folders that instaloader downloaded profiles into; tests/e2e walks one that the real instaloader writes."""

from __future__ import annotations

import json
import lzma
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from igsearch.records import Photo, Unread
from igsearch.sources import descriptions
from igsearch.sources.folder import Folder

MAY, JUNE, JULY = "2020-05-01_12-00-00_UTC", "2021-06-01_12-00-00_UTC", "2022-07-01_12-00-00_UTC"


def node(shortcode: str, n_slides: int = 1, **more: object) -> dict[str, object]:
    """A post as GraphQL tells it."""
    slides = [{"node": {"display_url": f"https://cdn/{shortcode}_{i}.jpg"}} for i in range(1, n_slides + 1)]
    carousel = {"edge_sidecar_to_children": {"edges": slides}} if n_slides > 1 else {}
    return {"shortcode": shortcode, "display_url": f"https://cdn/{shortcode}.jpg", "taken_at_timestamp": 1_588_334_400, **carousel, **more}


def wrapped(of: dict[str, object], node_type: str = "Post") -> dict[str, object]:
    """What instaloader writes into a JSON file."""
    return {"node": of, "instaloader": {"version": "4.16", "node_type": node_type}}


def write(folder: Path, *names: str, **documents: object) -> Path:
    """Put empty files and JSON files into a folder. In the names of the latter, `__` stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    for name, document in documents.items():
        write_json(folder / name.replace("__", "."), document)
    return folder


def write_json(path: Path, document: object) -> None:
    """Write a document, packed if the name says so."""
    data = json.dumps(document).encode()
    path.write_bytes(lzma.compress(data) if path.suffix == ".xz" else data)


def photos(folder: Path) -> list[Photo]:
    """All photos of a folder, of which nothing is unread."""
    found = list(Folder(folder).photos())
    assert all(isinstance(one, Photo) for one in found)
    return [one for one in found if isinstance(one, Photo)]


def names(folder: Path) -> list[tuple[str, str]]:
    """Ids, with the file's name or the address."""
    return [(photo.id, photo.path.name if photo.path else str(photo.url)) for photo in photos(folder)]


@pytest.mark.parametrize("suffix", [".json.xz", ".json"])
@pytest.mark.parametrize("bare", [False, True], ids=["with-header", "version-3"])
def test_posts_come_from_the_json_and_pictures_from_the_files(tmp_path: Path, suffix: str, bare: bool) -> None:
    """Packed or not, with instaloader's header or without, newest first by name."""
    write(tmp_path, f"{MAY}.jpg", f"{JUNE}_1.jpg", f"{JUNE}_2.webp", f"{JUNE}.txt")
    for name, post in ((MAY, node("CMay", accessibility_caption="a cat")), (JUNE, node("CJune", 2))):
        write_json(tmp_path / f"{name}{suffix}", post if bare else wrapped(post))
    assert (Folder(tmp_path).name, Folder(tmp_path).newest_first) == ("instaloader download folder", False)
    first, second, third = photos(tmp_path)
    assert [(p.id, p.path) for p in (first, second)] == [("CJune_1", tmp_path / f"{JUNE}_1.jpg"), ("CJune_2", tmp_path / f"{JUNE}_2.webp")]
    assert third == Photo(id="CMay", path=tmp_path / f"{MAY}.jpg", shortcode="CMay", taken_at=datetime(2020, 5, 1, 12, tzinfo=UTC), alt_text="a cat")


def test_pictures_that_were_not_downloaded_keep_their_address(tmp_path: Path) -> None:
    """With --no-pictures, or for a video without a cover, the address is all there is."""
    write(tmp_path, f"{MAY}_1.mp4", f"{MAY}_2.jpg")
    write_json(tmp_path / f"{MAY}.json.xz", wrapped(node("CMay", 3)))
    assert names(tmp_path) == [("CMay_1", "https://cdn/CMay_1.jpg"), ("CMay_2", f"{MAY}_2.jpg"), ("CMay_3", "https://cdn/CMay_3.jpg")]


def test_other_json_files_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The profile, stories, comments and the place where a download stopped are no posts, and the profile's picture is none of them."""
    write(tmp_path, f"{MAY}.jpg", f"{JUNE}_profile_pic.jpg", "id", f"{MAY}_location.txt")
    write_json(tmp_path / f"{MAY}.json.xz", wrapped(node("CMay")))
    write_json(tmp_path / "natgeo_787132.json.xz", wrapped({"id": "787132", "username": "natgeo"}, "Profile"))
    write_json(tmp_path / f"{JULY}.json.xz", wrapped(node("CStory"), "StoryItem"))
    write_json(tmp_path / "iterator_x1Y2z3.json.xz", wrapped(node("CNo"), "FrozenNodeIterator"))
    (tmp_path / f"{MAY}_comments.json").write_text("[ damaged, but nobody looks", encoding="utf-8")
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["CMay"]
    assert source.left_out == {"profile pictures": 1, "files that are no pictures": 2}, "`id` and the place's text"
    assert not caplog.records


def test_names_of_ones_own_are_matched_by_what_comes_before_the_suffix(tmp_path: Path) -> None:
    """With --filename-pattern={shortcode} names tell no time; an underscore may belong to the name. What is no post's is a picture all the same."""
    folder = tmp_path / "2020"
    write(folder, "CB_1.jpg", "CA_1.jpg", "CA_2.jpg", "cover.jpg")
    write_json(folder / "CB_1.json", wrapped(node("CB_1")))
    write_json(folder / "CA.json", wrapped(node("CA", 2)))
    assert names(tmp_path) == [("CA_1", "CA_1.jpg"), ("CA_2", "CA_2.jpg"), ("CB_1", "CB_1.jpg"), ("2020/cover.jpg", "cover.jpg")]


def test_without_json_time_and_text_come_from_the_names(tmp_path: Path) -> None:
    """The folder of --no-metadata-json is read all the same; other pictures in it are pictures."""
    write(tmp_path, f"{MAY}.jpg", f"{JUNE}_1.jpg", f"{JUNE}_2.jpg", f"{JUNE}_2.mp4", "screenshot.jpg")
    (tmp_path / f"{JUNE}.txt").write_text("At the #Sea\n", encoding="utf-8")
    june = Photo(
        f"{JUNE}_1", path=tmp_path / f"{JUNE}_1.jpg", n_slides=2, taken_at=datetime(2021, 6, 1, 12, tzinfo=UTC), post_text="At the #Sea", hashtags=("sea",)
    )
    assert photos(tmp_path) == [
        june,
        replace(june, id=f"{JUNE}_2", path=tmp_path / f"{JUNE}_2.jpg", slide=2, is_video=True),
        Photo(id=MAY, path=tmp_path / f"{MAY}.jpg", taken_at=datetime(2020, 5, 1, 12, tzinfo=UTC)),
        Photo(id="screenshot.jpg", path=tmp_path / "screenshot.jpg"),
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xfd7zXZ\0broken", lzma.compress(b"{"), lzma.compress(b"[" * 100_000), lzma.compress(b"\xff\xfe")],
    ids=["empty", "no-xz", "cut", "deep", "no-text"],
)
def test_a_damaged_json_file_costs_only_its_words(tmp_path: Path, content: bytes) -> None:
    """The pictures beside it are indexed, and it is counted; alone it is named as unread, since its photo is lost."""
    write(tmp_path, f"{MAY}.jpg")
    (tmp_path / f"{MAY}.json.xz").write_bytes(content)
    (tmp_path / f"{JUNE}.json.xz").write_bytes(content)
    source = Folder(tmp_path)
    unread, photo = source.photos()
    assert (photo.id, source.left_out) == (MAY, {"damaged descriptions of pictures": 1})
    assert isinstance(unread, Unread)
    assert (unread.id, unread.hides) == (f"{JUNE}.json.xz", False)
    assert repr(f"{JUNE}.json.xz") in unread.reason


def test_a_json_file_that_unpacks_without_end_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few packed bytes may stand for gigabytes."""
    monkeypatch.setattr(descriptions, "MAX_UNPACKED_BYTES", 10_000)
    (tmp_path / f"{MAY}.json.xz").write_bytes(lzma.compress(b" " * 20_000_000 + b"{}"))
    tracemalloc.start()
    [unread] = Folder(tmp_path).photos()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15_000_000, "the unpacker's own window takes 8 MB"
    assert isinstance(unread, Unread)
    assert "longer than 10000 bytes" in unread.reason


def test_a_post_that_was_downloaded_twice_is_one_photo(tmp_path: Path) -> None:
    """Instaloader keeps a post of a tag also in the tag's folder."""
    for folder in ("natgeo", "#wolves"):
        write(tmp_path / folder, f"{MAY}.jpg")
        write_json(tmp_path / folder / f"{MAY}.json", wrapped(node("CMay")))
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["CMay"]
    assert source.left_out == {"further copies of a photo": 1}


def test_names_may_be_those_of_the_addresses(tmp_path: Path) -> None:
    """With --filename-pattern={filename} each slide is called as its address ends, and the JSON as the first one."""
    write(tmp_path, "CMay_1.jpg", "CMay_2.webp", "CMay_4.jpg", CMay_1__json__xz=wrapped(node("CMay", 4)))
    assert names(tmp_path) == [("CMay_1", "CMay_1.jpg"), ("CMay_2", "CMay_2.webp"), ("CMay_3", "https://cdn/CMay_3.jpg"), ("CMay_4", "CMay_4.jpg")]


def test_addresses_with_nothing_in_common_are_slides_of_their_post(tmp_path: Path) -> None:
    """Neither number nor shortcode tells which slide it is: the address does, also far from the JSON file."""
    slides = [{"node": {"display_url": f"https://scontent.cdninstagram.com/v/t51/{name}_n.jpg?oe=0"}} for name in ("12345_67", "89_10111213", "1415_1617181")]
    write(tmp_path, "12345_67_n.jpg", **{"12345_67_n__json": wrapped(node("CMay") | {"edge_sidecar_to_children": {"edges": slides}})})
    write(tmp_path / "elsewhere" / "deep", "1415_1617181_n.jpg", "89_10111213_n.jpg")
    assert names(tmp_path) == [("CMay_1", "12345_67_n.jpg"), ("CMay_2", "89_10111213_n.jpg"), ("CMay_3", "1415_1617181_n.jpg")]


@pytest.mark.parametrize("name", ["2377771936383945871.jpg", "natgeo 2377771936383945871 x.jpg", "CD_ivppDsyP.jpg", "2020-08-17 CD_ivppDsyP.jpg"])
def test_pictures_that_were_renamed_are_found_by_shortcode_or_media_id(tmp_path: Path, name: str) -> None:
    """A local picture beats the address."""
    write(tmp_path, name, post__json=wrapped(node("CD_ivppDsyP", id="2377771936383945871_787132")))
    assert names(tmp_path) == [("CD_ivppDsyP", name)]


def test_names_of_versions_2_and_3_tell_time_and_text(tmp_path: Path) -> None:
    """Without `_UTC`, with the text or the bare description beside them; the ids of a folder without JSON stay what they were."""
    old = MAY.removesuffix("_UTC")
    write(tmp_path, f"{old}.jpg", "2017-02-03_04-05-06_1.jpg", "2017-02-03_04-05-06_2.jpg")
    (tmp_path / f"{old}.txt").write_text("At the #sea", encoding="utf-8")
    write_json(tmp_path / "2017-02-03_04-05-06.json", node("COld", 2, taken_at_timestamp=1_486_094_706))
    first, second, third = photos(tmp_path)
    assert first == Photo(f"{old}.jpg", path=tmp_path / f"{old}.jpg", taken_at=datetime(2020, 5, 1, 12, tzinfo=UTC), post_text="At the #sea", hashtags=("sea",))
    assert [(one.id, one.path, one.taken_at) for one in (second, third)] == [
        (f"COld_{slide}", tmp_path / f"2017-02-03_04-05-06_{slide}.jpg", datetime(2017, 2, 3, 4, 5, 6, tzinfo=UTC)) for slide in (1, 2)
    ]


def test_a_story_is_a_picture_with_a_time(tmp_path: Path) -> None:
    """Its shortcode leads nowhere, so its id is the path, as without the description."""
    write(tmp_path, "story.jpg", f"{MAY}.jpg", story__json=wrapped(node("CStory"), "StoryItem"))
    write_json(tmp_path / f"{MAY}.json.xz", wrapped(node("CStory"), "StoryItem"))
    assert {(one.id, one.shortcode, one.taken_at) for one in photos(tmp_path)} == {
        (identity, None, datetime(2020, 5, 1, 12, tzinfo=UTC)) for identity in (MAY, "story.jpg")
    }


@pytest.mark.parametrize("document", [{"code": "CMay"}, {"shortcode": "CMay", "name": "x"}, {"node": {"shortcode": "CMay"}}, {"code": 7, "display_url": "x"}])
def test_json_of_others_is_no_post(tmp_path: Path, document: dict[str, object]) -> None:
    """A key `code` does not make a post of a file."""
    write(tmp_path, "a.jpg", "b.jpg", a__json=document)
    assert names(tmp_path) == [("a.jpg", "a.jpg"), ("b.jpg", "b.jpg")]


@pytest.mark.parametrize("wrong", [None, [], "x", 7, {"node_type": []}])
def test_a_header_of_another_type_is_no_post(tmp_path: Path, wrong: object) -> None:
    """Nothing about a value's type is taken for granted."""
    write(tmp_path, "a.jpg", a__json={"instaloader": wrong, "node": node("CMay")})
    assert names(tmp_path) == [("a.jpg", "a.jpg")]


@pytest.mark.parametrize(
    ("files", "documents", "expected"),
    [
        pytest.param([f"{MAY}.jpg"], {}, True, id="names"),
        pytest.param(["a.jpg"], {"a__json": wrapped(node("CA"))}, True, id="json"),
        pytest.param([], {"a__json__xz": node("CA")}, True, id="json-alone"),
        pytest.param(["a.jpg", "b.png"], {"package__json": {"name": "x"}}, False, id="pictures"),
        pytest.param([f"{MAY}_profile_pic.jpg"], {}, False, id="profile-picture"),
        pytest.param([f"{MAY}.jpg", "a.jpg"], {}, False, id="mixed"),
        pytest.param(["2020-05-01_12-00-00.jpg"], {}, False, id="a-camera"),
        pytest.param(["2020-05-01_12-00-00.jpg", "2020-05-01_12-00-00.txt"], {}, True, id="version-3"),
    ],
)
def test_recognition(tmp_path: Path, files: list[str], documents: dict[str, object], expected: bool) -> None:
    """By names with a time, or by what the JSON files hold."""
    source = Folder(write(tmp_path, *files, **documents))
    assert (source.name == "instaloader download folder") is expected
    assert source.n_expected == len(list(source.photos()))
