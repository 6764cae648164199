"""instagram-scraper's metadata, in the shapes of 2017, 2020 and 2022."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import SourceError
from igsearch.records import Photo, Source, Unread
from igsearch.sources.json_source import json_source
from tests.fake_instagram import jpeg

CDN = "https://scontent-cdg2-1.cdninstagram.com/v/t51.2885-15/e35/"
SIGNATURE = "?_nc_ht=scontent-cdg2-1.cdninstagram.com&_nc_cat=1&oh=28a63a&oe=5F64E20E"


def address(name: str) -> str:
    """An address as of 2020."""
    return f"{CDN}{name}{SIGNATURE}"


OF_2017 = {
    "id": "1420543125847437465",
    "code": "BO2zRrbjwiZ",
    "caption": {"text": "Boats #Sea", "created_time": "1482964142"},
    "created_time": "1482964142",
    "images": {"thumbnail": {"url": address("t.jpg")}, "standard_resolution": {"url": address("15_n.jpg"), "width": 640}},
    "likes": {"count": 17, "data": []},
    "link": "https://www.instagram.com/p/BO2zRrbjwiZ/",
    "type": "image",
    "urls": [address("15_n.jpg")],
    "tags": ["sea"],
}
OF_2020 = {
    "__typename": "GraphImage",
    "accessibility_caption": "Photo by National Geographic on August 17, 2020. Image may contain: cloud, sky",
    "comments_disabled": False,
    "dimensions": {"height": 1350, "width": 1080},
    "display_url": address("117_n.jpg"),
    "edge_media_preview_like": {"count": 226158},
    "edge_media_to_caption": {"edges": [{"node": {"text": "Photo by @x | A storm #Weather"}}]},
    "edge_media_to_comment": {"count": 592},
    "gating_info": None,
    "id": "2377771936383945871",
    "is_video": False,
    "location": {"id": "1", "name": "Nebraska"},
    "media_preview": "ACEqo",
    "owner": {"id": "787132"},
    "shortcode": "CD_ivppDsyP",
    "tags": ["weather"],
    "taken_at_timestamp": 1597680032,
    "thumbnail_resources": [{"config_height": 150, "config_width": 150, "src": address("s.jpg")}],
    "thumbnail_src": address("s.jpg"),
    "urls": [address("117_n.jpg")],
    "username": "natgeo",
}
VIDEO = OF_2020 | {"__typename": "GraphVideo", "id": "2377771936383945872", "shortcode": "VIDEO", "is_video": True, "urls": [address("v.mp4")]}
CAROUSEL = OF_2020 | {
    "__typename": "GraphSidecar",
    "id": "2377771936383945873",
    "shortcode": "SIDECAR",
    "display_url": address("1_n.jpg"),
    "urls": [address("1_n.jpg"), address("2.mp4"), address("3_n.webp")],
    "edge_media_to_caption": {"edges": []},
}
DETAILS_FAILED = CAROUSEL | {"shortcode": "NODETAIL", "id": "2377771936383945874", "urls": []}
OF_2022 = {
    "__typename": "GraphSidecar",
    "carousel_media": [{"image_versions2": {"candidates": [{"url": address(f"{n}_n.webp")}]}, "media_type": 1} for n in (8, 9)],
    "display_url": address("8_n.webp"),
    "edge_media_to_caption": {"edges": [{"node": {"text": "two"}}]},
    "id": "2877771936383945873",
    "is_video": False,
    "shortcode": "NEWER",
    "taken_at_timestamp": 1655000000,
    "urls": [address("8_n.webp"), address("9_n.webp")],
}


def written(folder: Path, *posts: object, **others: object) -> Path:
    """`natgeo/natgeo.json` as the tool writes it."""
    path = folder / "natgeo" / "natgeo.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"GraphImages": posts} | others, indent=4, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    return path


def photos(path: Path) -> list[Photo]:
    """All photos of the file."""
    source = opened(path)
    assert source.name == "metadata of instagram-scraper"
    return [found for found in source.photos() if isinstance(found, Photo)]


def opened(path: Path) -> Source:
    """What is recognised as posts."""
    source = json_source(path, "natgeo")
    assert source is not None
    assert (source.kind, source.root, source.newest_first, source.n_expected) == ("scraper", str(path), False, None)
    return source


def unread(source: Source) -> list[Unread]:
    """What cannot be read of a file."""
    return [found for found in source.photos() if isinstance(found, Unread)]


def test_a_post_of_2020_tells_everything(tmp_path: Path) -> None:
    """Address, time, text, hashtags, likes, alternative text and location."""
    assert photos(written(tmp_path, OF_2020)) == [
        Photo(
            "CD_ivppDsyP",
            url=address("117_n.jpg"),
            shortcode="CD_ivppDsyP",
            taken_at=datetime.fromtimestamp(1597680032, UTC),
            likes=226158,
            post_text="Photo by @x | A storm #Weather",
            alt_text="Photo by National Geographic on August 17, 2020. Image may contain: cloud, sky",
            location="Nebraska",
            hashtags=("weather",),
        )
    ]


def test_a_post_of_2017_does_too(tmp_path: Path) -> None:
    """With other names for everything, and the time as text."""
    assert photos(written(tmp_path, OF_2017)) == [
        Photo(
            "BO2zRrbjwiZ",
            url=address("15_n.jpg"),
            shortcode="BO2zRrbjwiZ",
            taken_at=datetime.fromtimestamp(1482964142, UTC),
            likes=17,
            post_text="Boats #Sea",
            hashtags=("sea",),
        )
    ]


def test_slides_videos_and_their_covers(tmp_path: Path) -> None:
    """Every picture of a carousel, but not a video in it, of which there is no picture; a video by its cover; one slide where the details are missing."""
    found = photos(written(tmp_path, VIDEO, CAROUSEL, DETAILS_FAILED, OF_2022))
    assert [(photo.id, photo.slide, photo.n_slides, photo.is_video, (photo.url or "")[len(CDN) :].partition("?")[0]) for photo in found] == [
        ("VIDEO", 1, 1, True, "117_n.jpg"),
        ("SIDECAR_1", 1, 3, False, "1_n.jpg"),
        ("SIDECAR_3", 3, 3, False, "3_n.webp"),
        ("NODETAIL", 1, 1, False, "1_n.jpg"),
        ("NEWER_1", 1, 2, False, "8_n.webp"),
        ("NEWER_2", 2, 2, False, "9_n.webp"),
    ]
    assert found[1].hashtags == ("weather",)


def test_a_post_that_two_runs_wrote_counts_once(tmp_path: Path) -> None:
    """The tool's merging leaves old entries beside new ones; the first is taken."""
    newer = OF_2020 | {"display_url": address("new.jpg")}
    assert [photo.url for photo in photos(written(tmp_path, newer, OF_2020, OF_2017, OF_2020))] == [address("new.jpg"), address("15_n.jpg")]


def test_downloaded_pictures_are_preferred_to_addresses(tmp_path: Path) -> None:
    """Beside the file, or in the profile's folder beside it, under the name in the address; of one slide as of a whole post."""
    path = written(tmp_path, OF_2020, CAROUSEL, OF_2017, GraphProfileInfo={"username": "natgeo", "info": {"posts_count": 3}})
    (path.parent / "117_n.jpg").write_bytes(jpeg())
    (path.parent / "natgeo").mkdir()
    (path.parent / "natgeo" / "3_n.jpg").write_bytes(jpeg())
    where = {photo.id: photo.path and photo.path.relative_to(path.parent).as_posix() for photo in photos(path)}
    assert where == {"CD_ivppDsyP": "117_n.jpg", "SIDECAR_1": None, "SIDECAR_3": "natgeo/3_n.jpg", "BO2zRrbjwiZ": None}
    assert all((photo.url is None) == (photo.path is not None) for photo in photos(path))


@pytest.mark.parametrize("username", ["..", "/etc", "a\0b", 7, None, ["natgeo"]])
def test_a_profiles_name_leads_nowhere_else(tmp_path: Path, username: object) -> None:
    """Not even out of the file's own folder."""
    path = written(tmp_path, OF_2020, GraphProfileInfo={"username": username})
    (tmp_path / "117_n.jpg").write_bytes(jpeg())
    assert [photo.path for photo in photos(path)] == [None]


def test_the_post_is_known_by_its_number_alone(tmp_path: Path) -> None:
    """The shortcode is the number in another writing."""
    assert [photo.id for photo in photos(written(tmp_path, {"id": "2377771936383945871", "display_url": address("a.jpg")}))] == ["CD_ivppDsyP"]


def test_what_is_no_post_is_unread(tmp_path: Path) -> None:
    """By its shortcode, or its number in the file; the others are read."""
    source = opened(written(tmp_path, None, OF_2020, {"shortcode": 3}, "post", {"shortcode": "NOPICTURE"}, [], {"shortcode": "NOPICTURE"}))
    assert [found.id for found in source.photos()] == ["post 1", "CD_ivppDsyP", "post 3", "post 4", "NOPICTURE", "post 6"]
    assert [one.permalink for one in unread(source) if one.permalink] == ["https://www.instagram.com/p/NOPICTURE/"]
    assert all(("\n" not in one.reason and "download it again" in one.reason) or "get the file" in one.reason for one in unread(source))


def test_videos_without_a_cover_and_stories_are_left_out_and_counted(tmp_path: Path) -> None:
    """They are no failure; a picture of a carousel that has no address is."""
    coverless = VIDEO | {"shortcode": "BARE", "display_url": None, "thumbnail_src": None}
    edges = [{"node": {"display_url": url, "is_video": video}} for url, video in ((address("1.jpg"), False), (None, True), (None, False))]
    broken = OF_2020 | {"shortcode": "HALF", "edge_sidecar_to_children": {"edges": edges}}
    source = opened(written(tmp_path, OF_2020, CAROUSEL, coverless, broken, GraphStories=[{"id": "1"}, {}]))
    assert [found.id for found in source.photos()] == ["CD_ivppDsyP", "SIDECAR_1", "SIDECAR_3", "HALF_1", "HALF"]
    assert [(one.id, "1 of 3 pictures" in one.reason) for one in unread(source)] == [("HALF", True)]
    assert source.left_out == {"stories": 2, "videos without a cover": 3}


OF_INSTALOADER = {"node": OF_2020, "instaloader": {"version": "4.16", "node_type": "Post"}}
OF_THE_APP = {"shortcode": "CAPP", "id": "12345", "caption": "text", "date": 1655000000, "iphone_struct": {"code": "CAPP", "display_url": None}}


@pytest.mark.parametrize("document", [OF_INSTALOADER, OF_2020, [OF_INSTALOADER], [OF_2020]], ids=["wrapped", "bare", "list", "bare list"])
def test_a_post_of_instaloader_is_one(tmp_path: Path, document: object) -> None:
    """With its address, or with the picture that was downloaded beside it, under the name of the JSON file."""
    path = tmp_path / "2020-08-17_16-00-32_UTC.json"
    path.write_text(json.dumps(document))
    [photo] = opened(path).photos()
    assert isinstance(photo, Photo)
    assert (photo.id, photo.url, photo.post_text) == ("CD_ivppDsyP", address("117_n.jpg"), "Photo by @x | A storm #Weather")
    for name in ("2020-08-17_16-00-32_UTC.jpg", "2020-08-17_16-00-32_UTC_1.jpg"):
        (tmp_path / name).write_bytes(jpeg())
        [photo] = opened(path).photos()
        assert isinstance(photo, Photo)
        assert (photo.path, photo.url) == (tmp_path / name, None)


def test_posts_of_instaloader_in_one_file(tmp_path: Path) -> None:
    """As JSON lines; a damaged line may hide photos."""
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join([json.dumps(OF_INSTALOADER), json.dumps(CAROUSEL), json.dumps(OF_INSTALOADER)[:-9], json.dumps(OF_2017 | {"display_url": "x"})]))
    source = opened(path)
    assert [found.id for found in source.photos()] == ["CD_ivppDsyP", "SIDECAR_1", "SIDECAR_3", "post 3", "BO2zRrbjwiZ"]
    assert [one.hides for one in unread(source)] == [True]


def test_a_post_without_a_picture_is_told_in_one_line(tmp_path: Path) -> None:
    """With what to give instead."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(OF_THE_APP))
    with pytest.raises(SourceError, match="a post without a picture: give the folder"):
        json_source(path, "natgeo")
    path.write_text(json.dumps({"node": {"username": "x"}, "instaloader": {"node_type": "Profile"}}))
    assert json_source(path, "natgeo") is None


@pytest.mark.parametrize("posts", [[], [None], [{}], {}, "posts", None, [[[]]]], ids=str)
def test_a_file_without_a_post_is_an_error(tmp_path: Path, posts: object) -> None:
    """It names the file."""
    path = tmp_path / "natgeo.json"
    path.write_text(json.dumps({"GraphImages": posts}))
    with pytest.raises(SourceError, match=r"natgeo.json' lists no post under GraphImages"):
        json_source(path, "natgeo")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from([address("a.jpg"), "CA", "1597680032"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*OF_2020, *OF_2017, "node", "url", "edges", "text", "count"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from([*OF_2020, *OF_2017]), JSON), st.sampled_from([OF_2017, OF_2020, VIDEO, CAROUSEL, OF_2022]))
def test_values_of_wrong_types_cost_a_detail_or_a_post(tmp_path_factory: pytest.TempPathFactory, wrong: dict[str, Any], post: dict[str, Any]) -> None:
    """Whatever stands where, the other posts are read, and every photo is well formed."""
    path = written(tmp_path_factory.mktemp("x"), post | wrong, OF_2020 | {"shortcode": "LAST"})
    found = photos(path)
    assert "LAST" in [photo.id for photo in found]
    for photo in found:
        assert isinstance(photo.url, str)
        assert photo.id.startswith(photo.shortcode or "?")
        assert 1 <= photo.slide <= photo.n_slides
        assert all(isinstance(tag, str) for tag in photo.hashtags)
