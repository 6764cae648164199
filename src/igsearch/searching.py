"""Asking: which photos of the indexed profiles match a query; and what is indexed. Everything here is quick, and imports nothing that is not."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from igsearch.errors import CacheError, NotIndexedError
from igsearch.paths import ProfilePaths, profile_name
from igsearch.records import Hit, Photo
from igsearch.store import Store, Summary, indexed_profiles
from igsearch.text import matched_words
from igsearch.tfidf import Index

EVERY_PROFILE = "@all"


@dataclass(frozen=True, slots=True)
class Search:
    """A question: what to look for, and which of the matches to give. `since` and `until` are aware times and leave undated photos out."""

    query: str
    n: int = 20
    offset: int = 0
    min_score: float = 0.0
    since: datetime | None = None
    until: datetime | None = None
    sort: Literal["score", "date", "likes"] = "score"

    def accepts(self, photo: Photo) -> bool:
        """Whether the photo was taken in the period asked for."""
        if self.since is None and self.until is None:
            return True
        return photo.taken_at is not None and (self.since or photo.taken_at) <= photo.taken_at and (self.until is None or photo.taken_at < self.until)


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits asked for, how many match in all, the profiles looked at, and remarks for the user, a line each."""

    hits: Sequence[Hit]
    total: int
    profiles: Sequence[str]
    remarks: Sequence[str]


ORDERS: Mapping[str, Callable[[Hit], float]] = {
    "score": lambda hit: -hit.score,
    "date": lambda hit: -hit.photo.taken_at.timestamp() if hit.photo.taken_at else math.inf,
    "likes": lambda hit: -hit.photo.likes if hit.photo.likes is not None else math.inf,
}


def search(cache: Path, given: str, wanted: Search) -> Answer:
    """The photos of one profile, of several (`natgeo,nasa`) or of `@all` that match a query; equal ones in the order they were indexed.

    Raises NotIndexedError for a profile that is not there, StoreError for one that is damaged. A query without a known word has no hits, and a remark says so.
    """
    profiles = indexed_profiles(cache) if given == EVERY_PROFILE else list(dict.fromkeys(map(profile_name, given.split(","))))
    if not profiles:
        raise NotIndexedError("nothing is indexed yet: run igsearch index PROFILE")
    found = [matches_in(ProfilePaths.of(cache, profile), wanted) for profile in profiles]
    hits = sorted((hit for matches in found for hit in matches.hits), key=ORDERS[wanted.sort])
    shown = [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)][wanted.offset : wanted.offset + wanted.n]
    remarks = [matches.remark for matches in found if matches.remark]
    if not any(matches.knows_query for matches in found):
        remarks.append(f"no photo is described with a word of {wanted.query!r}: try other words, such as those of a caption")
    return Answer(shown, sum(matches.n_matches for matches in found), profiles, remarks)


@dataclass(frozen=True, slots=True)
class Matches:
    """What one profile answers: its hits, not ranked yet, and how many match in all."""

    hits: list[Hit]
    n_matches: int
    knows_query: bool
    remark: str | None


def matches_in(paths: ProfilePaths, wanted: Search) -> Matches:
    """Query one profile. Only the photos that can be shown are read, unless a filter or another order needs them all."""
    profile = paths.root.name
    with Store.open(paths) as store:
        index = Index.load(paths)
        ranking = index.query(wanted.query)
        enough = ranking.scores >= wanted.min_score
        rowids, scores = ranking.rowids[enough].tolist(), ranking.scores[enough].tolist()
        needs_all = wanted.since is not None or wanted.until is not None or wanted.sort != "score"
        stored = store.photos_by_rowid(rowids if needs_all else rowids[: wanted.offset + wanted.n])
        hits = [
            Hit(0, score, profile, one.photo, one.description, one.thumbnail, matched_words(one.description.caption, wanted.query))
            for rowid, score in zip(rowids, scores, strict=True)
            if (one := stored.get(rowid)) and wanted.accepts(one.photo)
        ]
        behind = not index.is_current(store)
    remark = f"some photos of {profile} were described after its index was fitted: run igsearch index on it again to find them" if behind else None
    return Matches(hits, len(hits) if needs_all else len(rowids), bool(ranking.terms), remark)


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
    try:
        shutil.rmtree(paths.root)
    except OSError as err:
        raise CacheError(f"{str(paths.root)!r} cannot be deleted ({err.strerror}): check its permissions") from err
    return paths.root.name
