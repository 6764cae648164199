"""Lists of photos in JSON: those of the 2021 prototype, and those that `igsearch export` writes.

An entry of the prototype has `url`, mostly `id`, and where its captioner had run `caption` and `yolo_objects`. igsearch writes the same and more; what is
missing is unknown. A description that an entry holds is taken as it is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from igsearch.errors import SourceError
from igsearch.records import Description, Found, Hypothesis, Label, Photo, Unread
from igsearch.sources import cdn
from igsearch.sources.file_names import FILE_SCHEME, file_at, is_possible, spelt
from igsearch.sources.json_file import Entry, LeftOut, Unsound, pictures_beside, stem_of
from igsearch.sources.json_values import exact_text_in, id_in, integer_in, real_in, text_in, texts_in, time_in
from igsearch.sources.objects_text import objects_in, objects_listed
from igsearch.sources.post import SHORTCODE
from igsearch.sources.url_list import ADDRESS, MAX_LINE_BYTES, each_once, page_unread
from igsearch.text import MAX_CHARS, without_markers

MAX_LISTED = 100
"""Runners-up, labels and hashtags of a photo that are read."""

MAX_SLIDE = 1000
NEEDED = "an entry has a url or a path, or an id and a caption"


class Entries:
    """The photos of a list. A picture that lies beside the list, under the name that its address ends with, is preferred to the address."""

    kind = "entries"
    newest_first = False

    def __init__(self, path: Path | None, name: str, entries: Sequence[object]) -> None:
        """`entries` is the list in the file at `path`, or on standard input (None), from where relative paths start. Raises SourceError if none is a photo."""
        self.name, self._entries = name, entries
        self.root = os.path.abspath(path) if path is not None else ""  # noqa: PTH100  # unlike Path's, without .. in it
        self._folder = Path.cwd() if path is None else path.absolute().parent
        self._pictures = pictures_beside(path)
        self._slides = _slides_by_id(entries)
        self.n_expected = len(entries)
        self.left_out: Mapping[str, int] = {}
        if (reason := _why_none(self.photos())) is not None:
            raise SourceError(f"{self.root or 'standard input'!r} contains no photos: {reason}")

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:  # noqa: ARG002  # it is met anyway
        """The photos, each once, and the entries that are none, by their number in the list where they have no id."""
        self.left_out = left_out = Counter[str]()
        yield from each_once(self._found(left_out))

    def _found(self, left_out: Counter[str]) -> Iterator[Found]:
        for number, entry in enumerate(self._entries, start=1):
            if isinstance(entry, LeftOut):
                left_out[entry.what] += 1
            elif isinstance(entry, Unsound):
                yield Unread(f"entry {number}", entry.reason, hides=entry.hides)
            elif isinstance(entry, dict):
                yield self._photo(entry, f"entry {number}")
            else:
                yield Unread(f"entry {number}", f"entry {number} is no object: {NEEDED}")

    def _photo(self, entry: Entry, called: str) -> Found:
        place = _place(entry, self._folder)
        if isinstance(place, str):
            return Unread(id_in(entry.get("id")) or called, f"{called} {place}")
        identity = _identity(entry, place, self._slides)
        if identity is None:
            return Unread(called, f"{called} {_nowhere(entry)}")
        beside = self._beside(entry, place) if self._pictures else None
        photo = Photo(
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
            description=_description(entry),
        )
        return photo if photo.url or photo.path or photo.description else Unread(photo.id, f"{called} {_nowhere(entry)}", photo.permalink)

    def _beside(self, entry: Entry, place: _Place) -> Path | None:
        """The picture that was downloaded beside the list."""
        stems = entry.get("stems")
        names = (*(stems if isinstance(stems, tuple) else ()), stem_of(place.url) if place.url else "")
        return next((self._pictures[name] for name in names if name in self._pictures), None)


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
    return any(exact_text_in(value.get(key)) for key in ("url", "path", "permalink")) or bool(id_in(value.get("id")) and text_in(value.get("caption")))


def _why_none(found: Iterator[Found]) -> str | None:
    """Why none of these is a photo; None if one is."""
    reason = NEEDED
    for number, one in enumerate(found):
        if isinstance(one, Photo):
            return None
        reason = one.reason if number == 0 else reason
    return reason


def _place(entry: Entry, folder: Path) -> _Place | str:
    """At most one of the address and the file; a post's address is no picture's. What is wrong, where a file is named that cannot be."""
    url, path = exact_text_in(entry.get("url")) or "", entry.get("path")
    post = cdn.post_at(url) or cdn.post_at(exact_text_in(entry.get("permalink")) or "")
    if isinstance(path, str) and path.strip():
        if not is_possible(path):
            return f"names the file {path[:200]!r}, which no system can have: correct the path"
        return _Place(path=_path(path, folder), member=exact_text_in(entry.get("member")), post=post)
    if url.lower().startswith(FILE_SCHEME):
        named = file_at(url)
        return _Place(post=post) if named is None else _Place(path=named.path, member=named.member, post=post)
    is_address = ADDRESS.match(url) and len(url) <= MAX_LINE_BYTES and cdn.has_host(url) and not cdn.is_page(url)
    return _Place(url=url if is_address else None, post=post)


def _path(path: str, folder: Path) -> Path:
    """The file, which is looked for only if it may be written in several ways: a million of them take seconds."""
    place = folder / path
    if path.startswith("~") and not place.exists():
        return Path(os.path.expanduser(path))  # noqa: PTH111  # unlike Path's, it leaves a user who is unknown
    return place if path.isascii() else spelt(place) or place


def _nowhere(entry: Entry) -> str:
    """What is wrong with an entry that leads to no picture and describes none."""
    url = exact_text_in(entry.get("url")) or ""
    if (page := page_unread(url) or page_unread(exact_text_in(entry.get("permalink")) or "")) is not None:
        return f"has no picture: {page.reason}"
    return f"has no picture: {url[:200]!r} is neither an http or https address nor a file on this machine" if url else f"has no picture: {NEEDED}"


def _identity(entry: Entry, place: _Place, slides: dict[str, dict[str, int]]) -> _Identity | None:
    """An id is the post's, where the entry leads to one, else the entry's own, else made of the address; None where there is nothing to make one of.

    An entry with the key `shortcode` is igsearch's: its ids need no interpretation but that a post's is written as Instagram's number, as the prototype has it.
    """
    given = id_in(entry.get("id"))
    by_id = None if given is None else cdn.shortcode_of_id(given)
    shortcode = _shortcode(entry, by_id, place)
    siblings = {} if "slide" in entry or given is None else slides.get(given, {})
    numbered = siblings.get(_picture_name(entry)) if siblings else integer_in(entry.get("slide"), 1, MAX_SLIDE)
    slide = numbered or (place.post[1] if place.post else 1)
    n_slides = max(slide, len(siblings) or integer_in(entry.get("n_slides"), 1, MAX_SLIDE) or 1)
    base = shortcode or given
    if given is not None and not siblings and (shortcode is None or by_id is None):
        return _Identity(given, shortcode, slide, n_slides)
    if base is not None:
        return _Identity(base if n_slides == 1 else f"{base}_{slide}", shortcode, slide, n_slides)
    where = cdn.without_signature(place.url) if place.url else place.path.as_posix() if place.path else None
    name = where if where is None or place.member is None else f"{where}#{place.member}"
    return None if name is None else _Identity(os.fsencode(name).decode("utf-8", "backslashreplace"), None, slide, n_slides)


def _shortcode(entry: Entry, by_id: str | None, place: _Place) -> str | None:
    if "shortcode" in entry:
        own = entry["shortcode"]
        return own if isinstance(own, str) and SHORTCODE.fullmatch(own) else None
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
    return cdn.without_signature(exact_text_in(entry.get("url")) or "")


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
    return (text_in(without_markers(words)) or "") if isinstance(words, str) else ""


def _items(value: object) -> list[object]:
    return value[:MAX_LISTED] if isinstance(value, list) else []


def _at(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None
