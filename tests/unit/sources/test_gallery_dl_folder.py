"""What gallery-dl downloads with --write-metadata, with the names that its extractor for Instagram gives."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import SourceError
from igsearch.records import Photo
from igsearch.sources.gallery_dl_folder import GalleryDlFolder, is_gallery_dl_folder
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
    """All photos of a folder."""
    assert is_gallery_dl_folder(root)
    return list(GalleryDlFolder(root).photos())


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
    assert [photo.id for photo in photos(tmp_path)] == ["CD_ivppDsyP", "2.jpg"]


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    """Neither those with pictures alone, nor those that it made of another site."""
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "a.jpg.json").write_text(json.dumps({"category": "flickr", "id": "1"}))
    assert not is_gallery_dl_folder(tmp_path)


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
