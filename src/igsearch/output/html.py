"""The answer to a search as one HTML file that needs nothing else: the pictures and the style are in it, there is no script, and it asks for nothing.

It looks as the server's page does and uses its style sheet. A photo opens large by the address alone (`:target`). Text from outside is escaped by the
template; where files lie on this machine is not told, for a file like this is passed on.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC
from importlib.resources import files
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined

from igsearch.output.files import save
from igsearch.output.formats import UNSAFE_IN_CELL, plain
from igsearch.text import matching_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from igsearch.records import DetectedObject, Hit
    from igsearch.searching import Answer

RESOURCES = files("igsearch")


def write(answer: Answer, target: Path | BinaryIO, *, query: str) -> None:
    """Write the hits of an answer to a file or a stream, whole or not at all. Raises UsageError if it cannot be written."""
    save(page(answer, query=query), target, option="--html")


def page(answer: Answer, *, query: str) -> Iterator[str]:
    """The document, in pieces: a thumbnail is read when its turn comes."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = RESOURCES.joinpath("web", "static", "style.css").read_text(encoding="utf-8")
    return environment.from_string(RESOURCES.joinpath("output", "templates", "gallery.html").read_text(encoding="utf-8")).generate(
        query=plain(query),
        profiles=answer.profiles,
        total=answer.total,
        n=len(answer.hits),
        style=style,
        style_hash=b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        icon=data_address(RESOURCES.joinpath("web", "static", "icon.svg").read_bytes(), "image/svg+xml"),
        photos=_photos(answer.hits, query),
    )


def _photos(hits: Sequence[Hit], query: str) -> Iterator[dict[str, Any]]:
    """What the template shows of each hit."""
    several = len({hit.profile for hit in hits}) > 1
    for number, hit in enumerate(hits, start=1):
        photo, description = hit.photo, hit.description
        caption = plain(description.caption)
        yield {
            "number": number,
            "before": number - 1,
            "after": number + 1 if number < len(hits) else 0,
            "picture": _picture(hit),
            "caption": caption,
            "words": list(pieces(caption, query)),
            "profile": hit.profile if several else None,
            "taken": photo.taken_at and f"{photo.taken_at.astimezone(UTC):%d %B %Y}".removeprefix("0"),
            "taken_at": photo.taken_at and f"{photo.taken_at.astimezone(UTC):%Y-%m-%d}",
            "likes": None if photo.likes is None else f"{photo.likes:,}",
            "match": f"{hit.score:.0%}",
            "others": list(dict.fromkeys(plain(one.caption) for one in description.alternatives if one.caption != description.caption)),
            "objects": [plain(_counted(thing)) for thing in description.objects or ()],
            "labels": [(plain(label.name), f"{label.probability:.0%}") for label in description.labels],
            "post_text": UNSAFE_IN_CELL.sub("\N{REPLACEMENT CHARACTER}", (photo.post_text or "").replace("\r\n", "\n").strip()),
            "alt_text": plain(photo.alt_text or ""),
            "permalink": web_address(photo.permalink),
            "original": None if photo.permalink else web_address(photo.url),
        }


def pieces(caption: str, query: str) -> Iterator[tuple[str, bool]]:
    """The caption in pieces, each with whether the query met it; joined they are the caption."""
    end = 0
    for start, stop in matching_spans(caption, query):
        yield caption[end:start], False
        yield caption[start:stop], True
        end = stop
    yield caption[end:], False


def web_address(given: str | None) -> str | None:
    """`given` if a browser may follow it: an address on the web, not a script or a file."""
    try:
        parts = urlsplit(given or "")
    except ValueError:
        return None
    return given if parts.scheme in {"http", "https"} and parts.netloc else None


def data_address(data: bytes, kind: str) -> str:
    """Bytes as an address that holds them (RFC 2397)."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


def _picture(hit: Hit) -> str | None:
    """The thumbnail, which is always WebP; None where there is none, or no longer."""
    if hit.thumbnail is None:
        return None
    try:
        return data_address(hit.thumbnail.read_bytes(), "image/webp")
    except OSError:
        return None


def _counted(thing: DetectedObject) -> str:
    return f"{thing.count} × {thing.name}" if thing.count is not None and thing.count > 1 else thing.name
