"""The descriptions that downloaders leave beside pictures: read, told apart by their contents, and joined to the pictures they speak of."""

from __future__ import annotations

import lzma
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

from igsearch.errors import SourceError, first_line
from igsearch.records import Photo, Unread
from igsearch.sources.gallery_dl import told_by_gallery_dl
from igsearch.sources.instaloader_folder import NOT_OPENED, TIMED, is_instaloaders, told_by_instaloader
from igsearch.sources.json_file import Unsound, parsed, read_json, stem_of
from igsearch.sources.scraper_json import POSTS, ScraperJson
from igsearch.sources.told import Told
from igsearch.sources.tree import DESCRIPTION_SUFFIXES, PICTURE_SUFFIXES, VIDEO_SUFFIXES

SCRAPER = "instagram-scraper"

HEAD_BYTES = 2**16
"""Enough of a description to meet a key that only descriptions have."""

SURE_MARKS = tuple(f'"{key}"'.encode() for key in ("instaloader", "shortcode", "post_shortcode", "media_id", "display_url", "iphone_struct"))
MARKS = (*SURE_MARKS, b'"code"', b'"category"', b'"__typename"')
"""Keys of descriptions: those that hardly anything else has, and those of which a description has one in any case."""

MAX_JSON_BYTES = 64 * 2**20
"""A post with its app data takes some 100 KB, and what gallery-dl says of a file 5; some tools write thousands into one file."""

MAX_UNPACKED_BYTES = 16 * 2**20
LZMA_MEMORY_BYTES = 128 * 2**20
"""Enough to unpack what xz -9 packs, 65 MiB; instaloader's files need 9."""

SLIDE = re.compile(r"(.+)_([1-9]\d{0,2})", re.DOTALL)
SEPARATOR = re.compile(r"[_\-. ]")
MAX_PARTS = 10
MIN_PART, MIN_NUMBER, MIN_FAR = 6, 10, 10
"""Characters that a shortcode, a media id, and any name far from its description must have, so that no picture is joined to a post by chance."""


@dataclass(slots=True)
class Described:
    """What one file told. `problem` says what of it could not be read; `is_ours` tells whether a downloader wrote it."""

    told: list[Told] = field(default_factory=list)
    problem: str | None = None
    unread: list[Unread] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)
    is_ours: bool = True


def described(path: Path, name: str) -> Described:
    """Read the file at `path`, which is called `name` in its folder tree."""
    found = Described()
    if not NOT_OPENED.fullmatch(name):
        found.is_ours = _is_named_as_one(name)
        try:
            if POSTS.encode() in _start(path):
                _add_scraped(path, found)
            else:
                _add_documents(_contents(path, is_whole=found.is_ours), found)
        except (OSError, EOFError, lzma.LZMAError, ValueError, RecursionError, SourceError) as err:
            found.problem = getattr(err, "strerror", None) or first_line(err)
    return found


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _contents(path: Path, *, is_whole: bool) -> bytes:
    """The JSON in a file, unpacked; unless `is_whole`, its start alone where that shows that no downloader wrote it. Raises ValueError for too much."""
    limit = MAX_JSON_BYTES
    with path.open("rb") as file:
        data = file.read(HEAD_BYTES)
        is_packed = path.suffix.lower() == ".xz"
        if is_packed or is_whole or any(mark in data for mark in MARKS):
            data += file.read(max(0, min(limit, os.fstat(file.fileno()).st_size) + 1 - len(data)))
    if is_packed:
        limit = MAX_UNPACKED_BYTES
        data = lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES).decompress(data, max_length=limit + 1)
    if len(data) > limit:
        raise ValueError(f"longer than {limit} bytes")
    return data


def _add_documents(data: bytes, found: Described) -> None:
    """What the descriptions in a file tell. Raises SourceError and ValueError for a file that is damaged as a whole."""
    found.is_ours |= any(mark in data for mark in SURE_MARKS)
    if not data.strip():
        raise ValueError("it is empty")
    document = parsed(data, "the file")
    documents = document if isinstance(document, list) else [document]
    damage = [one for one in documents if isinstance(one, Unsound)]
    found.told = [told for one in documents if (told := _told(one)) is not None]
    if damage:
        found.problem = f"{len(damage)} of its {len(documents)} descriptions are damaged" if len(documents) > 1 else damage[0].reason
    elif not found.told:  # sound, and of something else
        found.is_ours = isinstance(document, dict) and is_instaloaders(document)


def _told(document: object) -> Told | None:
    """What a description tells; it may stand at the end of a list, as in the messages of `gallery-dl --dump-json`."""
    node = document[-1] if isinstance(document, list) and document else document
    return (told_by_gallery_dl(node) or told_by_instaloader(node)) if isinstance(node, dict) else None


def _add_scraped(path: Path, found: Described) -> None:
    """The posts in the file of instagram-scraper, which names pictures as their addresses end. Raises SourceError."""
    found.is_ours = True
    document = read_json(path)
    source = ScraperJson.of_file(path, document if isinstance(document, dict) else {})
    for photo in source.photos():
        if isinstance(photo, Photo):
            name = stem_of(photo.url) if photo.url else photo.path.stem if photo.path else ""
            found.told.append(Told(SCRAPER, {photo.slide: replace(photo, path=None)}, {name: photo.slide} if name else {}, is_whole=False))
        else:
            found.unread.append(replace(photo, id=f"{path.name}: {photo.id}"))
    found.left_out = source.left_out


def _is_named_as_one(name: str) -> bool:
    """Whether nobody but a downloader names a file so: packed, by a time, or behind a picture's or video's whole name."""
    stem = stem_of_description(name)
    suffix = f".{stem.rpartition('.')[2].lower()}"
    return name.lower().endswith(".json.xz") or suffix in PICTURE_SUFFIXES or suffix in VIDEO_SUFFIXES or TIMED.fullmatch(stem) is not None


def stem_of_description(name: str) -> str:
    """What stands before the suffix of a description."""
    return next((name[: -len(suffix)] for suffix in DESCRIPTION_SUFFIXES if name.lower().endswith(suffix)), name)


def _plain_stem(name: str) -> str:
    """A path without the suffix of a picture or video, whatever its case and however its accents are put together."""
    stem, dot, suffix = normalize("NFC", name).casefold().rpartition(".")
    return stem if f"{dot}{suffix}" in PICTURE_SUFFIXES | VIDEO_SUFFIXES else f"{stem}{dot}{suffix}"


class Join:
    """Which description speaks of which picture: it lies beside it, or the picture is named by the post's shortcode, a media id or its address."""

    def __init__(self, told: Sequence[tuple[str, Told]]) -> None:
        """`told` are descriptions, each with the path of the file it stood in."""
        self._told = told
        self._beside: dict[str, int] = {}
        self._alike: dict[str, int] = {}
        self._named: dict[str, tuple[int, int]] = {}
        n_told = Counter(file for file, _ in told)
        for index, (file, _) in enumerate(told):
            if n_told[file] == 1:
                self._beside.setdefault(stem_of_description(file), index)
                self._alike.setdefault(_plain_stem(stem_of_description(file)), index)
        for index, (_, one) in sorted(enumerate(told), key=lambda item: not any(photo.url for photo in item[1][1].photos.values())):
            for name, slide in one.names.items():  # what tells of each picture goes before what tells of a post as a whole
                self._named.setdefault(name, (index, slide))

    def of(self, picture: str) -> tuple[int, int] | None:
        """The number of the description that speaks of a picture, and the slide that it is there, `NEXT` if that is open."""
        stem = picture.rpartition(".")[0] if "." in picture.rpartition("/")[2] else picture
        name = stem.rpartition("/")[2]
        return self._next_to((picture, stem), name, self._beside) or (self._by_name(name, picture) if self._named else None)

    def alike(self, picture: str) -> tuple[int, int] | None:
        """The same by a name that differs in case, in how accents are put together, or in the kind of picture, as of one that was converted later."""
        stem = _plain_stem(picture)
        return self._next_to((stem,), stem.rpartition("/")[2], self._alike)

    def _next_to(self, wholes: Sequence[str], name: str, beside: Mapping[str, int]) -> tuple[int, int] | None:
        for whole in wholes:
            if (index := beside.get(whole)) is not None:
                one = self._told[index][1]
                return index, one.names.get(name) or (1 if one.is_whole else next(iter(one.photos)))
        if (match := SLIDE.fullmatch(wholes[-1])) and (index := beside.get(match[1])) is not None and self._told[index][1].is_whole:
            return index, int(match[2])
        return None

    def _by_name(self, name: str, picture: str) -> tuple[int, int] | None:
        found = self._named.get(name)
        if found is not None and (len(name) >= MIN_FAR or _is_near(self._told[found[0]][0], picture)):
            return found
        return next((found for part in _parts(name) if (found := self._named.get(part)) is not None), None)

    def name_of(self, index: int) -> str:
        """The path of the file with a description."""
        return self._told[index][0]


def _parts(name: str) -> Iterator[str]:
    """What of a name may be a shortcode or a media id, the longest first."""
    cuts = [0, *(match.end() for match in SEPARATOR.finditer(name)), len(name) + 1][: MAX_PARTS + 2]
    spans = sorted(((start, end - 1) for i, start in enumerate(cuts) for end in cuts[i + 1 :]), key=lambda span: span[0] - span[1])
    return (part for start, end in spans if len(part := name[start:end]) >= (MIN_NUMBER if part.isdigit() else MIN_PART))


def _is_near(description: str, picture: str) -> bool:
    """Whether one lies in the other's folder, or in a folder there."""
    one, other = description.rpartition("/")[0], picture.rpartition("/")[0]
    return one == other or one.rpartition("/")[0] == other or other.rpartition("/")[0] == one
