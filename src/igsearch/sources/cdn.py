"""What an address of Instagram's picture servers tells: which post it belongs to and until when it is valid."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from urllib.parse import SplitResult, parse_qs, urlsplit

HOSTS = (".cdninstagram.com", ".fbcdn.net")
HEX_TIME = re.compile(r"[0-9A-Fa-f]{1,9}")
"""Seconds since 1970 up to nine hexadecimal digits: the year 4147."""

MEDIA_ID = re.compile(r"(\d{5,20})(?:_\d+)?")
"""A media id, with the owner's id behind it in the app's addresses."""


def shortcode_of(url: str) -> str | None:
    """The shortcode of the post, from the media id that `ig_cache_key` starts with in base64; None if the address is somebody else's or has none."""
    key = _parameter(url, "ig_cache_key").split(".")[0]
    try:
        media_id = MEDIA_ID.fullmatch(b64decode(key + "=" * (-len(key) % 4)).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return _shortcode(int(media_id[1])) if media_id and int(media_id[1]) < 2**64 else None


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


def _shortcode(media_id: int) -> str:
    """A media id as Instagram writes it in addresses of posts: base 64, with the letter A for zero."""
    return urlsafe_b64encode(media_id.to_bytes(9, "big")).decode().lstrip("A")


def _parameter(url: str, name: str) -> str:
    parts = _split(url)
    return parse_qs(parts.query).get(name, [""])[0] if parts is not None and _is_instagrams(parts) else ""


def _split(url: str) -> SplitResult | None:
    """None for what only looks like an address, such as an unclosed bracket in the host."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_instagrams(parts: SplitResult) -> bool:
    return f".{parts.hostname}".endswith(HOSTS)
