"""Folders that instaloader downloaded profiles into; tests/e2e walks one that the real instaloader writes."""

from __future__ import annotations

import json
import lzma
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from igsearch.errors import SourceError
from igsearch.records import Photo
from igsearch.sources import instaloader_folder
from igsearch.sources.instaloader_folder import InstaloaderFolder, is_instaloader_folder

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
    """All photos of a folder."""
    return list(InstaloaderFolder(folder).photos())


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
    source = InstaloaderFolder(tmp_path)
    assert source.newest_first
    first, second, third = source.photos()
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
    source = InstaloaderFolder(tmp_path)
    assert [photo.id for photo in source.photos()] == ["CMay"]
    assert source.newest_first
    assert not caplog.records


def test_names_of_ones_own_are_matched_by_what_comes_before_the_suffix(tmp_path: Path) -> None:
    """With --filename-pattern={shortcode} names tell no time, so the order is theirs and no promise is made; an underscore may belong to the name."""
    folder = tmp_path / "2020"
    write(folder, "CB_1.jpg", "CA_1.jpg", "CA_2.jpg", "cover.jpg")
    write_json(folder / "CB_1.json", wrapped(node("CB_1")))
    write_json(folder / "CA.json", wrapped(node("CA", 2)))
    assert not InstaloaderFolder(tmp_path).newest_first
    assert names(tmp_path) == [("CA_1", "CA_1.jpg"), ("CA_2", "CA_2.jpg"), ("CB_1", "CB_1.jpg")]


def test_without_json_time_and_text_come_from_the_names(tmp_path: Path) -> None:
    """The folder of --no-metadata-json is read all the same; other pictures in it are not instaloader's."""
    write(tmp_path, f"{MAY}.jpg", f"{JUNE}_1.jpg", f"{JUNE}_2.jpg", f"{JUNE}_2.mp4", "screenshot.jpg")
    (tmp_path / f"{JUNE}.txt").write_text("At the #Sea\n", encoding="utf-8")
    june = Photo(
        f"{JUNE}_1", path=tmp_path / f"{JUNE}_1.jpg", n_slides=2, taken_at=datetime(2021, 6, 1, 12, tzinfo=UTC), post_text="At the #Sea", hashtags=("sea",)
    )
    assert photos(tmp_path) == [
        june,
        replace(june, id=f"{JUNE}_2", path=tmp_path / f"{JUNE}_2.jpg", slide=2, is_video=True),
        Photo(id=MAY, path=tmp_path / f"{MAY}.jpg", taken_at=datetime(2020, 5, 1, 12, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xfd7zXZ\0broken", lzma.compress(b"{"), lzma.compress(b"[" * 100_000), lzma.compress(b"\xff\xfe")],
    ids=["empty", "no-xz", "cut", "deep", "no-text"],
)
def test_a_damaged_json_file_costs_only_its_words(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The pictures beside it are indexed, and the log names the file."""
    write(tmp_path, f"{MAY}.jpg")
    (tmp_path / f"{MAY}.json.xz").write_bytes(content)
    assert names(tmp_path) == [(MAY, f"{MAY}.jpg")]
    assert f"{MAY}.json.xz" in caplog.text


def test_a_json_file_that_unpacks_without_end_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A few packed bytes may stand for gigabytes."""
    monkeypatch.setattr(instaloader_folder, "MAX_JSON_BYTES", 10_000)
    write(tmp_path, f"{MAY}.jpg")
    (tmp_path / f"{MAY}.json.xz").write_bytes(lzma.compress(b" " * 20_000_000 + b"{}"))
    tracemalloc.start()
    assert names(tmp_path) == [(MAY, f"{MAY}.jpg")]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15_000_000, "the unpacker's own window takes 8 MB"
    assert "longer than 10000 bytes" in caplog.text


def test_a_post_that_was_downloaded_twice_is_one_photo(tmp_path: Path) -> None:
    """Instaloader keeps a post of a tag also in the tag's folder."""
    for folder in ("natgeo", "#wolves"):
        write(tmp_path / folder, f"{MAY}.jpg")
        write_json(tmp_path / folder / f"{MAY}.json", wrapped(node("CMay")))
    assert len(photos(tmp_path)) == 1


def test_a_folder_without_posts_is_an_error(tmp_path: Path) -> None:
    """It names the folder that is wanted."""
    with pytest.raises(SourceError, match="holds no picture of a post"):
        photos(tmp_path)


@pytest.mark.parametrize(
    ("files", "documents", "expected"),
    [
        pytest.param([f"{MAY}.jpg"], {}, True, id="names"),
        pytest.param(["a.jpg"], {"a__json": wrapped(node("CA"))}, True, id="json"),
        pytest.param([], {"a__json__xz": node("CA")}, True, id="json-alone"),
        pytest.param(["a.jpg", "b.png"], {"package__json": {"name": "x"}}, False, id="pictures"),
        pytest.param([f"{MAY}_profile_pic.jpg"], {}, False, id="profile-picture"),
        pytest.param([], {}, False, id="empty"),
    ],
)
def test_recognition(tmp_path: Path, files: list[str], documents: dict[str, object], expected: bool) -> None:
    """By names with a time, or by what the JSON files hold."""
    assert is_instaloader_folder(write(tmp_path, *files, **documents)) is expected
