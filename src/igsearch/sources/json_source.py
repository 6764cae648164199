"""Which source a JSON file is, by what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import SourceError
from igsearch.sources import gallery_dl
from igsearch.sources.entries import Entries, is_entry
from igsearch.sources.file_names import FILE_SCHEME
from igsearch.sources.json_file import LeftOut, Unsound, read_json
from igsearch.sources.scraper_json import POSTS, ScraperJson, post_in
from igsearch.sources.tree import PICTURE_SUFFIXES
from igsearch.sources.url_list import ADDRESS

if TYPE_CHECKING:
    from igsearch.records import Source

OF_A_POST = ("node", "instaloader", "iphone_struct", "edge_media_to_caption", "__typename", "category")
"""What only descriptions of a single post have, which other tools write beside its pictures."""

OF_OTHERS = "photos of other profiles"
N_NAMES_SHOWN, MAX_NAME_SHOWN = 10, 40


def json_source(path: Path, profile: str) -> Source | None:
    """The photos of `profile` in a JSON file; None if they are none. Raises SourceError if the file cannot be read, or holds other profiles."""
    return source_of(read_json(path), path, profile)


def source_of(document: object, path: Path | None, profile: str) -> Source | None:
    """The photos of `profile` in the document of the file at `path`, or of standard input (None); None if they are none. Raises SourceError."""
    if isinstance(document, dict) and POSTS in document:
        return ScraperJson.of_file(path, document)
    if isinstance(document, list):
        return _of_list(path, [element for item in document for element in _elements(item)], profile)
    if not isinstance(document, dict):
        return None
    if post_in(document) is not None or gallery_dl.is_description(document):
        return _of_list(path, list(gallery_dl.entries_of(document)), profile)
    return None if any(not isinstance(document.get(key, []), list) for key in OF_A_POST) else _of_object(path, document, profile)


def _of_object(path: Path | None, document: dict[str, object], profile: str) -> Source | None:
    """A single photo, the answer to a search, the lists of several profiles, or photos by their ids."""
    if is_entry(document):
        return _listed(path, [document], profile)
    if "schema_version" in document and isinstance(hits := document.get("results"), list):
        return _listed(path, hits, profile)
    profiles = {name: value for name, value in document.items() if isinstance(value, list) and (not value or any(map(is_entry, value)))}
    if profiles and not any(map(is_entry, document.values())):
        return Entries(path, "database of captioned photos", _of(profile, profiles, path))
    return _listed(path, [{"id": name} | value if isinstance(value, dict) else value for name, value in document.items()], profile)


def _elements(item: object) -> Iterator[object]:
    """What an element of a list tells of: several, where it is a list itself, as in a file to which two lists were written."""
    if isinstance(item, list) and not gallery_dl.is_message(item) and any(isinstance(inner, dict) for inner in item):
        yield from (element for inner in item for element in gallery_dl.entries_of(inner))
    elif isinstance(item, str):
        yield _named(item)
    else:
        yield from gallery_dl.entries_of(item)


def _named(text: str) -> object:
    """An address or the path of a picture as an entry; any other text as it is."""
    if ADDRESS.match(text) or text.lower().startswith(FILE_SCHEME):
        return {"url": text}
    return {"path": text} if text.lower().endswith(tuple(PICTURE_SUFFIXES)) else text


def _of_list(path: Path | None, elements: Sequence[object], profile: str) -> Source | None:
    """A list of posts as Instagram describes them, or of photos."""
    if any(post_in(element) is not None for element in elements):
        return ScraperJson.of_posts(path, elements)
    return _listed(path, elements, profile)


def _listed(path: Path | None, entries: Sequence[object], profile: str) -> Source | None:
    """A list of photos; those of one profile, where the entries name several."""
    if not any(map(is_entry, entries)):
        return None
    profiles: dict[str, list[object]] = {}
    for entry in entries:
        if (name := _profile(entry)) is not None:
            profiles.setdefault(name, []).append(entry)
    chosen = list(_chosen(entries, profiles, profile, path)) if len(profiles) > 1 else entries
    is_captioned = any(isinstance(entry, dict) and entry.get("caption") for entry in chosen)
    return Entries(path, "list of captioned photos" if is_captioned else "list of photo addresses in JSON", chosen)


def _chosen(entries: Sequence[object], profiles: dict[str, list[object]], profile: str, path: Path | None) -> Iterator[object]:
    """The entries of a profile, with what stands for the others."""
    _of(profile, profiles, path)
    for entry in entries:
        name = _profile(entry)
        if name is None and isinstance(entry, dict):
            yield Unsound("names no profile, while others of the list name several: add its profile", hides=False)
        else:
            yield entry if name is None or _is(name, profile) else LeftOut(OF_OTHERS)


def _profile(entry: object) -> str | None:
    name = entry.get("profile") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else None


def _of(profile: str, profiles: dict[str, list[object]], path: Path | None) -> list[object]:
    """The entries under a profile's name, however it is written."""
    found = [entries for name, entries in profiles.items() if _is(name, profile)]
    if not found:
        names = ", ".join(_shown(name) for name in sorted(profiles)[:N_NAMES_SHOWN]) + (", …" if len(profiles) > N_NAMES_SHOWN else "")
        where = "standard input" if path is None else repr(str(path))
        raise SourceError(f"{where} holds no profile {profile!r}, but {names}: run igsearch index with one of these names")
    return [entry for entries in found for entry in entries]


def _is(name: str, profile: str) -> bool:
    return name.strip().removeprefix("@").lower() == profile.lower()


def _shown(name: str) -> str:
    """A profile's name, which a file may make to be anything."""
    return name if name.isprintable() and len(name) <= MAX_NAME_SHOWN else repr(name[:MAX_NAME_SHOWN])
