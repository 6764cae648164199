"""Which posts count as pinned for a visitor, who is told their order alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from igsearch.errors import RateLimitedError
from igsearch.records import Photo
from igsearch.sources.instagram import pinned_marked

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2025, 6, 30, 12, tzinfo=UTC)


def post(age: int) -> list[Photo]:
    """A post of one picture, `age` days old."""
    return [Photo(f"p{age}", taken_at=NOON - timedelta(days=age))]


def test_posts_before_newer_ones_are_pinned() -> None:
    """Old posts at the top are marked, those in order are not."""
    marked = [(photo.id, photo.is_pinned) for photo in pinned_marked(iter(map(post, (90, 30, 1, 2, 3, 4))))]
    assert marked == [("p90", True), ("p30", True), ("p1", False), ("p2", False), ("p3", False), ("p4", False)]


def test_a_walk_that_fails_early_gives_what_it_had() -> None:
    """Posts read before an early refusal are given, as pinned, since any of them may be; then the refusal is raised."""

    def refused() -> Iterator[list[Photo]]:
        yield post(1)
        yield post(2)
        raise RateLimitedError("wait a while")

    walk = pinned_marked(refused())
    assert [next(walk).is_pinned, next(walk).is_pinned] == [True, True]
    with pytest.raises(RateLimitedError):
        next(walk)
