"""What an address asks for, checked: the filters of `igsearch search` under their names there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, cast

from igsearch.dates import day
from igsearch.errors import UsageError
from igsearch.paths import EVERY_PROFILE
from igsearch.searching import Query

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

MAX_QUERY_CHARS = 1_000
"""Twice the longest question anybody writes by hand; a caption has some 60."""

MAX_PROFILES_CHARS = 4_000
"""More than a hundred names of the longest kind; for all of them there is @all."""

SORTS = ("score", "date", "likes")
DEFAULT_N, MAX_N, MAX_OFFSET = 20, 500, 10_000_000


def search_of(given: MultiDict[str, str]) -> tuple[str, Query]:
    """The profiles and the question of `/api/v2/search`; a blank question asks for every photo. Raises UsageError."""
    single = _single(given, ("q", "profiles", "n", "offset", "min_score", "since", "until", "sort"))
    query, profiles = checked_query(single.get("q", "")), single.get("profiles", EVERY_PROFILE)
    if len(profiles) > MAX_PROFILES_CHARS:
        raise UsageError(f"profiles is longer than {MAX_PROFILES_CHARS:,} characters: use {EVERY_PROFILE}")
    sort = single.get("sort", "score")
    if sort not in SORTS:
        raise UsageError(f"sort {sort[:40]!r} is not one of {', '.join(SORTS)}")
    return profiles, Query(
        query if query.strip() else None,
        _count(single, "n", 1, MAX_N, DEFAULT_N),
        _count(single, "offset", 0, MAX_OFFSET, 0),
        _score(single, "min_score"),
        day(single.get("since"), "since"),
        day(single.get("until"), "until", end=True),
        cast("Literal['score', 'date', 'likes']", sort),
    )


def checked_query(query: str) -> str:
    """The question, if its length is reasonable. Raises UsageError."""
    if len(query) > MAX_QUERY_CHARS:
        raise UsageError(f"the query is longer than {MAX_QUERY_CHARS:,} characters: a few words do")
    return query


def _single(given: MultiDict[str, str], known: Collection[str]) -> dict[str, str]:
    """Each parameter's only value; a misspelt filter must not pass for none."""
    for name, values in given.lists():
        if name not in known:
            raise UsageError(f"there is no parameter {name[:40]!r}: use {', '.join(known)}")
        if len(values) > 1:
            raise UsageError(f"{name} is given {len(values)} times: give it once")
    return given.to_dict()


def _count(given: dict[str, str], name: str, least: int, most: int, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise UsageError(f"{name} {text[:40]!r} is not a whole number from {least} to {most:,}")
    return int(text)


def _score(given: dict[str, str], name: str) -> float:
    text = given.get(name, "0")
    try:
        score = float(text if text.isascii() and "_" not in text else "nan")
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise UsageError(f"{name} {text[:40]!r} is not a number from 0 to 1")
    return score
