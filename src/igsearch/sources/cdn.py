"""What Instagram's addresses and ids tell: which post a picture belongs to, and until when its address is valid."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from urllib.parse import SplitResult, parse_qs, urlsplit

HOSTS = (".cdninstagram.com", ".fbcdn.net")
HEX_TIME = re.compile(r"[0-9A-Fa-f]{1,9}")
"""Seconds since 1970 up to nine hexadecimal digits: the year 4147."""

MEDIA_ID = re.compile(r"(\d{5,20})(?:_\d+)?")
"""A media id, with the owner's id behind it in the app's addresses."""

PAGE = re.compile(r"https?://(?:(?:www|m)\.)?instagr(?:am\.com|\.am)(?=[/:?#]|\Z)", re.IGNORECASE)
POST_PATH = re.compile(r"(?:/[A-Za-z0-9._]{1,30})?/(?:p|reel|reels|tv)/([A-Za-z0-9_-]{5,64})/?")
SLIDE_NUMBER = re.compile(r"[1-9][0-9]?")
MAX_SHORTCODE = 11
"""Characters that a media id of 64 bits takes in base 64."""


def shortcode_of(url: str) -> str | None:
    """The shortcode of the post, from the media id that `ig_cache_key` starts with in base64; None if the address is somebody else's or has none."""
    key = _parameter(url, "ig_cache_key").split(".")[0]
    try:
        return shortcode_of_id(b64decode(key + "=" * (-len(key) % 4)).decode("ascii"))
    except (binascii.Error, ValueError):
        return None


def shortcode_of_id(media_id: str) -> str | None:
    """The shortcode of the post with this media id, which may have its owner's behind it; None if it is no media id.

    A shortcode is the number in base 64, with the letter A for zero.
    """
    match = MEDIA_ID.fullmatch(media_id)
    if match is None or int(match[1]) >= 2**64:
        return None
    return urlsafe_b64encode(int(match[1]).to_bytes(9, "big")).decode().lstrip("A")


def id_of_shortcode(shortcode: str) -> str | None:
    """The media id of the post; None for what is no shortcode. Those of private posts are longer, and hold more than the id."""
    try:
        media_id = str(int.from_bytes(urlsafe_b64decode(shortcode[:MAX_SHORTCODE].rjust(MAX_SHORTCODE + 1, "A")), "big"))
    except (binascii.Error, ValueError):
        return None
    return media_id if shortcode_of_id(media_id) == shortcode else None


def post_at(url: str) -> tuple[str, int] | None:
    """The shortcode and the slide that the address of a post names, as in `https://www.instagram.com/p/CD_ivppDsyP/?img_index=2`; None for any other."""
    parts = _split(url) if is_page(url) else None
    match = None if parts is None else POST_PATH.fullmatch(parts.path)
    if parts is None or match is None:
        return None
    index = parse_qs(parts.query).get("img_index", ["1"])[0]
    return match[1], int(index) if SLIDE_NUMBER.fullmatch(index) else 1


def is_page(url: str) -> bool:
    """Whether it is an address of Instagram's that shows a page: a post, a profile; pictures lie on other servers."""
    return PAGE.match(url) is not None


def has_host(url: str) -> bool:
    """Whether it says whom to ask."""
    parts = _split(url)
    return parts is not None and bool(parts.hostname)


def expires_at(url: str) -> datetime | None:
    """When the address stops being valid (`oe`, a Unix time in hexadecimal); None if it is somebody else's or does not say."""
    time = _parameter(url, "oe")
    return datetime.fromtimestamp(int(time, 16), UTC) if HEX_TIME.fullmatch(time) else None


def without_signature(url: str) -> str:
    """What of an address stays when it is signed anew: the file's name, which Instagram gives once. Of anybody else's address, all but the scheme."""
    parts = _split(url)
    if parts is None:
        return url
    if _is_instagrams(parts):
        return parts.path.rsplit("/", 1)[-1] or parts.netloc
    return f"{parts.netloc.lower()}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def is_instagrams(url: str) -> bool:
    """Whether it is an https address on one of Instagram's picture servers."""
    parts = _split(url)
    return parts is not None and parts.scheme == "https" and _is_instagrams(parts)


def _parameter(url: str, name: str) -> str:
    parts = _split(url) if name in url else None
    return parse_qs(parts.query).get(name, [""])[0] if parts is not None and _is_instagrams(parts) else ""


def _split(url: str) -> SplitResult | None:
    """None for what only looks like an address, such as an unclosed bracket in the host."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_instagrams(parts: SplitResult) -> bool:
    return f".{parts.hostname}".endswith(HOSTS)
