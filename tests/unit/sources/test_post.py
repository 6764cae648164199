"""Every layout in which instaloader has written a post."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igsearch.records import Photo
from igsearch.sources.post import hashtags_of, photos_of

TIMESTAMP = 1_588_334_400
TIME = datetime(2020, 5, 1, 12, tzinfo=UTC)
POST = Photo(
    id="CAbc", url="https://cdn/1.jpg", shortcode="CAbc", taken_at=TIME, likes=5, post_text="A #Cat", alt_text="a cat", location="Rome", hashtags=("cat",)
)

GRAPHQL = {
    "shortcode": "CAbc",
    "__typename": "GraphImage",
    "taken_at_timestamp": TIMESTAMP,
    "edge_media_to_caption": {"edges": [{"node": {"text": "A #Cat"}}]},
    "edge_media_preview_like": {"count": 5},
    "display_url": "https://cdn/1.jpg",
    "is_video": False,
    "accessibility_caption": "a cat",
    "location": {"id": "1", "name": "Rome"},
}
LOGGED_IN = {
    "shortcode": "CAbc",
    "__typename": "GraphImage",
    "date": TIMESTAMP,
    "caption": "A #Cat",
    "edge_media_preview_like": {"count": 5},
    "is_video": False,
    "iphone_struct": {
        "code": "CAbc",
        "accessibility_caption": "a cat",
        "location": {"name": "Rome"},
        "image_versions2": {"candidates": [{"url": "https://cdn/1.jpg"}]},
    },
}
WEB_PAGE = {
    "code": "CAbc",
    "shortcode": "CAbc",
    "media_type": 1,
    "taken_at": TIMESTAMP,
    "caption": {"text": "A #Cat"},
    "edge_media_to_caption": {"edges": [{"node": {"text": "A #Cat"}}]},
    "like_count": 5,
    "edge_media_preview_like": {"count": 5},
    "display_url": "https://cdn/1.jpg",
    "accessibility_caption": "a cat",
    "location": {"pk": 1, "name": "Rome"},
}
OLDEST = {
    "code": "CAbc",
    "date": float(TIMESTAMP),
    "caption": "A #Cat",
    "display_src": "https://cdn/1.jpg",
    "likes": {"count": 5},
    "is_video": False,
    "accessibility_caption": "a cat",
    "location": {"name": "Rome"},
}


@pytest.mark.parametrize("node", [GRAPHQL, LOGGED_IN, WEB_PAGE, OLDEST], ids=["graphql", "logged-in", "web-page", "version-3"])
def test_all_layouts_tell_the_same_post(node: dict[str, object]) -> None:
    """Wherever a value stands, it is found."""
    assert list(photos_of(node)) == [POST]


SLIDES: dict[str, dict[str, object]] = {
    "graphql": {
        "edge_sidecar_to_children": {
            "edges": [
                {"node": {"display_url": "https://cdn/1.jpg", "accessibility_caption": "a cat", "is_video": False}},
                {"node": {"display_url": "https://cdn/2.jpg", "is_video": True, "video_url": "https://cdn/2.mp4"}},
            ]
        }
    },
    "logged-in": {
        "edge_sidecar_to_children": {
            "edges": [{"node": {"display_url": "https://cdn/1.jpg"}}, {"node": {"display_url": "https://cdn/2.jpg", "is_video": True}}]
        },
        "iphone_struct": {"carousel_media": [{"accessibility_caption": "a cat"}, {"accessibility_caption": None}]},
    },
    "app": {
        "carousel_media": [
            {"media_type": 1, "image_versions2": {"candidates": [{"url": "https://cdn/1.jpg"}]}, "accessibility_caption": "a cat"},
            {"media_type": 2, "image_versions2": {"candidates": [{"url": "https://cdn/2.jpg"}]}},
        ]
    },
}


@pytest.mark.parametrize("slides", SLIDES.values(), ids=SLIDES)
def test_slides_are_photos_with_their_own_words(slides: dict[str, object]) -> None:
    """Number, address, alt text and kind belong to the slide; the rest belongs to the post."""
    first, second = photos_of(GRAPHQL | slides)
    assert (first.id, first.slide, first.n_slides, first.url, first.alt_text, first.is_video) == ("CAbc_1", 1, 2, "https://cdn/1.jpg", "a cat", False)
    assert (second.id, second.slide, second.n_slides, second.url, second.alt_text, second.is_video) == ("CAbc_2", 2, 2, "https://cdn/2.jpg", None, True)
    assert first.post_text == second.post_text == "A #Cat"


def test_files_are_preferred_to_addresses() -> None:
    """A slide that lies on this machine has a path and no address; the other keeps its address; one that Instagram did not list counts all the same."""
    photos = list(photos_of(GRAPHQL | SLIDES["graphql"], {2: Path("/p/2.jpg"), 3: Path("/p/3.jpg")}))
    assert [(photo.id, photo.path, photo.url, photo.n_slides) for photo in photos] == [
        ("CAbc_1", None, "https://cdn/1.jpg", 3),
        ("CAbc_2", Path("/p/2.jpg"), None, 3),
        ("CAbc_3", Path("/p/3.jpg"), None, 3),
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"pinned_for_users": [{"id": "1"}]}, {"is_pinned": True}, id="pinned"),
        pytest.param({"timeline_pinned_user_ids": [1]}, {"is_pinned": True}, id="pinned-by-app"),
        pytest.param({"timeline_pinned_user_ids": []}, {"is_pinned": False}, id="not-pinned"),
        pytest.param({"like_and_view_counts_disabled": True}, {"likes": None}, id="likes-hidden"),
        pytest.param({"edge_media_preview_like": {"count": -1}}, {"likes": None}, id="likes-negative"),
        pytest.param({"media_type": 1, "edge_media_preview_like": {"count": 0}}, {"likes": None}, id="likes-not-given-by-web-page"),
        pytest.param({"edge_media_preview_like": {"count": "many"}}, {"likes": None}, id="likes-text"),
        pytest.param({"edge_media_to_caption": {"edges": []}}, {"post_text": None, "hashtags": ()}, id="no-text"),
        pytest.param({"edge_media_to_caption": {"edges": [{"node": {"text": "Cafe\u0301"}}]}}, {"post_text": "Caf\u00e9"}, id="text-composed"),
        pytest.param({"taken_at_timestamp": str(TIMESTAMP)}, {"taken_at": TIME}, id="time-as-text"),
        pytest.param({"taken_at_timestamp": -1}, {"taken_at": None}, id="time-negative"),
        pytest.param({"taken_at_timestamp": 10**18}, {"taken_at": None}, id="time-absurd"),
        pytest.param({"taken_at_timestamp": "9" * 5000}, {"taken_at": None}, id="time-endless"),
        pytest.param({"taken_at_timestamp": float("nan")}, {"taken_at": None}, id="time-not-a-number"),
        pytest.param({"location": None}, {"location": None}, id="no-place"),
    ],
)
def test_details(change: dict[str, object], expected: dict[str, object]) -> None:
    """What is hidden, missing or absurd is unknown."""
    [photo] = photos_of(GRAPHQL | change)
    assert {name: getattr(photo, name) for name in expected} == expected


@pytest.mark.parametrize(
    "node",
    [{}, {"shortcode": 7}, {"shortcode": "../x", "display_url": "https://cdn/1.jpg"}, {"shortcode": "CAbc"}, {"shortcode": "CAbc", "display_url": ["x"]}],
    ids=["nothing", "number", "path", "no-picture", "list-for-address"],
)
def test_what_is_no_post_has_no_photos(node: dict[str, object]) -> None:
    """It is no error either: the caller knows what to say."""
    assert list(photos_of(node)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.dictionaries(st.sampled_from(sorted({*GRAPHQL, *LOGGED_IN, *WEB_PAGE, *OLDEST, "edge_sidecar_to_children", "carousel_media"})), JSON))
def test_no_json_breaks_it(node: dict[str, object]) -> None:
    """Any JSON at all in any place gives photos with an address, or none."""
    assert all(photo.url for photo in photos_of(node | {"shortcode": "CAbc"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, (), id="no-text"),
        pytest.param("#Cat and #dog, #cat", ("cat", "dog"), id="lower-case-once"),
        pytest.param("#été#日本 # x", ("été", "日本"), id="any-script"),
        pytest.param("#ภาษาไทย #น้ำ", ("ภาษาไทย", "น้ำ"), id="thai-vowels"),
        pytest.param("#हिन्दी #தமிழ்", ("हिन्दी", "தமிழ்"), id="indian-vowels"),
        pytest.param("#cafe\u0301 #Café", ("café",), id="decomposed"),
        pytest.param("#İzmir", ("i\u0307zmir",), id="turkish"),
        pytest.param("#نیم\u200cفصل #क्\u200dष #cat\u200d", ("نیم\u200cفصل", "क्\u200dष", "cat"), id="joiners"),
        pytest.param("#🐶 #👩🏽\u200d🚒 #🇫🇷 #love❤️you #7️⃣days", ("🐶", "👩🏽\u200d🚒", "🇫🇷", "love❤️you", "7️⃣days"), id="emoji"),
        pytest.param("\uff03桜 \ufe5f犬", ("桜", "犬"), id="full-width"),
        pytest.param("#️⃣ #-x ##cat #cat's #nike™", ("cat", "nike"), id="what-is-no-part"),
    ],
)
def test_hashtags(text: str | None, expected: tuple[str, ...]) -> None:
    """They are read as Instagram reads them."""
    assert hashtags_of(text) == expected
