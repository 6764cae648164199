"""An entry of a list in Instagram's export as photos, in every layout since 2018. Nothing about a value's type is taken for granted.

Since 2021 an entry is a post with a list of `media`, or, for stories and profile pictures, a medium by itself. A post with one medium has its text and time
there, one with several has them itself. Until 2020 an entry was a medium with other names: `path`, `caption`, `taken_at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from igsearch.records import Found, Photo, Unread
from igsearch.sources import cdn
from igsearch.sources.json_values import real_in, text_in, time_in, without_surrogates
from igsearch.sources.post import hashtags_of
from igsearch.zips import leads_inside

PREFIX = "your_instagram_activity/"
"""Some exports put it before the path of a picture, whether it lies there or not."""

OLD_SECTIONS = {"posts": ("photos", "videos"), "stories": ("stories",), "profile": ("profile",)}
"""Until 2020 one list had everything: under which of its keys each kind is. `direct`, the pictures in messages, is nobody's post."""

MAX_ADDRESS = 4096
"""Characters; signed addresses of Instagram have about 700."""

T = TypeVar("T")

LATITUDE, LONGITUDE = 90.0, 180.0
"""Degrees either way."""


def entries_of(document: object) -> list[object]:
    """The entries of a list: it is bare (`posts_1.json`), or the one list in an object (`ig_archived_post_media`, `ig_stories`, …). Raises ValueError."""
    if isinstance(document, Mapping):
        document = next((value for value in document.values() if isinstance(value, list)), document or [])
    if not isinstance(document, list):
        raise ValueError("it holds no list")  # noqa: TRY004  # it is the file's fault, as is every other ValueError here
    return document


def old_entries_of(document: object, kind: str) -> list[object]:
    """The entries of one kind in `media.json`, which until 2020 listed everything."""
    return [entry for section in OLD_SECTIONS.get(kind, ()) for entry in _list(_at(document, section))]


def found_in(entry: object, called: str) -> Iterator[Found]:
    """The media of an entry in their order, videos among them; those that say nowhere where they are, or somewhere outside the export, cannot be read.

    The id is the path in the export, and where the file is remains to be found out; a picture that Instagram left on its server has its address instead.
    What has no path is `called` by its place in the list.
    """
    media: list[object] = [medium for medium in _list(_at(entry, "media")) if isinstance(medium, Mapping)] or [entry]
    text = _first(map(_text, (_at(one, key) for one in (entry, *media) for key in ("title", "caption"))))
    taken_at = _first(map(_taken_at, (entry, *media)))
    for number, medium in enumerate(media, start=1):
        uri = _text(_at(medium, "uri")) or _text(_at(medium, "path"))
        if (place := None if uri is None else _place(uri)) is None:
            yield _unread(called if len(media) == 1 else f"{called}, picture {number}", uri)
            continue
        identity, url = place
        yield Photo(
            id=identity,
            url=url,
            slide=number,
            n_slides=len(media),
            taken_at=taken_at,
            post_text=text,
            location=_location(medium),
            hashtags=hashtags_of(text),
        )


def _unread(called: str, uri: str | None) -> Unread:
    says = "names no picture" if uri is None else f"names {uri[:200]!r}, which is no path in an export"
    return Unread(called, f"{called} {says}: get the export again")


def repaired(text: str) -> str:
    """What was meant by a text whose UTF-8 bytes were written as one character each; any other text as it is, without halves of surrogate pairs.

    The export has been written that way since 2018. Any other text is hardly ever valid UTF-8 when read so, unless it is ASCII and stays as it is.
    """
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return without_surrogates(text)


def _place(uri: str) -> tuple[str, str | None] | None:
    """Id and address of a medium: the path in the export, without address; or whatever stays the same of an address on Instagram's servers."""
    if len(uri) <= MAX_ADDRESS and uri.isprintable() and cdn.is_instagrams(uri):
        return cdn.without_signature(uri), uri
    path = uri.removeprefix("./").removeprefix(PREFIX)
    return (path, None) if leads_inside(path) else None


def _at(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _list(value: object) -> list[object]:
    """A list as it is; some exports have a single object where others have a list of one."""
    return value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []


def _first(values: Iterator[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _text(value: object) -> str | None:
    text = text_in(repaired(value)) if isinstance(value, str) else None
    return text and text.strip()


def _taken_at(medium: object) -> datetime | None:
    """When it was posted. Videos have been seen to say it only among their subtitles; the lists of 2018 say it in local time of nobody knows where."""
    places = (_at(medium, "creation_timestamp"), _at(medium, "media_metadata", "video_metadata", "subtitles", "creation_timestamp"), _at(medium, "taken_at"))
    return _first(map(time_in, places))


def _location(medium: object) -> str | None:
    """The place by name, as until 2020, or its latitude and longitude in degrees, as the camera noted them."""
    metadata = [_at(medium, "media_metadata", f"{kind}_metadata", "exif_data") for kind in ("photo", "video")]
    for exif in (one for some in metadata for one in _list(some)):
        latitude, longitude = _degrees(_at(exif, "latitude"), LATITUDE), _degrees(_at(exif, "longitude"), LONGITUDE)
        if latitude is not None and longitude is not None and (latitude, longitude) != (0.0, 0.0):
            return f"{latitude:.5f}, {longitude:.5f}"
    return _text(_at(medium, "location"))


def _degrees(value: object, limit: float) -> float | None:
    try:
        degrees = real_in(float(value) if isinstance(value, str) else value)
    except ValueError:
        return None
    return degrees if degrees is not None and abs(degrees) <= limit else None
