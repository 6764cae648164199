"""A photo as the server shows it: its addresses here, its record, and its bytes."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from igsearch.errors import FetchError, TryLaterError
from igsearch.output import formats
from igsearch.records import Hit

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from igsearch.records import Photo
    from igsearch.store.rows import StoredPhoto

API = "/api/v2"

PICTURE_SIDE = 1600
"""Pixels: as large as a screen shows it."""

RENDERING, PATIENCE = threading.BoundedSemaphore(2), 10.0
"""A picture of 100 megapixels takes half a gigabyte while it is decoded: no more than two at a time; nobody waits longer for a turn, in seconds."""


def photo_address(kind: str, profile: str, photo_id: str) -> str:
    """The path of a photo's `thumbnails`, `pictures` or `photos` resource. The id is one segment, whatever it holds."""
    return f"{API}/{kind}/{profile}/{quote(photo_id, safe='')}"


def thumbnail_address(hit: Hit) -> str | None:
    """The address of the thumbnail as it is now: another picture has another address, so that a browser may keep this one for good."""
    version = None if hit.thumbnail is None else version_of(hit.thumbnail)
    return version and f"{photo_address('thumbnails', hit.profile, hit.photo.id)}?v={version}"


def picture_address(profile: str, photo: Photo) -> str | None:
    """The address of the picture itself, where it was indexed from a file."""
    return None if photo.path is None else photo_address("pictures", profile, photo.id)


def version_of(path: Path) -> str | None:
    """What changes when the file does; None if it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time of Path's, and asked for every hit
    except (OSError, ValueError):
        return None
    return f"{found.st_mtime_ns:x}-{found.st_size:x}" if stat.S_ISREG(found.st_mode) else None


def hit_record(hit: Hit, *, tells_paths: bool) -> dict[str, Any]:
    """A hit as `igsearch search --json` gives it, with addresses of this server for its pictures. Where files lie is nobody's business from outside."""
    record = formats.hit_record(hit) | {"thumbnail": thumbnail_address(hit), "picture": picture_address(hit.profile, hit.photo)}
    return record if tells_paths else record | {"path": None, "member": None}


def photo_resource(profile: str, stored: StoredPhoto, captioner: str, described_at: datetime, *, tells_paths: bool) -> dict[str, Any]:
    """All that is known of a photo: a hit's record without what a query brings, and with what a hit leaves out."""
    record = hit_record(Hit(0, 0.0, profile, stored.photo, stored.description, stored.thumbnail, is_gone=stored.is_gone), tells_paths=tells_paths)
    for name in ("rank", "score", "matched"):
        del record[name]
    description = stored.description
    return {"schema_version": formats.SCHEMA_VERSION} | record | {
        "location": stored.photo.location,
        "is_pinned": stored.photo.is_pinned,
        "logprob": description.logprob,
        "alternatives": [{"caption": one.caption, "logprob": round(one.logprob, 4)} for one in description.alternatives],
        "captioner": captioner,
        "described_at": formats.iso(described_at),
    }  # fmt: skip


def rendered_picture(photo: Photo) -> bytes:
    """The picture of a photo that lies in a file here, as WebP and no larger than a screen: what is not a picture never leaves.

    Raises PhotoError, or TryLaterError if too many are asked for.
    """
    if photo.path is None:
        raise FetchError(f"the picture of {photo.id!r} is not here, only its thumbnail")
    from igsearch import images
    from igsearch.fetch import Fetcher

    if not RENDERING.acquire(timeout=PATIENCE):
        raise TryLaterError("too many pictures are asked for at once: try again in a moment")
    try:
        with Fetcher(offline=True) as fetcher:
            return images.thumbnail(images.decode(fetcher.fetch(photo), at_least=PICTURE_SIDE), PICTURE_SIDE)
    finally:
        RENDERING.release()
