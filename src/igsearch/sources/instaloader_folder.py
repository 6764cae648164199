"""A folder that instaloader downloaded a profile into: posts from its JSON files, pictures from the files beside them. Nothing is asked of Instagram."""

from __future__ import annotations

import json
import logging
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from igsearch.errors import SourceError
from igsearch.records import Photo
from igsearch.sources.folder import is_picture, relative_id, walk
from igsearch.sources.post import Node, hashtags_of, photos_of

log = logging.getLogger(__name__)

SIDECAR_SUFFIXES = (".json.xz", ".json")
COMMENTS = "_comments.json"
"""The end of the names of files with a post's comments, which can be large and are not opened."""

BASE = re.compile(r"(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)_UTC")
"""How instaloader names a post's files unless told otherwise; it sorts by time."""

SLIDE = re.compile(r"(.+)_([1-9]\d{0,2})")

MAX_JSON_BYTES = 16 * 2**20
"""A post with its app data takes some 100 KB."""

LZMA_MEMORY_BYTES = 128 * 2**20
"""Enough to unpack what xz -9 packs, 65 MiB; instaloader's files need 9."""

MAX_TEXT_BYTES = 64 * 2**10
"""Instagram allows 2,200 characters in a post."""

PEEKED_FILES = 20
"""How many JSON files with strange contents are opened before a folder is taken for something else."""


@dataclass(frozen=True, slots=True)
class _Post:
    """The files of one post: what stands before their suffixes, the JSON, and the pictures by slide number."""

    stem: Path
    sidecar: Path | None = None
    pictures: dict[int, Path] = field(default_factory=dict)

    @property
    def time(self) -> str | None:
        """When it was posted, if the name tells: in the name's own writing."""
        match = BASE.fullmatch(self.stem.name)
        return match[1] if match else None


class InstaloaderFolder:
    """The posts of an instaloader download folder and its subfolders: newest first if the files are named by time, else in the order of their names."""

    name = "instaloader download folder"

    def __init__(self, root: Path) -> None:
        """List the folder. Raises SourceError if that cannot be done."""
        self._root = root
        posts = _posts(list(walk(root)))
        self.n_expected, self.n_failed_posts = None, 0
        self.newest_first = not any(post.time is None and _node(post) for post in posts)
        self._posts = sorted(posts, key=lambda post: (post.time or "", post.stem), reverse=True) if self.newest_first else posts

    def photos(self) -> Iterator[Photo]:
        """Every picture of every post; for a picture that was not downloaded, its address. Raises SourceError if there is none."""
        seen: set[str] = set()
        for post in self._posts:
            for photo in self._photos_of(post):
                if photo.id not in seen:
                    seen.add(photo.id)
                    yield photo
        if not seen:
            raise SourceError(f"folder {str(self._root)!r} holds no picture of a post: name the folder that instaloader made for the profile")

    def _photos_of(self, post: _Post) -> Iterator[Photo]:
        node = _node(post)
        if node is not None:
            return photos_of(node, post.pictures)
        return _by_name(post, self._root)


def is_instaloader_folder(root: Path) -> bool:
    """Whether a folder holds what instaloader writes: pictures named by time, or JSON files of posts under whatever name."""
    n_peeked = 0
    for path in walk(root):
        if is_picture(path) and _place(path, frozenset()) is not None:
            return True
        if _sidecar_stem(path) is not None and n_peeked < PEEKED_FILES:
            n_peeked += 1
            if _node(_Post(path, sidecar=path)) is not None:
                return True
    return False


def _posts(files: list[Path]) -> list[_Post]:
    """Bring together the files of each post: those that begin as its JSON file does, and without one those named by time."""
    posts = {stem: _Post(stem, sidecar=path) for path in files if (stem := _sidecar_stem(path)) is not None}
    sidecars = frozenset(posts)
    for path in filter(is_picture, files):
        if (place := _place(path, sidecars)) is not None:
            stem, slide = place
            posts.setdefault(stem, _Post(stem)).pictures.setdefault(slide, path)
    return [posts[stem] for stem in sorted(posts)]


def _sidecar_stem(path: Path) -> Path | None:
    """What the files of the post begin with, if `path` may be its JSON file."""
    if path.name.endswith(COMMENTS):
        return None
    return next((path.with_name(path.name.removesuffix(suffix)) for suffix in SIDECAR_SUFFIXES if path.name.endswith(suffix)), None)


def _place(picture: Path, sidecars: frozenset[Path]) -> tuple[Path, int] | None:
    """Which post a picture belongs to and which slide it is there; None for a profile picture and the like."""
    stem = picture.with_suffix("")
    if stem in sidecars or BASE.fullmatch(stem.name):
        return stem, 1
    match = SLIDE.fullmatch(stem.name)
    if match and (stem.with_name(match[1]) in sidecars or BASE.fullmatch(match[1])):
        return stem.with_name(match[1]), int(match[2])
    return None


def _by_name(post: _Post, root: Path) -> Iterator[Photo]:
    """The pictures of a post without JSON: the time is in their names, the text beside them."""
    if post.time is None:
        return
    text = _text(post.stem.with_name(post.stem.name + ".txt"))
    for slide, path in sorted(post.pictures.items()):
        yield Photo(
            id=relative_id(path.with_suffix(""), root),
            path=path,
            slide=slide,
            n_slides=max(post.pictures),
            taken_at=_time(post.time),
            is_video=path.with_suffix(".mp4").exists(),
            post_text=text,
            hashtags=hashtags_of(text),
        )


def _time(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, "%Y-%m-%d_%H-%M-%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TEXT_BYTES).decode("utf-8", "replace").strip() or None
    except OSError:
        return None


def _node(post: _Post) -> Node | None:
    """Instagram's description of the post, from its JSON file. A damaged file is passed over with a warning: the pictures are there all the same."""
    if post.sidecar is None:
        return None
    try:
        document = json.loads(_unpacked(post.sidecar))
    except (OSError, EOFError, lzma.LZMAError, ValueError, RecursionError) as err:
        log.warning("%r cannot be read (%s) and is passed over", str(post.sidecar), err)
        return None
    if not isinstance(document, dict):
        return None
    if "instaloader" not in document:
        return document if "shortcode" in document or "code" in document else None
    about, node = document["instaloader"], document.get("node")
    return node if isinstance(about, dict) and about.get("node_type") == "Post" and isinstance(node, dict) else None


def _unpacked(sidecar: Path) -> bytes:
    """The JSON in the file. Raises ValueError for more than a post can hold, which a few packed bytes may claim."""
    with sidecar.open("rb") as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if sidecar.suffix == ".xz":
        data = lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES).decompress(data, max_length=MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"longer than {MAX_JSON_BYTES} bytes")
    return data
