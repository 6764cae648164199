"""Lists of photos in JSON: those of the 2021 prototype, and those that `igsearch export` writes.

An entry of the prototype has `url`, mostly `id`, and where its captioner had run `caption` and `yolo_objects`. igsearch writes the same and more; what is
missing is unknown. A description that an entry holds is taken as it is.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from igsearch.errors import SourceError
from igsearch.records import Description, Hypothesis, Label, Photo
from igsearch.sources import cdn
from igsearch.sources.json_file import Entry, pictures_beside, stem_of
from igsearch.sources.json_values import id_in, integer_in, real_in, text_in, texts_in, time_in
from igsearch.sources.objects_text import objects_in, objects_listed
from igsearch.sources.post import SHORTCODE
from igsearch.sources.url_list import ADDRESS, MAX_LINE_BYTES
from igsearch.text import MAX_CHARS, without_markers

log = logging.getLogger(__name__)

MAX_LISTED = 100
"""Runners-up, labels and hashtags of a photo that are read."""

MAX_SLIDE = 1000


class Entries:
    """The photos of a list. A picture that lies beside the list, under the name that its address ends with, is preferred to the address."""

    newest_first = False

    def __init__(self, path: Path, name: str, entries: Sequence[object]) -> None:
        """`entries` is the list in the file at `path`. Raises SourceError if nothing in it is a photo."""
        self.name, self._entries, self._folder = name, entries, path.absolute().parent
        self._pictures = pictures_beside(path)
        self._slides = _slides_by_id(entries)
        self.n_expected, self.n_failed_posts = len(entries), 0
        if next(self.photos(), None) is None:
            raise SourceError(f"{str(path)!r} names no photo: an entry has a url, or a caption and an id")

    def photos(self) -> Iterator[Photo]:
        """The photos, each once; what is no entry is counted and passed over."""
        seen: set[str] = set()
        self.n_failed_posts = 0
        for entry in self._entries:
            photo = self._photo(entry) if isinstance(entry, dict) else None
            if photo is None:
                self.n_failed_posts += 1
            elif photo.id not in seen:
                seen.add(photo.id)
                yield photo
        if seen and self.n_failed_posts:
            log.warning("%d entries of %d are no photos and are passed over", self.n_failed_posts, len(self._entries))

    def _photo(self, entry: Entry) -> Photo | None:
        place = _place(entry, self._folder)
        identity = _identity(entry, place, self._slides)
        if identity is None:
            return None
        beside = self._pictures.get(stem_of(place.url)) if place.url else None
        return Photo(
            id=identity.id,
            url=place.url if beside is None else None,
            path=beside or place.path,
            member=place.member,
            shortcode=identity.shortcode,
            slide=identity.slide,
            n_slides=max(identity.slide, identity.n_slides),
            taken_at=time_in(entry.get("taken_at")),
            is_video=entry.get("is_video") is True,
            is_pinned=entry.get("is_pinned") is True,
            likes=integer_in(entry.get("likes")),
            post_text=text_in(entry.get("post_text")),
            alt_text=text_in(entry.get("alt_text")),
            location=text_in(entry.get("location")),
            hashtags=tuple(texts_in(entry.get("hashtags"))[:MAX_LISTED]),
            given=_description(entry),
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry says that its picture is: an address, a file, a member of a ZIP file; and the post and slide that it names."""

    url: str | None = None
    path: Path | None = None
    member: str | None = None
    post: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _Identity:
    """Which photo an entry is."""

    id: str
    shortcode: str | None
    slide: int
    n_slides: int


def is_entry(value: object) -> bool:
    """Whether this may be a photo: it has an address or a path, or a caption under an id."""
    if not isinstance(value, dict):
        return False
    return any(text_in(value.get(key)) for key in ("url", "path", "permalink")) or bool(id_in(value.get("id")) and text_in(value.get("caption")))


def _place(entry: Entry, folder: Path) -> _Place:
    """At most one of the address and the file; a post's address is no picture's."""
    url, path = text_in(entry.get("url")) or "", text_in(entry.get("path"))
    post = cdn.post_at(url) or cdn.post_at(text_in(entry.get("permalink")) or "")
    if path is not None:
        return _Place(path=folder / path, member=text_in(entry.get("member")), post=post)
    if url.lower().startswith("file:"):
        return replace(_file_at(url), post=post)
    is_address = ADDRESS.match(url) and len(url) <= MAX_LINE_BYTES and cdn.post_at(url) is None
    return _Place(url=url if is_address else None, post=post)


def _file_at(url: str) -> _Place:
    """The file that a `file:` address names, with the member of a ZIP file as its fragment; nothing for one on another machine."""
    try:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            return _Place()
        return _Place(path=_local_path(parts.path), member=unquote(parts.fragment) or None)
    except ValueError:
        return _Place()


def _local_path(path: str) -> Path:
    if os.name == "nt":
        from urllib.request import url2pathname

        return Path(url2pathname(path))
    return Path(os.fsdecode(unquote_to_bytes(path)))


def _identity(entry: Entry, place: _Place, slides: dict[str, dict[str, int]]) -> _Identity | None:
    """An id is the post's, where the entry leads to one, else the entry's own, else made of the address; None where there is nothing to make one of.

    An entry with the key `shortcode` is igsearch's: its ids need no interpretation but that a post's is written as Instagram's number, as the prototype has it.
    """
    given = id_in(entry.get("id"))
    shortcode = _shortcode(entry, given, place)
    siblings = {} if "slide" in entry or given is None else slides.get(given, {})
    slide = siblings.get(_picture_name(entry)) or integer_in(entry.get("slide"), 1, MAX_SLIDE) or (place.post[1] if place.post else 1)
    n_slides = max(slide, len(siblings) or integer_in(entry.get("n_slides"), 1, MAX_SLIDE) or 1)
    base = shortcode or given
    if given is not None and not siblings and (shortcode is None or cdn.shortcode_of_id(given) is None):
        return _Identity(given, shortcode, slide, n_slides)
    if base is not None:
        return _Identity(base if n_slides == 1 else f"{base}_{slide}", shortcode, slide, n_slides)
    where = cdn.without_signature(place.url) if place.url else place.path.as_posix() if place.path else None
    name = where if where is None or place.member is None else f"{where}#{place.member}"
    return None if name is None else _Identity(os.fsencode(name).decode("utf-8", "backslashreplace"), None, slide, n_slides)


def _shortcode(entry: Entry, given: str | None, place: _Place) -> str | None:
    if "shortcode" in entry:
        own = entry["shortcode"]
        return own if isinstance(own, str) and SHORTCODE.fullmatch(own) else None
    by_id = cdn.shortcode_of_id(given) if given is not None else None
    return by_id or (place.post[0] if place.post else None) or (cdn.shortcode_of(place.url) if place.url else None)


def _slides_by_id(entries: Sequence[object]) -> dict[str, dict[str, int]]:
    """For each id that stands with several pictures, their names and numbers: they are the slides of a post. A picture signed anew is the same one."""
    given = [(identity, entry) for entry in entries if isinstance(entry, dict) and "slide" not in entry and (identity := id_in(entry.get("id"))) is not None]
    repeated = {identity for identity, count in Counter(identity for identity, _ in given).items() if count > 1}
    slides: dict[str, dict[str, int]] = {}
    for identity, entry in given:
        if identity in repeated:
            names = slides.setdefault(identity, {})
            names.setdefault(_picture_name(entry), len(names) + 1)
    return {identity: names for identity, names in slides.items() if len(names) > 1}


def _picture_name(entry: Entry) -> str:
    return cdn.without_signature(text_in(entry.get("url")) or "")


def _description(entry: Entry) -> Description | None:
    caption = _caption(entry.get("caption"))
    objects = objects_listed(entry["objects"]) if "objects" in entry else objects_in(entry.get("yolo_objects"))
    if not caption and not objects:
        return None
    runners_up = [(_caption(_at(one, "caption")), real_in(_at(one, "logprob"))) for one in _items(entry.get("alternatives"))]
    labels = [(text_in(_at(one, "name")), real_in(_at(one, "probability"))) for one in _items(entry.get("labels"))]
    return Description(
        caption,
        real_in(entry.get("logprob")),
        tuple(Hypothesis(text, logprob) for text, logprob in runners_up if text and logprob is not None),
        tuple(Label(name, probability) for name, probability in labels if name and probability is not None),
        objects,
    )


def _caption(value: object) -> str:
    """A sentence, also where it was left as a list of words."""
    words = " ".join(word for word in value[:MAX_CHARS] if isinstance(word, str)) if isinstance(value, list) else value
    return without_markers(words) if isinstance(words, str) else ""


def _items(value: object) -> list[object]:
    return value[:MAX_LISTED] if isinstance(value, list) else []


def _at(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None
