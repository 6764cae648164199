"""Which source a JSON file is, by what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import SourceError
from igsearch.sources.entries import Entries, is_entry
from igsearch.sources.json_file import Entry, read_json
from igsearch.sources.scraper_json import POSTS, ScraperJson
from igsearch.sources.url_list import ADDRESS

if TYPE_CHECKING:
    from igsearch.records import Source

OF_A_POST = ("node", "instaloader", "iphone_struct", "edge_media_to_caption", "__typename", "category")
"""What only descriptions of a single post have, which other tools write beside its pictures."""

N_NAMES_SHOWN = 10


def json_source(path: Path, profile: str) -> Source | None:
    """The photos of `profile` in a JSON file; None if they are none. Raises SourceError if the file cannot be read, or holds other profiles."""
    document = read_json(path)
    if isinstance(document, list):
        return _listed(path, [{"url": item} if isinstance(item, str) and ADDRESS.match(item) else item for item in document], profile)
    if not isinstance(document, dict) or any(not isinstance(document.get(key, []), list) for key in OF_A_POST):
        return None
    if POSTS in document:
        return ScraperJson(path, document)
    if is_entry(document):
        return _listed(path, [document], profile)
    if profiles := {name: value for name, value in document.items() if isinstance(value, list) and (not value or any(map(is_entry, value)))}:
        return Entries(path, "database of captioned photos", _of(profile, profiles, path))
    return _listed(path, [{"id": name} | value for name, value in document.items() if isinstance(value, dict)], profile)


def _listed(path: Path, entries: Sequence[object], profile: str) -> Source | None:
    """A list of photos; those of one profile, where the entries name several."""
    if not any(map(is_entry, entries)):
        return None
    profiles: dict[str, list[Entry]] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(name := entry.get("profile"), str):
            profiles.setdefault(name, []).append(entry)
    chosen = _of(profile, profiles, path) if len(profiles) > 1 else entries
    is_captioned = any(isinstance(entry, dict) and entry.get("caption") for entry in chosen)
    return Entries(path, "list of captioned photos" if is_captioned else "list of photo addresses in JSON", chosen)


def _of(profile: str, profiles: dict[str, list[Entry]], path: Path) -> list[Entry]:
    """The entries under a profile's name, however it is written."""
    found = next((entries for name, entries in profiles.items() if name.strip().removeprefix("@").lower() == profile.lower()), None)
    if found is None:
        names = ", ".join(sorted(profiles)[:N_NAMES_SHOWN]) + (", …" if len(profiles) > N_NAMES_SHOWN else "")
        raise SourceError(f"{str(path)!r} holds no profile {profile!r}, but {names}: run igsearch index with one of these names")
    return found
