"""Asking several profiles: filters, orders and pages, against a naive version; and profiles that are not ready."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import NotIndexedError, TryLaterError
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit
from igsearch.records import DescribedPhoto, Description, Photo
from igsearch.searching import Search, remove, search
from igsearch.store.reader import Store

if TYPE_CHECKING:
    from igsearch.records import Hit

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
N_DAYS = 20
N_PHOTOS = 40
TIMES = st.none() | st.integers(-2, N_DAYS + 2).map(lambda day: FIRST + timedelta(days=day, hours=12))


def put(cache: Path, profile: str, photos: list[DescribedPhoto], *, fitted: bool = True) -> None:
    """Index photos under a name."""
    paths = ProfilePaths.of(cache, profile)
    with Store.create(paths, profile) as store:
        store.commit(photos, [], captioner="test")
        if fitted:
            fit(store, paths)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profiles `even` and `odd`: many photos alike in caption, day and likes, some without a day or likes."""
    chance, cache = random.Random(1), tmp_path_factory.mktemp("cache")
    for profile in ("even", "odd"):
        described = []
        for number in range(N_PHOTOS):
            taken_at = chance.choice([None, FIRST + timedelta(days=chance.randrange(N_DAYS))])
            photo = Photo(f"{profile}{number}", taken_at=taken_at, likes=chance.choice([None, -1, 0, 7, 500]))
            caption = " ".join(chance.choices(["dog", "cat", "beach", "snow"], k=chance.randint(0, 3)))
            described.append(DescribedPhoto(photo, Description(caption, -1.0), None))
        put(cache, profile, described)
    return cache


def naive(hits: list[Hit], wanted: Search) -> list[tuple[str, float]]:
    """The ids and scores that `wanted` asks for, out of all hits in the order of their scores, or as they were indexed."""

    def place(hit: Hit) -> float:
        known = {"score": -hit.score, "date": hit.photo.taken_at and -hit.photo.taken_at.timestamp(), "likes": hit.photo.likes and -hit.photo.likes}
        value = known["date" if wanted.query is None and wanted.sort == "score" else wanted.sort]
        return 0.0 if value == 0 else value or float("inf")

    def is_in(hit: Hit) -> bool:
        taken = hit.photo.taken_at
        if taken is None:
            return wanted.since is None and wanted.until is None
        return (wanted.since or taken) <= taken and (wanted.until is None or taken < wanted.until)

    left = [hit for hit in hits if is_in(hit) and (hit.score >= wanted.min_score or wanted.query is None)]
    return [(hit.photo.id, hit.score) for hit in sorted(left, key=place)]


SEARCHES = st.builds(
    Search,
    query=st.none() | st.sampled_from(["dog", "dog beach", "snow cat", "zebra"]),
    n=st.integers(1, 90),
    offset=st.integers(0, 90),
    min_score=st.sampled_from([0.0, 0.5, 1.0]),
    since=TIMES,
    until=TIMES,
    sort=st.sampled_from(["score", "date", "likes"]),
)


@settings(max_examples=60)
@given(wanted=SEARCHES, given_profiles=st.sampled_from(["even", "odd,even", "@all"]))
def test_filters_orders_and_pages_are_the_naive_ones(cache: Path, wanted: Search, given_profiles: str) -> None:
    """What one sorted list of everything would give; ties go to the profile named first, and there to the photo indexed first."""
    names = ["even", "odd"] if given_profiles == "@all" else given_profiles.split(",")
    every = [hit for name in names for hit in _as_indexed(cache, name, wanted.query)]
    expected = naive(every, wanted)
    answer = search(cache, given_profiles, wanted)
    assert [(hit.photo.id, hit.score) for hit in answer.hits] == expected[wanted.offset : wanted.last]
    assert [hit.rank for hit in answer.hits] == list(range(wanted.offset + 1, wanted.offset + 1 + len(answer.hits)))
    assert (answer.total, list(answer.profiles)) == (len(expected), names)


def _as_indexed(cache: Path, name: str, query: str | None) -> list[Hit]:
    """All matches of a profile: by score, or where nothing is asked in the order they were indexed."""
    hits = list(search(cache, name, Search(query, n=1000)).hits)
    return hits if query is not None else sorted(hits, key=lambda hit: int(hit.photo.id.lstrip("evnod")))


def test_a_profile_not_ready_costs_a_remark_unless_it_was_named(tmp_path: Path) -> None:
    """The first run on a new profile hides no other; asked for by name, or alone, it is an error that says what to do."""
    photo = DescribedPhoto(Photo("1"), Description("a dog", -1.0), None)
    put(tmp_path, "new", [photo], fitted=False)
    with pytest.raises(NotIndexedError, match="nothing of 'new' can be searched yet: run igsearch index new"):
        search(tmp_path, "@all", Search("dog"))
    put(tmp_path, "old", [photo])
    answer = search(tmp_path, "@all", Search("dog"))
    assert ([hit.profile for hit in answer.hits], answer.profiles) == (["old"], ["old"])
    assert answer.remarks == ["nothing of 'new' can be searched yet: run igsearch index new"]
    with pytest.raises(NotIndexedError, match="'new'"):
        search(tmp_path, "old,new", Search("dog"))
    assert [hit.profile for hit in search(tmp_path, "@all", Search(None)).hits] == ["new", "old"]


def test_an_empty_cache_says_how_to_begin(tmp_path: Path) -> None:
    """Whatever is asked."""
    with pytest.raises(NotIndexedError, match="nothing is indexed yet"):
        search(tmp_path, "@all", Search("dog"))


def test_a_profile_that_is_being_indexed_is_not_removed(tmp_path: Path) -> None:
    """Its files would go from under the other process, which would not notice. A damaged one goes, whatever of it is damaged."""
    paths = ProfilePaths.of(tmp_path, "busy")
    with Store.create(paths, "busy"), pytest.raises(TryLaterError, match="is being indexed by another process"):
        remove(tmp_path, "busy")
    assert paths.database.exists()
    for file in paths.root.iterdir():
        file.write_bytes(b"nonsense" * 1000)
    assert remove(tmp_path, "busy") == "busy"
    assert not paths.root.exists()
