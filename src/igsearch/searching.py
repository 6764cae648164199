"""Asking: which photos of the indexed profiles match a query. Everything here is quick, and imports nothing that is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from igsearch.errors import IgsearchError, NotIndexedError, StoreError, TryLaterError
from igsearch.paths import EVERY_PROFILE, ProfilePaths, profile_name
from igsearch.ranking.words import Index
from igsearch.records import Hit
from igsearch.store.connection import is_being_written, nothing_indexed
from igsearch.store.reader import OrderColumn, Store, indexed_profiles

if TYPE_CHECKING:
    from igsearch.store.rows import StoredPhoto


@dataclass(frozen=True, slots=True)
class Query:
    """A question: what to look for, and which of the matches to give; a text of None matches every photo, newest first unless asked for otherwise.

    `since` and `until` are aware times and leave undated photos out.
    """

    text: str | None
    n: int = 20
    offset: int = 0
    min_score: float = 0.0
    since: datetime | None = None
    until: datetime | None = None
    sort: Literal["score", "date", "likes"] = "score"

    @property
    def column(self) -> OrderColumn | None:
        """The column that decides on the order; None where the score does. Where nothing is asked nothing scores, and the newest comes first."""
        return "likes" if self.sort == "likes" else "taken_at" if self.sort == "date" or self.text is None else None

    @property
    def has_dates(self) -> bool:
        """Whether only photos of some time are asked for."""
        return self.since is not None or self.until is not None

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
    """What one profile answers: the photos that can be shown, the first first, how many match in all, and remarks for the user."""

    candidates: list[Candidate]
    n_matches: int
    index: Index | None = None
    knows_query: bool = True
    remarks: tuple[str, ...] = ()

    def matched(self, caption: str, text: str | None) -> tuple[str, ...]:
        """The words of a caption that the query met."""
        return () if self.index is None or text is None else self.index.matched_words(caption, text)


def search(cache: Path, given: str, wanted: Query, *, load: Callable[[ProfilePaths], Index] = Index.load) -> Answer:
    """The photos of one profile, of several (`natgeo,nasa`) or of `@all` that match a query; equal ones in the order they were indexed.

    Raises NotIndexedError for a profile that is not there, StoreError for one that is damaged. A query without a known word has no hits, and a remark says so.
    `load` reads a profile's index, where the caller keeps it.
    """
    return search_in(named_profiles(cache, given), wanted, skip_unready=given == EVERY_PROFILE, load=load)


def named_profiles(cache: Path, given: str) -> list[ProfilePaths]:
    """The profiles that a user names: one, several separated by commas, or `@all`. Raises NotIndexedError, which may know what was meant, or UsageError."""
    if given == EVERY_PROFILE:
        return [ProfilePaths.of(cache, name) for name in indexed_profiles(cache)]
    named = [ProfilePaths.of(cache, name) for name in dict.fromkeys(map(profile_name, given.split(",")))]
    for paths in named:
        if not paths.database.is_file():
            raise nothing_indexed(paths, likely_name(paths.root.name, cache))
    return named


def likely_name(name: str, cache: Path) -> str | None:
    """The indexed profile that `name` is a slip of."""
    from igsearch.spelling import did_you_mean

    return did_you_mean(name, set(indexed_profiles(cache)))


def search_in(profiles: Sequence[ProfilePaths], wanted: Query, *, skip_unready: bool = False, load: Callable[[ProfilePaths], Index] = Index.load) -> Answer:
    """As `search`, of these profiles, one after the other: however many there are, few files are open.

    A damaged one costs a remark, unless no other is left; with `skip_unready`, so does one in which nothing can be searched yet.
    """
    found: dict[str, Matches] = {}
    failures: list[IgsearchError] = []
    for paths in profiles:
        try:
            with Store.open(paths) as store:
                found[paths.root.name] = matches_in(store, paths, wanted, load)
        except (NotIndexedError, StoreError, TryLaterError) as err:
            if not (skip_unready or isinstance(err, StoreError)):
                raise
            failures.append(err)
    hits = _hits({paths.root.name: paths for paths in profiles}, found, failures, wanted)
    if not found:
        raise failures[0] if len(profiles) == 1 else NotIndexedError("nothing is indexed yet: run igsearch index PROFILE") from next(iter(failures), None)
    remarks = [*map(str, failures), *(remark for matches in found.values() for remark in matches.remarks)]
    if wanted.text is not None and not any(matches.knows_query for matches in found.values()):
        remarks.append(_nothing_known(wanted.text, found.values()))
    return Answer(hits, sum(matches.n_matches for matches in found.values()), list(found), remarks)


def matches_in(store: Store, paths: ProfilePaths, wanted: Query, load: Callable[[ProfilePaths], Index]) -> Matches:
    """Query one profile. No photo is read yet, and no more are named than can be shown."""
    if wanted.text is None:
        return _every_photo(store, paths.root.name, wanted)
    index = _loaded(paths, load)
    ranking = index.query(wanted.text)
    enough = ranking.scores >= wanted.min_score
    scores = dict(zip(ranking.rowids[enough].tolist(), ranking.scores[enough].tolist(), strict=True))
    candidates, n_matches = _in_order(store, paths.root.name, wanted, scores)
    n_undated = store.n_undated(list(scores)) if wanted.has_dates else 0
    remarks = (*_undated_remark(paths, n_undated), *_behind_remark(paths, is_behind=not index.is_current(store)))
    return Matches(candidates, n_matches, index, bool(ranking.terms), remarks)


def _loaded(paths: ProfilePaths, load: Callable[[ProfilePaths], Index]) -> Index:
    """The profile's index. Raises TryLaterError while the first one is being made."""
    try:
        return load(paths)
    except NotIndexedError as err:
        if not is_being_written(paths):
            raise
        raise TryLaterError(f"{paths.root.name!r} is being indexed, and nothing can be searched yet: try again in a moment") from err


def _undated_remark(paths: ProfilePaths, n_undated: int) -> Iterator[str]:
    if n_undated:
        yield f"{n_undated:,} matching photo{'s' * (n_undated > 1)} of {paths.root.name} without a date {'were' if n_undated > 1 else 'was'} left out"


def _behind_remark(paths: ProfilePaths, *, is_behind: bool) -> Iterator[str]:
    name = paths.root.name
    if is_behind and is_being_written(paths):
        yield f"{name} is being indexed: its newest photos cannot be found yet"
    elif is_behind:
        yield f"some photos of {name} are not searchable yet: run igsearch index again"


def _every_photo(store: Store, profile: str, wanted: Query) -> Matches:
    """What matches where nothing is asked."""
    column = wanted.column or "taken_at"
    rows, n_photos = store.ordered(column, wanted.since, wanted.until, wanted.last)
    return Matches([Candidate(profile, rowid, 0.0, LOWEST[column] if value is None else value) for rowid, value in rows], n_photos)


def _in_order(store: Store, profile: str, wanted: Query, scores: Mapping[int, float]) -> tuple[list[Candidate], int]:
    """The first of the photos that score, and how many there are; `scores` by row, falling. Only a filter or another order asks the store."""
    column = wanted.column
    if column is None and not wanted.has_dates:
        return [Candidate(profile, rowid, score, score) for rowid, score in islice(scores.items(), wanted.last)], len(scores)
    values = store.values(column or "taken_at", wanted.since, wanted.until, list(scores))
    rowids = [rowid for rowid in scores if rowid in values]
    places = scores if column is None else {rowid: LOWEST[column] if value is None else value for rowid, value in values.items()}
    first = sorted(rowids, key=places.__getitem__, reverse=True)[: wanted.last]
    return [Candidate(profile, rowid, scores[rowid], places[rowid]) for rowid in first], len(rowids)


def _nothing_known(text: str, found: Iterable[Matches]) -> str:
    """That no caption has a word of the query, and what may have been meant."""
    meant = next((other for matches in found if matches.index is not None and (other := matches.index.did_you_mean(text)) is not None), None)
    return f"no caption contains a word of “{text}”: " + (f"did you mean “{meant}”?" if meant else "try other words")


def _hits(profiles: Mapping[str, ProfilePaths], found: dict[str, Matches], failures: list[IgsearchError], wanted: Query) -> list[Hit]:
    """Read the photos to be shown, each profile's at once; what was removed this moment is left out.

    A profile whose photos cannot be read goes from `found` to `failures`, and those of others take their places.
    """
    read: dict[str, dict[int, StoredPhoto]] = {}
    while True:
        candidates = sorted((one for matches in found.values() for one in matches.candidates), key=lambda one: one.place, reverse=True)
        shown = candidates[wanted.offset : wanted.last]
        damaged = list[StoreError]()
        for name in dict.fromkeys(one.profile for one in shown):
            try:
                with suppress(NotIndexedError), Store.open(profiles[name]) as store:
                    read[name] = store.photos_by_rowid([one.rowid for one in shown if one.profile == name])
            except StoreError as err:
                damaged.append(err)
                del found[name]
        if not damaged:
            break
        failures += damaged
    ranked = ((rank, one, read.get(one.profile, {}).get(one.rowid)) for rank, one in enumerate(shown, start=wanted.offset + 1))
    return [_hit(rank, one, row, found[one.profile].matched(row.description.caption, wanted.text)) for rank, one, row in ranked if row is not None]


def _hit(rank: int, one: Candidate, row: StoredPhoto, matched: tuple[str, ...]) -> Hit:
    return Hit(rank, one.score, one.profile, row.photo, row.description, row.thumbnail, matched, row.is_gone)
