"""What a folder holds, put together: pictures, what downloaders tell of them, and what cannot be used."""

from __future__ import annotations

import zipfile
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from igsearch.records import Photo, Unread
from igsearch.sources.descriptions import SCRAPER, SLIDE, Described, Join, described, stem_of_description
from igsearch.sources.gallery_dl import GALLERY_DL
from igsearch.sources.instaloader_folder import INSTALOADER, PROFILE_PICTURE, Named, by_name
from igsearch.sources.tree import OTHERS, Tree, plain

if TYPE_CHECKING:
    from igsearch.sources.told import Told

NAMES = {
    frozenset[str](): "folder of pictures",
    frozenset((INSTALOADER,)): "instaloader download folder",
    frozenset((GALLERY_DL,)): "gallery-dl download folder",
    frozenset((SCRAPER,)): "metadata of instagram-scraper",
}
MIXED = "folder of pictures and downloads"

DAMAGED, COPIES, NOWHERE = "damaged descriptions of pictures", "further copies of a photo", "listed pictures that are neither there nor at an address"
COVERLESS, PROFILE_PICTURES, ARCHIVES = "videos without a cover", "profile pictures", "ZIP files that are no export of Instagram's"

MAX_TEXT_BYTES = 64 * 2**10
"""Instagram allows 2,200 characters in a post."""


Timed: TypeAlias = tuple[float, Photo]
"""A photo and its place in time, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The photos of which something is known, newest first; the pictures that remain; and what cannot be read or is left out."""

    name: str
    known: list[Photo]
    pictures: list[str]
    n_files: int
    unread: list[Unread] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def contents_of(tree: Tree) -> Contents:
    """Join the files of a folder to each other."""
    files = {name: described(tree.root / name, name) for name in tree.descriptions}
    told = [(name, one) for name, file in files.items() for one in file.told]
    join = Join(told)
    local, unplaced = _placed(join, tree.pictures)
    left_out = tree.left_out.copy()
    timed, pictures = _named(unplaced, {_folder(name) for name, _ in told}, left_out)
    known = _newest_first([*_of_posts(told, local, tree.root, left_out), *_by_name(timed, tree)])
    tools = {one.tool for _, one in told} | ({INSTALOADER} if _are_instaloaders(timed, tree.texts) else set())
    name = MIXED if tools and pictures else NAMES.get(frozenset(tools), MIXED)
    stems = _stems(tree.pictures)
    left_out.update(_useless(files, tree.texts, stems))
    left_out[COVERLESS] += sum(_stem(video) not in stems and video not in stems and join.of(video) is None for video in tree.videos)
    archives = list(_damaged_archives(tree))
    left_out[ARCHIVES] += len(tree.archives) - len(archives)
    unread = [*tree.unread, *_unreadable(files, stems), *archives]
    return Contents(name, known, pictures, tree.n_files, unread, +left_out)


def _placed(join: Join, pictures: Sequence[str]) -> tuple[Mapping[int, Mapping[int, list[str]]], list[str]]:
    """The pictures of each description by slide, and those of which no description speaks."""
    placed: defaultdict[int, dict[int, list[str]]] = defaultdict(dict)

    def place(picture: str, index: int, slide: int) -> None:
        slides = placed[index]
        slides.setdefault(slide or next(n for n in range(1, len(slides) + 2) if n not in slides), []).append(picture)

    unplaced = []
    for picture in pictures:
        if (found := join.of(picture)) is None:
            unplaced.append(picture)
        else:
            place(picture, *found)
    alone = []
    for picture in unplaced:
        found = join.alike(picture)
        if found is None or found[1] in placed.get(found[0], ()):
            alone.append(picture)
        else:
            place(picture, *found)
    return placed, alone


def _of_posts(told: Sequence[tuple[str, Told]], local: Mapping[int, Mapping[int, list[str]]], root: Path, left_out: Counter[str]) -> Iterable[Timed]:
    """Every photo that descriptions tell of, once: from its file, else at its address.

    A second file of a photo is a copy if it lies in another folder, as instaloader keeps a post of a tag in the tag's folder too, or if another tool tells of
    it; else a picture of its own.
    """
    photos: dict[str, Timed] = {}
    there: dict[str, tuple[str, str]] = {}
    nowhere: set[str] = set()
    for index, (name, one) in enumerate(told):
        slides = local.get(index, {})
        named = Named.of(f"{stem_of_description(name)}.json")
        for photo in one.with_slides(slides):
            for picture in slides.get(photo.slide, ()):
                own = replace(photo, id=photo.id or _own_id(picture), url=None, path=root / picture)
                first, tool = there.setdefault(own.id, (picture, one.tool))
                if first is picture:
                    photos[own.id] = _time(own, named), own
                elif (_folder(first), tool) == (_folder(picture), one.tool):
                    photos[plain(picture)] = _time(own, named), replace(own, id=plain(picture), shortcode=None)
                else:
                    left_out[COPIES] += 1
            if photo.id and photo.url:
                photos.setdefault(photo.id, (_time(photo, named), photo))
            elif photo.id:
                nowhere.add(photo.id)
    left_out[NOWHERE] += len(nowhere - photos.keys())
    return photos.values()


def _own_id(picture: str) -> str:
    """The id of a picture that is no post's: its path, without suffix where instaloader named it by the time."""
    named = Named.of(picture)
    return plain(_stem(picture) if named and named.is_utc else picture)


def _named(pictures: Sequence[str], folders: set[str], left_out: Counter[str]) -> tuple[list[tuple[str, Named]], list[str]]:
    """The pictures whose names tell a time, and the others. Beside posts, in `folders` and where names are instaloader's, those of the profile are left out."""
    timed, others = list[tuple[str, Named]](), list[str]()
    for picture in pictures:
        if named := Named.of(picture):
            timed.append((picture, named))
        else:
            others.append(picture)
    folders = folders | {_folder(picture) for picture, named in timed if named.is_utc}
    plain_ones = [picture for picture in others if not (PROFILE_PICTURE.fullmatch(picture) and _folder(picture) in folders)]
    left_out[PROFILE_PICTURES] += len(others) - len(plain_ones)
    return timed, plain_ones


def _time(photo: Photo, named: Named | None) -> float:
    """Seconds since 1970 by the name of the files, which is the same in every run, else by what is told; a photo without a date counts as of 1970."""
    time = named.taken_at if named else photo.taken_at
    return time.timestamp() if time else 0.0


def _newest_first(photos: list[Timed]) -> list[Photo]:
    """Photos of one time keep their order."""
    return [photo for _, photo in sorted(photos, key=itemgetter(0), reverse=True)]


def _by_name(timed: Sequence[tuple[str, Named]], tree: Tree) -> Iterator[Timed]:
    texts = frozenset(tree.texts)
    photos = by_name(timed, lambda name: _text(tree.root / name) if name in texts else None, frozenset(tree.videos))
    seen: set[str] = set()
    for picture, photo in photos:
        identity = plain(photo.id if photo.id not in seen else picture)
        seen.add(photo.id)
        yield _time(photo, None), replace(photo, id=identity, path=tree.root / picture)


def _text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TEXT_BYTES).decode("utf-8", "replace").strip() or None
    except OSError:
        return None


def _are_instaloaders(timed: Sequence[tuple[str, Named]], texts: Sequence[str]) -> bool:
    """Whether names that tell a time are instaloader's: cameras leave out `_UTC`, and write no text."""
    return any(named.is_utc for _, named in timed) or not {f"{named.stem}.txt" for _, named in timed}.isdisjoint(texts)


def _stems(pictures: Sequence[str]) -> frozenset[str]:
    """How files that speak of one of the pictures may be called, without their suffix."""
    stems = {_stem(picture) for picture in pictures}
    return frozenset(pictures) | stems | {match[1] for stem in stems if (match := SLIDE.fullmatch(stem))}


def _useless(files: Mapping[str, Described], texts: Sequence[str], stems: Container[str]) -> Counter[str]:
    """How many descriptions and texts are of no use."""
    others = sum(not file.is_ours for file in files.values()) + sum(_stem(text) not in stems and _stem(_stem(text)) not in stems for text in texts)
    damaged = sum(file.problem is not None and file.is_ours and stem_of_description(name) in stems for name, file in files.items())
    listed = sum((Counter(file.left_out) for file in files.values()), Counter())
    return Counter({OTHERS: others, DAMAGED: damaged}) + listed


def _unreadable(files: Mapping[str, Described], stems: Container[str]) -> Iterator[Unread]:
    """Descriptions that are damaged, and stand alone: their photos are lost."""
    for name, file in files.items():
        yield from file.unread
        if file.problem and file.is_ours and stem_of_description(name) not in stems:
            yield Unread(plain(name), f"description {plain(name)!r} cannot be read ({file.problem}): download it again")


def _damaged_archives(tree: Tree) -> Iterator[Unread]:
    for name in tree.archives:
        if not zipfile.is_zipfile(tree.root / name):
            yield Unread(plain(name), f"{plain(name)!r} is a damaged ZIP file, or was not downloaded to its end: download it again", hides=True)


def _stem(name: str) -> str:
    """A path without its suffix."""
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.rpartition('.')[0] or file}"


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
