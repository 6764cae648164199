"""What gallery-dl downloads with --write-metadata, with the names that its extractor for Instagram gives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import SourceError
from igsearch.records import Photo, Unread
from igsearch.sources.folder import Folder
from tests.fake_instagram import jpeg

POST: dict[str, Any] = {
    "category": "instagram", "subcategory": "posts", "post_id": "2377771936383945871", "post_shortcode": "CD_ivppDsyP",
    "post_url": "https://www.instagram.com/p/CD_ivppDsyP/", "likes": 42, "liked": False, "pinned": [], "description": "A storm #Weather #Sky",
    "tags": ["#Sky", "#Weather"], "location_name": "Nebraska", "owner_id": "787132", "username": "natgeo", "fullname": "National Geographic",
    "date": "2020-08-17 16:00:32", "post_date": "2020-08-17 16:00:32", "type": "post", "count": 1, "num": 1, "media_id": "2377771936383945871",
    "shortcode": "CD_ivppDsyP", "display_url": "https://scontent.cdninstagram.com/v/117_n.jpg?oe=5F64E20E", "video_url": None, "extension": "jpg",
}  # fmt: skip
SIDECAR: dict[str, Any] = {"sidecar_media_id": "2377771936383945872", "sidecar_shortcode": "SIDECAR", "post_shortcode": "SIDECAR", "count": 2}


def put(root: Path, name: str, *, picture: bool = True, **changes: object) -> None:
    """A downloaded file and what gallery-dl says of it."""
    root.mkdir(exist_ok=True)
    (root / name).write_bytes(jpeg() if picture else b"video")
    (root / f"{name}.json").write_text(json.dumps(POST | {"media_id": name.partition(".")[0]} | changes, indent=4, ensure_ascii=True))


def photos(root: Path) -> list[Photo]:
    """All photos of a folder, of which nothing is unread."""
    found = list(Folder(root).photos())
    assert all(isinstance(one, Photo) for one in found)
    return [one for one in found if isinstance(one, Photo)]


def test_a_picture_tells_its_post(tmp_path: Path) -> None:
    """Everything that is said of it."""
    put(tmp_path / "natgeo", "2377771936383945871.jpg")
    assert photos(tmp_path) == [
        Photo(
            "CD_ivppDsyP", path=tmp_path / "natgeo" / "2377771936383945871.jpg", shortcode="CD_ivppDsyP", taken_at=datetime(2020, 8, 17, 16, 0, 32, tzinfo=UTC),
            likes=42, post_text="A storm #Weather #Sky", location="Nebraska", hashtags=("weather", "sky"),
        )
    ]  # fmt: skip


def test_slides_videos_stories_and_sounds(tmp_path: Path) -> None:
    """Slides keep their place; a video is its cover, downloaded or not; a story has no post; a sound is no photo; a picture without description is one."""
    put(tmp_path, "10_11.jpg", **SIDECAR, num=1)
    put(tmp_path, "10_12.jpg", **SIDECAR, num=2)
    put(tmp_path, "20.mp4", picture=False, post_shortcode="VIDEO", video_url="https://scontent.cdninstagram.com/v.mp4", type="reel")
    put(tmp_path, "30.mp4", picture=False, post_shortcode="COVERED", video_url="https://scontent.cdninstagram.com/v.mp4", type="reel")
    put(tmp_path, "30p.jpg", post_shortcode="COVERED", video_url="https://scontent.cdninstagram.com/v.mp4", type="reel")
    put(tmp_path, "40.jpg", post_shortcode="CD", type="story")
    put(tmp_path, "50.m4a", picture=False, post_shortcode="SONG", audio_url="https://scontent.cdninstagram.com/a.m4a")
    (tmp_path / "plain.jpg").write_bytes(jpeg())
    assert sorted((photo.id, photo.path.name if photo.path else photo.url, photo.slide, photo.n_slides, photo.is_video) for photo in photos(tmp_path)) == [
        ("40", "40.jpg", 1, 1, False),
        ("COVERED", "30p.jpg", 1, 1, True),
        ("SIDECAR_1", "10_11.jpg", 1, 2, False),
        ("SIDECAR_2", "10_12.jpg", 2, 2, False),
        ("VIDEO", POST["display_url"], 1, 1, True),
        ("plain.jpg", "plain.jpg", 1, 1, False),
    ]
    assert {photo.id: photo.permalink for photo in photos(tmp_path)}["40"] is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[" * 100_000, b"\xff", b"[]", b"7", b"{}", b" " * (2**20 + 1)], ids=lambda damage: repr(damage[:3]))
def test_a_damaged_description_costs_no_picture(tmp_path: Path, damage: bytes) -> None:
    """It is there as a picture of a folder is."""
    put(tmp_path, "1.jpg")
    put(tmp_path, "2.jpg")
    (tmp_path / "2.jpg.json").write_bytes(damage)
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["CD_ivppDsyP", "2.jpg"]
    is_json_of_nobody = damage in (b"[]", b"7", b"{}")
    assert source.left_out == {("files that are no pictures" if is_json_of_nobody else "damaged descriptions of pictures"): 1}


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    """Neither those with pictures alone, nor those that it made of another site."""
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "a.jpg.json").write_text(json.dumps({"category": "flickr", "id": "1"}))
    source = Folder(tmp_path)
    assert source.name == "folder of pictures"
    assert [found.id for found in source.photos()] == ["a.jpg"]
    assert source.left_out == {"files that are no pictures": 1}


def test_a_folder_without_a_picture_is_an_error(tmp_path: Path) -> None:
    """As when only sounds were downloaded."""
    put(tmp_path, "50.m4a", picture=False, audio_url="https://scontent.cdninstagram.com/a.m4a")
    with pytest.raises(SourceError, match="holds no picture"):
        photos(tmp_path)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers() | st.text(max_size=3), max_size=2)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from(sorted({*POST, *SIDECAR} - {"category", "media_id"})), VALUES))
def test_values_of_wrong_types_cost_a_detail(tmp_path_factory: pytest.TempPathFactory, wrong: dict[str, Any]) -> None:
    """Every picture is there and well formed."""
    folder = tmp_path_factory.mktemp("x")
    put(folder, "1.jpg", **wrong)
    [photo] = photos(folder)
    assert photo.path == folder / "1.jpg"
    assert photo.id
    assert 1 <= photo.slide <= photo.n_slides


SLIDES = [POST | SIDECAR | {"num": 1, "media_id": "31415926535", "shortcode": "FirstSlide"}, POST | SIDECAR | {"num": 2, "media_id": "27182818284"}]
PICTURES = ["2377771936383945872_31415926535.jpg", "2377771936383945872_27182818284.jpg"]


def slides(root: Path) -> list[tuple[str, str]]:
    """The ids of photos, with their files' names."""
    found = photos(root)
    assert {one.post_text for one in found} == {POST["description"]}
    return [(one.id, one.path.name if one.path else str(one.url)) for one in found]


def fill(root: Path, *names: str) -> None:
    """Small pictures."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_a_picture_that_two_tools_describe_is_one_photo(tmp_path: Path) -> None:
    """Also where both put it into one folder; the other file is a copy."""
    put(tmp_path, "2377771936383945871.jpg")
    (tmp_path / "2020-08-17_16-00-32_UTC.jpg").write_bytes(jpeg())
    node = {"shortcode": "CD_ivppDsyP", "display_url": "https://scontent.cdninstagram.com/v/117_n.jpg", "is_video": False}
    (tmp_path / "2020-08-17_16-00-32_UTC.json").write_text(json.dumps({"instaloader": {"node_type": "Post"}, "node": node}))
    source = Folder(tmp_path)
    assert [found.id for found in source.photos()] == ["CD_ivppDsyP"]
    assert source.left_out == {"further copies of a photo": 1}


def test_descriptions_may_take_the_place_of_the_suffix(tmp_path: Path) -> None:
    """The option `extension-format`: instaloader's are called so too, and they are told apart by what they hold."""
    fill(tmp_path, *PICTURES)
    for name, node in zip(PICTURES, SLIDES, strict=True):
        (tmp_path / name).with_suffix(".json").write_text(json.dumps(node))
    assert Folder(tmp_path).name == "gallery-dl download folder"
    assert slides(tmp_path) == [("SIDECAR_2", PICTURES[1]), ("SIDECAR_1", PICTURES[0])]
    assert {one.likes for one in photos(tmp_path)} == {42}


def lines(nodes: list[dict[str, Any]]) -> str:
    """As the mode `jsonl` writes them."""
    return "".join(json.dumps(node) + "\n" for node in nodes)


def indented(nodes: list[dict[str, Any]]) -> str:
    """As several descriptions in one file come otherwise."""
    return "".join(json.dumps(node, indent=4) + "\n" for node in nodes)


def dumped(nodes: list[dict[str, Any]]) -> str:
    """As `gallery-dl --dump-json` prints them."""
    return json.dumps([[2, {"category": "instagram", "post_shortcode": "SIDECAR", "count": 2}], *([3, "https://cdn/x.jpg", node] for node in nodes)])


@pytest.mark.parametrize("file", ["data.jsonl", "all.json", "metadata/data.jsonl", "../beside/x.ndjson"])
@pytest.mark.parametrize("write", [lines, indented, dumped])
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(PICTURES, id="as-gallery-dl-names-them"),
        pytest.param(["31415926535.jpg", "27182818284.webp"], id="media-ids"),
        pytest.param(["2020 FirstSlide.jpg", "natgeo_SIDECAR_2.jpg"], id="shortcodes"),
        pytest.param(["natgeo 31415926535.jpg", "x_27182818284_y.jpg"], id="among-other-things"),
    ],
)
def test_one_file_may_describe_many(tmp_path: Path, file: str, write: Callable[[list[dict[str, Any]]], str], names: list[str]) -> None:
    """The pictures are found by what they are called."""
    fill(tmp_path, *(f"natgeo/{name}" for name in names))
    path = tmp_path / "natgeo" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(write(SLIDES))
    assert sorted(slides(tmp_path)) == [("SIDECAR_1", names[0]), ("SIDECAR_2", names[1])]


def test_pictures_may_be_named_as_their_address_ends(tmp_path: Path) -> None:
    """With `{filename}` in the name."""
    fill(tmp_path, "117_n.jpg")
    (tmp_path / "data.jsonl").write_text(lines([POST, POST | {"media_id": "1", "post_shortcode": "CFar", "display_url": "https://cdn/118_n.jpg"}]))
    assert slides(tmp_path) == [("CD_ivppDsyP", "117_n.jpg"), ("CFar", "https://cdn/118_n.jpg")]


def test_a_description_may_be_of_a_post(tmp_path: Path) -> None:
    """With `event: post` there is one for all slides, without a media id."""
    post = {
        key: value for key, value in (POST | {"post_shortcode": "SIDECAR", "count": 2}).items() if key not in {"media_id", "num", "shortcode", "display_url"}
    }
    fill(tmp_path, "SIDECAR_1.jpg", "SIDECAR_2.jpg")
    (tmp_path / "SIDECAR.json").write_text(json.dumps(post))
    assert slides(tmp_path) == [("SIDECAR_1", "SIDECAR_1.jpg"), ("SIDECAR_2", "SIDECAR_2.jpg")]


def test_a_damaged_line_costs_no_other(tmp_path: Path) -> None:
    """The others are read, and it is told how many were not."""
    fill(tmp_path, *PICTURES)
    (tmp_path / "data.jsonl").write_text('{"category": "instagram", "media_id": \n' + lines(SLIDES) + '{"category": "inst')
    unread, *found = Folder(tmp_path).photos()
    assert isinstance(unread, Unread)
    assert (unread.id, "2 of its 4 descriptions are damaged" in unread.reason, unread.hides) == ("data.jsonl", True, False)
    assert sorted(one.id for one in found) == ["SIDECAR_1", "SIDECAR_2"]


@pytest.mark.parametrize("line", ['{"category":[\n', '{"category\n', "{\n", '{"category":"instagram"},\n', "[[[[\n", "\ufeff\n"])
def test_reading_on_behind_damage_ends(tmp_path: Path, line: str) -> None:
    """However often it is damaged, time grows with the file's length."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "data.jsonl").write_text(line * 100_000)
    started = time.process_time()
    assert "a.jpg" in [found.id for found in Folder(tmp_path).photos()]
    assert time.process_time() - started < 5


def test_half_a_surrogate_pair_costs_a_letter(tmp_path: Path) -> None:
    """JSON may hold one, and no database takes it."""
    put(tmp_path, "1.jpg", description="a \ud800 b", location_name="\udfff", tags=["#\ud800x"], media_id="1\ud800", post_shortcode=None, shortcode=None)
    [photo] = photos(tmp_path)
    assert (photo.id, photo.post_text, photo.location) == ("1\\ud800", "a \ufffd b", "\ufffd")
    assert "\\ud" not in ascii(photo.hashtags)


@pytest.mark.parametrize("content", ["{'code': 1}", '{"code": 1, // a remark\n "category": 2}', '{"a": [1, 2, }', "", "not JSON"])
def test_damaged_json_of_others_is_no_failure(tmp_path: Path, content: str) -> None:
    """Programs keep all kinds of things under that suffix; what cannot have been a description is no photo that was lost."""
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "settings.json").write_text(content)
    assert [photo.id for photo in photos(tmp_path)] == ["a.jpg"]


@pytest.mark.parametrize(
    "content", ['{"GraphImages": [{"id": "1", "shortcode": "CA"', '{"category": "instagram", "media_id": "1', '{"node": {"shortcode": "CA']
)
def test_a_damaged_description_that_stands_alone_is_unread(tmp_path: Path, content: str) -> None:
    """Under any name: its photo is lost, and whoever looks at the run's end must learn of it."""
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "whatever.json").write_text(content)
    unread, photo = Folder(tmp_path).photos()
    assert isinstance(unread, Unread)
    assert (unread.id, photo.id) == ("whatever.json", "a.jpg")
