"""What gallery-dl writes about files of Instagram, all in one file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from igsearch.records import Photo, Source, Unread
from igsearch.sources.json_source import json_source

CDN = "https://scontent-cdg2-1.cdninstagram.com/v/t51/"
PICTURE = {
    "category": "instagram", "media_id": "2377771936383945871", "post_shortcode": "CD_ivppDsyP", "shortcode": "CD_ivppDsyP",
    "post_date": "2020-08-17 16:00:32", "description": "A storm #Weather\u2028next \x85", "tags": ["#rain"], "likes": 7, "location_name": "Nebraska",
    "display_url": f"{CDN}117_n.jpg?oe=1", "num": 1, "count": 1, "filename": "117_n", "extension": "jpg",
}  # fmt: skip
SLIDES = [
    PICTURE | {"media_id": f"237777193638394588{n}", "sidecar_media_id": "2377771936383945880", "sidecar_shortcode": "CD_ivppDsyY"}
    | {"post_shortcode": "CD_ivppDsyY", "num": n, "count": 2, "display_url": f"{CDN}{n}_n.jpg", "filename": f"{n}_n"}
    for n in (1, 2)
]  # fmt: skip
VIDEO = PICTURE | {"media_id": "5", "post_shortcode": "CVIDEO", "display_url": f"{CDN}cover.jpg", "video_url": f"{CDN}v.mp4", "filename": "v"}
COVERLESS = VIDEO | {"display_url": None}
SOUND = PICTURE | {"media_id": "6", "audio_url": "https://example.org/a.m4a"}
STORY = PICTURE | {"media_id": "7", "type": "story", "display_url": f"{CDN}s.jpg"}
FILES = [PICTURE, *SLIDES, VIDEO, COVERLESS, SOUND, STORY]
IDS = ["CD_ivppDsyP", "CD_ivppDsyY_1", "CD_ivppDsyY_2", "CVIDEO", "7"]


def opened(path: Path) -> Source:
    """What is recognised."""
    source = json_source(path, "natgeo")
    assert source is not None
    return source


def as_lines(documents: object) -> str:
    """JSON lines, in which line separators stand as they are."""
    assert isinstance(documents, list)
    return "\n".join(json.dumps(document, ensure_ascii=False) for document in documents)


MESSAGES = [[2, PICTURE], *([3, file["display_url"] or file["video_url"], file] for file in FILES)]
WRITTEN = {
    "lines": as_lines(FILES),
    "array": json.dumps(FILES),
    "indented, one after the other": "\n".join(json.dumps(file, indent=4) for file in FILES),
    "messages": json.dumps(MESSAGES, indent=2),
    "messages as lines": as_lines(MESSAGES),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_every_file_is_a_photo_of_its_post(tmp_path: Path, text: str) -> None:
    """Whichever way they were written; sounds and videos without a cover are counted."""
    path = tmp_path / "all.jsonl"
    path.write_text(text, encoding="utf-8")
    source = opened(path)
    found = [one for one in source.photos() if isinstance(one, Photo)]
    assert [photo.id for photo in found] == IDS
    assert found[0] == Photo(
        "CD_ivppDsyP", url=f"{CDN}117_n.jpg?oe=1", shortcode="CD_ivppDsyP", taken_at=datetime(2020, 8, 17, 16, 0, 32, tzinfo=UTC), likes=7,
        post_text="A storm #Weather\u2028next \x85", location="Nebraska", hashtags=("weather", "rain"),
    )  # fmt: skip
    assert [(photo.slide, photo.n_slides) for photo in found[1:3]] == [(1, 2), (2, 2)]
    assert [photo.is_video for photo in found] == [False, False, False, True, False]
    assert source.left_out == {"videos without a cover": 1, "sounds": 1}


@pytest.mark.parametrize("name", ["117_n.jpg", "2377771936383945871.webp"])
def test_a_downloaded_picture_is_preferred_to_its_address(tmp_path: Path, name: str) -> None:
    """Under the names that gallery-dl gives it."""
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.json").write_text(json.dumps(PICTURE))
    [photo] = opened(tmp_path / "a.json").photos()
    assert isinstance(photo, Photo)
    assert (photo.path, photo.url) == (tmp_path / name, None)


def test_what_gallery_dl_could_not_get_is_told(tmp_path: Path) -> None:
    """In its words, and what it has of other places is an address."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps([[3, "https://example.org/x.jpg", {"category": "elsewhere"}], [-1, {"error": "AuthRequired", "message": "login needed"}]]))
    photo, error = opened(path).photos()
    assert isinstance(photo, Photo)
    assert isinstance(error, Unread)
    assert (photo.url, error.hides, "login needed" in error.reason) == ("https://example.org/x.jpg", True, True)


@pytest.mark.parametrize("wrong", [None, 7, [], {}, "x", float("nan"), True, "\ud800"], ids=repr)
def test_values_of_wrong_types_cost_a_detail(tmp_path: Path, wrong: object) -> None:
    """Or the photo, which is told."""
    path = tmp_path / "a.json"
    for key in PICTURE:
        path.write_text(json.dumps([PICTURE | {key: wrong}, VIDEO]))
        found = list(opened(path).photos())
        assert (len(found), found[-1].id) == (2, "CVIDEO"), key
