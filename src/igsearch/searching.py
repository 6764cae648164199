"""Asking: which photos of the indexed profiles match a query; and what is indexed. Everything here is quick, and imports nothing that is not."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from igsearch.errors import CacheError, NotIndexedError
from igsearch.paths import ProfilePaths, profile_name
from igsearch.ranking.words import Index
from igsearch.records import Hit
from igsearch.store.connection import writer_lock
from igsearch.store.reader import OrderColumn, Store, Summary, indexed_profiles
from igsearch.text import matched_words

EVERY_PROFILE = "@all"


@dataclass(frozen=True, slots=True)
class Search:
    """A question: what to look for, and which of the matches to give; a query of None matches every photo, newest first unless asked for otherwise.

    `since` and `until` are aware times and leave undated photos out.
    """

    query: str | None
    n: int = 20
    offset: int = 0
    min_score: float = 0.0
    since: datetime | None = None
    until: datetime | None = None
    sort: Literal["score", "date", "likes"] = "score"

    @property
    def column(self) -> OrderColumn | None:
        """The column that decides on the order; None where the score does. Where nothing is asked nothing scores, and the newest comes first."""
        return "likes" if self.sort == "likes" else "taken_at" if self.sort == "date" or self.query is None else None

    @property
    def last(self) -> int:
        """How many matches there are to put in order: what lies behind is not shown."""
        return self.offset + self.n


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits asked for, how many match in all, the profiles looked at, and remarks for the user, a line each."""

    hits: Sequence[Hit]
    total: int
    profiles: Sequence[str]
    remarks: Sequence[str]


class Candidate(NamedTuple):
    """A photo that matches, before it is read: whose, its row, its score, and the value that puts it in its place."""

    profile: str
    rowid: int
    score: float
    place: float | str


LOWEST: Mapping[OrderColumn, float | str] = {"taken_at": "", "likes": -math.inf}
"""The place of the unknown: behind all others."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What one profile answers: the photos that can be shown, the first first, and how many match in all."""

    store: Store
    candidates: list[Candidate]
    n_matches: int
    knows_query: bool
    remark: str | None


def search(cache: Path, given: str, wanted: Search, *, load: Callable[[ProfilePaths], Index] = Index.load) -> Answer:
    """The photos of one profile, of several (`natgeo,nasa`) or of `@all` that match a query; equal ones in the order they were indexed.

    Raises NotIndexedError for a profile that is not there, StoreError for one that is damaged. A query without a known word has no hits, and a remark says so.
    `load` reads a profile's index, where the caller keeps it.
    """
    every = given == EVERY_PROFILE
    names = indexed_profiles(cache) if every else dict.fromkeys(map(profile_name, given.split(",")))
    return search_in([ProfilePaths.of(cache, name) for name in names], wanted, skip_unready=every, load=load)


def search_in(profiles: Sequence[ProfilePaths], wanted: Search, *, skip_unready: bool = False, load: Callable[[ProfilePaths], Index] = Index.load) -> Answer:
    """As `search`, of these profiles; with `skip_unready`, those in which nothing can be searched yet cost a remark, unless none is left."""
    found: dict[str, Matches] = {}
    remarks = []
    with ExitStack() as stores:
        for paths in profiles:
            try:
                found[paths.root.name] = matches_in(stores.enter_context(Store.open(paths)), paths, wanted, load)
            except NotIndexedError as err:
                if not skip_unready or len(profiles) == 1:
                    raise
                remarks.append(str(err))
        if not found:
            raise NotIndexedError("nothing is indexed yet: run igsearch index PROFILE")
        candidates = sorted((one for matches in found.values() for one in matches.candidates), key=lambda one: one.place, reverse=True)
        hits = _hits({name: matches.store for name, matches in found.items()}, candidates[wanted.offset : wanted.last], wanted)
    remarks += [matches.remark for matches in found.values() if matches.remark]
    if wanted.query is not None and not any(matches.knows_query for matches in found.values()):
        remarks.append(f"no photo is described with a word of {wanted.query!r}: try other words, such as those of a caption")
    return Answer(hits, sum(matches.n_matches for matches in found.values()), list(found), remarks)


def matches_in(store: Store, paths: ProfilePaths, wanted: Search, load: Callable[[ProfilePaths], Index]) -> Matches:
    """Query one profile. No photo is read yet, and no more are named than can be shown."""
    if wanted.query is None:
        return _every_photo(store, paths.root.name, wanted)
    index = load(paths)
    ranking = index.query(wanted.query)
    enough = ranking.scores >= wanted.min_score
    scores = dict(zip(ranking.rowids[enough].tolist(), ranking.scores[enough].tolist(), strict=True))
    candidates, n_matches = _in_order(store, paths.root.name, wanted, scores)
    behind = not index.is_current(store)
    remark = f"some photos of {paths.root.name} were described after its index was fitted: run igsearch index on it again to find them" if behind else None
    return Matches(store, candidates, n_matches, bool(ranking.terms), remark)


def _every_photo(store: Store, profile: str, wanted: Search) -> Matches:
    """What matches where nothing is asked."""
    column = wanted.column or "taken_at"
    rows, n_photos = store.ordered(column, wanted.since, wanted.until, wanted.last)
    candidates = [Candidate(profile, rowid, 0.0, LOWEST[column] if value is None else value) for rowid, value in rows]
    return Matches(store, candidates, n_photos, knows_query=True, remark=None)


def _in_order(store: Store, profile: str, wanted: Search, scores: Mapping[int, float]) -> tuple[list[Candidate], int]:
    """The first of the photos that score, and how many there are; `scores` by row, falling. Only a filter or another order asks the store."""
    column = wanted.column
    if column is None and wanted.since is None and wanted.until is None:
        return [Candidate(profile, rowid, score, score) for rowid, score in islice(scores.items(), wanted.last)], len(scores)
    values = store.values(column or "taken_at", wanted.since, wanted.until, list(scores))
    rowids = [rowid for rowid in scores if rowid in values]
    places = scores if column is None else {rowid: LOWEST[column] if value is None else value for rowid, value in values.items()}
    first = sorted(rowids, key=places.__getitem__, reverse=True)[: wanted.last]
    return [Candidate(profile, rowid, scores[rowid], places[rowid]) for rowid in first], len(rowids)


def _hits(stores: Mapping[str, Store], shown: Sequence[Candidate], wanted: Search) -> list[Hit]:
    """Read the photos to be shown, each profile's at once."""
    read = {name: store.photos_by_rowid([one.rowid for one in shown if one.profile == name]) for name, store in stores.items()}
    return [
        Hit(rank, one.score, one.profile, row.photo, row.description, row.thumbnail, matched_words(row.description.caption, wanted.query or ""))
        for rank, one in enumerate(shown, start=wanted.offset + 1)
        if (row := read[one.profile].get(one.rowid))
    ]


def summaries(cache: Path) -> list[Summary]:
    """What is indexed below `cache`, in alphabetical order."""
    found = []
    for profile in indexed_profiles(cache):
        with Store.open(ProfilePaths.of(cache, profile)) as store:
            found.append(store.summary())
    return found


def remove(cache: Path, profile: str) -> str:
    """Delete a profile's folder; its name comes back. Raises NotIndexedError if there is none, TryLaterError while it is being indexed."""
    paths = ProfilePaths.of(cache, profile)
    if not paths.root.is_dir():
        raise NotIndexedError(f"nothing is indexed under {paths.root.name!r}: igsearch list shows what is")
    with suppress(sqlite3.Error):  # where the lock itself is damaged, nobody holds it
        writer_lock(paths).close()
    try:
        shutil.rmtree(paths.root)
    except OSError as err:
        raise CacheError(f"{str(paths.root)!r} cannot be deleted ({err.strerror}): check its permissions") from err
    return paths.root.name
