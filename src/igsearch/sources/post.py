"""Instagram's description of a post as photos, in every layout that instaloader has handed on since its version 3.

The layouts differ by how the post was asked for: GraphQL (`edge_media_to_caption`, `edge_sidecar_to_children`), the app's answer (kept whole as
`iphone_struct`), and the logged-out web page's (`carousel_media`, `image_versions2` beside the GraphQL names). A value is taken from wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias
from unicodedata import normalize

import regex

from igsearch.records import Photo
from igsearch.sources.json_values import without_surrogates

_JOINERS = "\u200c\u200d"
_TAGGED = r"[\p{L}\p{N}_\p{Extended_Pictographic}\p{Regional_Indicator}--[©®™‼⁉]]"
HASHTAG = regex.compile(rf"[#\uff03\ufe5f]({_TAGGED}(?:{_TAGGED}|[\p{{M}}\p{{Emoji_Modifier}}{_JOINERS}\U000e0020-\U000e007f]){{0,149}})", regex.VERSION1)
"""Letters, digits and emoji, with what belongs to them: marks, joiners, skin tones."""

SHORTCODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
LATEST_TIMESTAMP = 2**32
"""Seconds since 1970, in the year 2106: anything later is not the time of a post."""

VIDEO = 2
"""`media_type` of a video in the app's answers; 1 is a picture and 8 a carousel."""

NO_FILES: Mapping[int, Path] = MappingProxyType({})

Node: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Slide:
    """One picture of a post as Instagram lists it."""

    url: str | None = None
    alt_text: str | None = None
    is_video: bool = False
    media_id: str | None = None


def photos_of(node: Node, files: Mapping[int, Path] = NO_FILES) -> Iterator[Photo]:
    """The pictures of a post, in the order of its slides; none if `node` does not describe a post.

    `files` are pictures on this machine by slide number: they are preferred to addresses. A slide with neither is left out.
    """
    for photo, _ in slides_of(node, n_slides=max(files, default=1)):
        path = files.get(photo.slide)
        if path is not None or photo.url is not None:
            yield photo if path is None else replace(photo, url=None, path=path)


def slides_of(node: Node, *, n_slides: int = 1) -> Iterator[tuple[Photo, str | None]]:
    """Every slide of a post with its own media id, whether its picture is to be had or not: as many as are listed, and no fewer than `n_slides`."""
    shortcode = _text(_first(node, ("shortcode",), ("code",)))
    if shortcode is None or not SHORTCODE.fullmatch(shortcode):
        return
    slides = _slides(node)
    slides += [_Slide()] * (n_slides - len(slides))
    text = _post_text(node)
    for number, slide in enumerate(slides, start=1):
        photo = Photo(
            id=shortcode if len(slides) == 1 else f"{shortcode}_{number}",
            url=slide.url,
            shortcode=shortcode,
            slide=number,
            n_slides=len(slides),
            taken_at=_taken_at(node),
            is_video=slide.is_video,
            is_pinned=bool(_first(node, ("pinned_for_users",), ("timeline_pinned_user_ids",), ("iphone_struct", "timeline_pinned_user_ids"))),
            likes=_likes(node),
            post_text=text,
            alt_text=slide.alt_text,
            location=_text(_first(node, ("location", "name"), ("iphone_struct", "location", "name"))),
            hashtags=hashtags_of(text),
        )
        yield photo, slide.media_id


def hashtags_of(text: str | None) -> tuple[str, ...]:
    """The hashtags in a post's text: in lower case, without #, each once, in order."""
    found = HASHTAG.findall(normalize("NFC", text.lower())) if text else ()
    return tuple(dict.fromkeys(tag.rstrip(_JOINERS) for tag in found))


def _at(value: object, *keys: str | int) -> object:
    """What stands at `keys` inside nested JSON, or None."""
    for key in keys:
        if isinstance(key, str) and isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(key, int) and isinstance(value, list) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _first(value: object, *places: tuple[str | int, ...]) -> object:
    """The first of `places` in nested JSON where something other than null or an empty text stands."""
    return next((found for place in places if (found := _at(value, *place)) not in (None, "")), None)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return normalize("NFC", without_surrogates(value)) if isinstance(value, str) and value.strip() else None


def _slides(node: Node) -> list[_Slide]:
    children = [_at(edge, "node") for edge in _list(_at(node, "edge_sidecar_to_children", "edges"))]
    from_app = _list(_first(node, ("carousel_media",), ("iphone_struct", "carousel_media")))
    if not children and not from_app:
        return [_slide(node, _at(node, "iphone_struct"))]
    return [_slide(_at(children, i), _at(from_app, i)) for i in range(max(len(children), len(from_app)))]


def _slide(graphql: object, from_app: object) -> _Slide:
    """One picture out of what GraphQL and the app say of it; either may be missing."""
    url = _first(graphql, ("display_url",), ("display_src",), ("image_versions2", "candidates", 0, "url"), ("thumbnail_src",))
    alt_text = _first(graphql, ("accessibility_caption",)) or _first(from_app, ("accessibility_caption",))
    media_type = _first(graphql, ("media_type",)) or _first(from_app, ("media_type",))
    return _Slide(
        url=_text(url or _first(from_app, ("image_versions2", "candidates", 0, "url"))),
        alt_text=_text(alt_text),
        is_video=_at(graphql, "is_video") is True or media_type == VIDEO,
        media_id=_media_id(_first(graphql, ("id",), ("pk",)) or _first(from_app, ("pk",), ("id",))),
    )


def _media_id(value: object) -> str | None:
    """The digits of a media id, without the owner's behind them."""
    digits = str(value).partition("_")[0] if isinstance(value, str | int) else ""
    return digits if digits.isascii() and digits.isdigit() else None


def _post_text(node: Node) -> str | None:
    place = _first(node, ("edge_media_to_caption", "edges", 0, "node", "text"), ("caption", "text"), ("caption",), ("iphone_struct", "caption", "text"))
    return _text(place)


def _taken_at(node: Node) -> datetime | None:
    found = _first(node, ("taken_at_timestamp",), ("date",), ("taken_at",), ("iphone_struct", "taken_at"), ("created_time",))
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= len(str(LATEST_TIMESTAMP)):
        found = int(found)
    if not isinstance(found, int | float) or not 0 < found < LATEST_TIMESTAMP:
        return None
    return datetime.fromtimestamp(found, UTC)


def _likes(node: Node) -> int | None:
    """How many like the post; None where the owner hides it or Instagram does not say."""
    if _first(node, ("like_and_view_counts_disabled",), ("iphone_struct", "like_and_view_counts_disabled")) is True:
        return None
    # instaloader writes 0 into the GraphQL name where the web page's answer, which has a `media_type`, gives no number.
    graphql = () if "media_type" in node else (("edge_media_preview_like", "count"), ("edge_liked_by", "count"), ("likes", "count"))
    count = _first(node, ("like_count",), *graphql)
    return count if isinstance(count, int) and count >= 0 else None
