"""What the server serves: the profiles that are indexed now, their indexes kept in memory between questions."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch import managing, searching
from igsearch.paths import EVERY_PROFILE, ProfilePaths, profile_name
from igsearch.ranking.words import Index, newest_folder
from igsearch.store.connection import nothing_indexed
from igsearch.store.reader import Store, indexed_profiles

if TYPE_CHECKING:
    from igsearch.searching import Answer, Query
    from igsearch.store.rows import StoredPhoto, Summary


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An index in memory, and the folder it was read from: a profile that is removed and indexed again begins with the same names."""

    folder: Path
    identity: tuple[int, int]
    index: Index


class Indexes:
    """The newest index of each profile, read once for all threads and again when there is a newer one. Those of removed profiles are let go."""

    def __init__(self) -> None:
        self._loaded, self._loading = dict[Path, _Loaded](), threading.Lock()

    def load(self, paths: ProfilePaths) -> Index:
        """As `Index.load`."""
        folder = newest_folder(paths)
        identity = _identity(folder)
        if folder is None or identity is None:
            return Index.load(paths)
        if (kept := self._kept(paths, folder, identity)) is not None:
            return kept
        with self._loading:
            if (kept := self._kept(paths, folder, identity)) is not None:  # another thread was quicker
                return kept
            index = Index.load(paths)
            others = {root: one for root, one in self._loaded.items() if root.is_dir()}
            self._loaded = others | {paths.root: _Loaded(folder, identity, index)}
        return index

    def _kept(self, paths: ProfilePaths, folder: Path, identity: tuple[int, int]) -> Index | None:
        kept = self._loaded.get(paths.root)
        return kept.index if kept and (kept.folder, kept.identity) == (folder, identity) else None


def _identity(folder: Path | None) -> tuple[int, int] | None:
    """What tells a folder from an earlier one of the same name; None if it is gone."""
    with suppress(FileNotFoundError):
        if folder is not None:
            found = os.stat(folder)  # noqa: PTH116 - a third of the time of Path's, and asked at every question
            return found.st_ino, found.st_mtime_ns
    return None


class Library:
    """The profiles of a cache directory, or those of them that may be `shown`; any thread may ask."""

    def __init__(self, cache: Path, shown: Collection[str] = ()) -> None:
        """Without `shown` all profiles are served, those that appear later too. Raises UsageError for what is no profile name."""
        self._cache, self._shown, self._indexes = cache, frozenset(map(profile_name, shown)), Indexes()

    def names(self) -> list[str]:
        """The profiles that are indexed, in alphabetical order."""
        return [name for name in indexed_profiles(self._cache) if not self._shown or name in self._shown]

    def summaries(self) -> list[Summary]:
        """The profiles in numbers; of a damaged one, what is wrong with it."""
        return [one for one in managing.summaries(self._cache) if not self._shown or one.profile in self._shown]

    def search(self, given: str, wanted: Query) -> Answer:
        """The photos of a profile, of several separated by commas, or of `@all` that match. Raises NotIndexedError, StoreError or UsageError."""
        every = given == EVERY_PROFILE
        names = self.names() if every else given.split(",")
        profiles = list(dict.fromkeys(map(self.paths, names)))
        return searching.search_in(profiles, wanted, skip_unready=every, load=self._indexes.load)

    def paths(self, profile: str) -> ProfilePaths:
        """The files of a profile. Raises UsageError, or NotIndexedError for one that is not served, in the words for one that is not there."""
        paths = ProfilePaths.of(self._cache, profile)
        if self._shown and paths.root.name not in self._shown:
            raise nothing_indexed(paths)
        return paths

    def photo(self, profile: str, photo_id: str) -> tuple[StoredPhoto, str, datetime] | None:
        """A photo, which captioner described it, and when; None if the profile has none of that id. Raises NotIndexedError or StoreError."""
        with Store.open(self.paths(profile)) as store:
            photo, provenance = store.photo(photo_id), store.provenance(photo_id)
        return None if photo is None or provenance is None else (photo, *provenance)
