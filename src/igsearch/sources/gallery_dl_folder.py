"""A folder that gallery-dl downloaded from Instagram with `--write-metadata`: each file has its description beside it, under its own name and `.json`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import SourceError
from igsearch.records import Photo
from igsearch.sources.folder import is_picture, relative_id, walk
from igsearch.sources.json_values import id_in, integer_in, text_in, texts_in, time_in
from igsearch.sources.post import SHORTCODE, hashtags_of

if TYPE_CHECKING:
    from igsearch.sources.json_file import Entry

log = logging.getLogger(__name__)

SIDECAR = ".json"
MAX_JSON_BYTES = 2**20
"""The description of one file takes some 5 KB."""

PEEKED_FILES = 20
MAX_SLIDE = 1000
OF_STORIES = ("story", "highlight")
"""Types of posts whose shortcode leads nowhere."""


class GalleryDlFolder:
    """The pictures of a gallery-dl folder and its subfolders, in the order of their names; of a video the cover, at its address unless it was downloaded."""

    name = "gallery-dl download folder"
    newest_first = False

    def __init__(self, root: Path) -> None:
        """List the folder. Raises SourceError if that cannot be done."""
        self._root = root
        self._files = list(walk(root))
        self.n_expected, self.n_failed_posts = None, 0

    def photos(self) -> Iterator[Photo]:
        """Every picture once, also those without a description; then those that were not downloaded. Raises SourceError if there is none."""
        seen: set[str] = set()
        sidecars = {path for path in self._files if path.suffix == SIDECAR}
        pictures = [path for path in self._files if is_picture(path)]
        beside = {path.with_name(path.name + SIDECAR) for path in pictures}
        for photo in chain(map(self._downloaded, pictures), map(self._described, sorted(sidecars - beside))):
            if photo is not None and photo.id not in seen:
                seen.add(photo.id)
                yield photo
        if not seen:
            raise SourceError(f"folder {str(self._root)!r} holds no picture: name the folder that gallery-dl made for the profile")

    def _downloaded(self, picture: Path) -> Photo:
        sidecar = picture.with_name(picture.name + SIDECAR)
        photo = _photo(_node(sidecar), path=picture)
        return photo or Photo(id=relative_id(picture, self._root), path=picture)

    def _described(self, sidecar: Path) -> Photo | None:
        node = _node(sidecar)
        url = None if node is None or node.get("audio_url") else text_in(node.get("display_url"))
        return None if url is None else _photo(node, url=url)


def is_gallery_dl_folder(root: Path) -> bool:
    """Whether a folder holds what gallery-dl writes about files of Instagram."""
    peeked = (path for path in walk(root) if path.suffix == SIDECAR and path.stem != path.name.partition(".")[0])
    return any(_node(path) is not None for _, path in zip(range(PEEKED_FILES), peeked, strict=False))


def _node(sidecar: Path) -> Entry | None:
    """What gallery-dl wrote about a file of Instagram; None if it wrote nothing, or somebody else did."""
    try:
        with sidecar.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
        document = json.loads(data) if len(data) <= MAX_JSON_BYTES else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as err:
        log.warning("%r cannot be read (%s) and is passed over", str(sidecar), err)
        return None
    is_theirs = isinstance(document, dict) and document.get("category") == "instagram" and id_in(document.get("media_id")) is not None
    return document if is_theirs else None


def _photo(node: Entry | None, *, url: str | None = None, path: Path | None = None) -> Photo | None:
    if node is None:
        return None
    text = text_in(node.get("description"))
    shortcode = _shortcode(node)
    is_carousel = bool(node.get("sidecar_media_id"))
    slide = (is_carousel and integer_in(node.get("num"), 1, MAX_SLIDE)) or 1
    n_slides = max(slide, (is_carousel and integer_in(node.get("count"), 1, MAX_SLIDE)) or 1)
    base = shortcode or id_in(node.get("media_id")) or ""
    return Photo(
        id=base if n_slides == 1 else f"{base}_{slide}",
        url=url,
        path=path,
        shortcode=shortcode,
        slide=slide,
        n_slides=n_slides,
        taken_at=time_in(node.get("post_date")) or time_in(node.get("date")),
        is_video=bool(node.get("video_url")),
        is_pinned=bool(node.get("pinned")),
        likes=integer_in(node.get("likes")),
        post_text=text,
        location=text_in(node.get("location_name")),
        hashtags=hashtags_of(" ".join((text or "", *texts_in(node.get("tags"))))),
    )


def _shortcode(node: Entry) -> str | None:
    """The post's; that of a slide is its own, and leads to the same post."""
    found = text_in(node.get("post_shortcode")) or text_in(node.get("sidecar_shortcode")) or text_in(node.get("shortcode"))
    return found if found and SHORTCODE.fullmatch(found) and node.get("type") not in OF_STORIES else None
