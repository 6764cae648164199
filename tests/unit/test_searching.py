"""Asking several profiles: filters, orders and pages, against a naive version; and profiles that are not ready."""

from __future__ import annotations

import random
import resource
import sqlite3
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import NotIndexedError, StoreError, TryLaterError
from igsearch.managing import remove, summaries
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit
from igsearch.records import DescribedPhoto, Description, Photo
from igsearch.searching import Query, search
from igsearch.store.writer import StoreWriter

if TYPE_CHECKING:
    from igsearch.records import Hit

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
N_DAYS = 20
N_PHOTOS = 40
TIMES = st.none() | st.integers(-2, N_DAYS + 2).map(lambda day: FIRST + timedelta(days=day, hours=12))


def put(cache: Path, profile: str, photos: list[DescribedPhoto], *, fitted: bool = True) -> None:
    """Index photos under a name."""
    paths = ProfilePaths.of(cache, profile)
    with StoreWriter.create(paths, profile) as store:
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


def naive(hits: list[Hit], wanted: Query) -> list[tuple[str, float]]:
    """The ids and scores that `wanted` asks for, out of all hits in the order of their scores, or as they were indexed."""

    def place(hit: Hit) -> float:
        known = {"score": -hit.score, "date": hit.photo.taken_at and -hit.photo.taken_at.timestamp(), "likes": hit.photo.likes and -hit.photo.likes}
        value = known["date" if wanted.text is None and wanted.sort == "score" else wanted.sort]
        return 0.0 if value == 0 else value or float("inf")

    def is_in(hit: Hit) -> bool:
        taken = hit.photo.taken_at
        if taken is None:
            return wanted.since is None and wanted.until is None
        return (wanted.since or taken) <= taken and (wanted.until is None or taken < wanted.until)

    left = [hit for hit in hits if is_in(hit) and (hit.score >= wanted.min_score or wanted.text is None)]
    return [(hit.photo.id, hit.score) for hit in sorted(left, key=place)]


SEARCHES = st.builds(
    Query,
    text=st.none() | st.sampled_from(["dog", "dog beach", "snow cat", "zebra"]),
    n=st.integers(1, 90),
    offset=st.integers(0, 90),
    min_score=st.sampled_from([0.0, 0.5, 1.0]),
    since=TIMES,
    until=TIMES,
    sort=st.sampled_from(["score", "date", "likes"]),
)


@settings(max_examples=60)
@given(wanted=SEARCHES, given_profiles=st.sampled_from(["even", "odd,even", "@all"]))
def test_filters_orders_and_pages_are_the_naive_ones(cache: Path, wanted: Query, given_profiles: str) -> None:
    """What one sorted list of everything would give; ties go to the profile named first, and there to the photo indexed first."""
    names = ["even", "odd"] if given_profiles == "@all" else given_profiles.split(",")
    every = [hit for name in names for hit in _as_indexed(cache, name, wanted.text)]
    expected = naive(every, wanted)
    answer = search(cache, given_profiles, wanted)
    assert [(hit.photo.id, hit.score) for hit in answer.hits] == expected[wanted.offset : wanted.last]
    assert [hit.rank for hit in answer.hits] == list(range(wanted.offset + 1, wanted.offset + 1 + len(answer.hits)))
    assert (answer.total, list(answer.profiles)) == (len(expected), names)


def _as_indexed(cache: Path, name: str, query: str | None) -> list[Hit]:
    """All matches of a profile: by score, or where nothing is asked in the order they were indexed."""
    hits = list(search(cache, name, Query(query, n=1000)).hits)
    return hits if query is not None else sorted(hits, key=lambda hit: int(hit.photo.id.lstrip("evnod")))


DOG = DescribedPhoto(Photo("1"), Description("a dog", -1.0), None)


def test_a_profile_not_ready_costs_a_remark_unless_it_was_named(tmp_path: Path) -> None:
    """The first run on a new profile hides no other; asked for by name, or alone, it is an error that says what to do."""
    put(tmp_path, "new", [DOG], fitted=False)
    with pytest.raises(NotIndexedError, match="'new'"):
        search(tmp_path, "@all", Query("dog"))
    put(tmp_path, "old", [DOG])
    answer = search(tmp_path, "@all", Query("dog"))
    assert ([hit.profile for hit in answer.hits], answer.profiles) == (["old"], ["old"])
    assert ["'new'" in remark for remark in answer.remarks] == [True]
    with pytest.raises(NotIndexedError, match="'new'"):
        search(tmp_path, "old,new", Query("dog"))
    assert [hit.profile for hit in search(tmp_path, "@all", Query(None)).hits] == ["new", "old"]


def test_a_profile_on_its_first_run_is_told_to_be_on_its_way(tmp_path: Path) -> None:
    """Nobody is sent to index what is being indexed; what was fitted so far is found, and what was not is told."""
    paths = ProfilePaths.of(tmp_path, "busy")
    with StoreWriter.create(paths, "busy") as store:
        store.commit([DOG], [], captioner="test")
        with pytest.raises(TryLaterError, match="'busy' is being indexed, and nothing can be searched yet: try again in a moment"):
            search(tmp_path, "busy", Query("dog"))
        fit(store, paths)
        assert not search(tmp_path, "busy", Query("dog")).remarks
        store.commit([replace(DOG, photo=Photo("2"))], [], captioner="test")
        answer = search(tmp_path, "busy", Query("dog"))
        assert (answer.total, answer.remarks) == (1, ["busy is being indexed: its newest photos cannot be found yet"])
    assert search(tmp_path, "busy", Query("dog")).remarks == ["some photos of busy are not searchable yet: run igsearch index again"]


def test_a_misspelt_profile_is_guessed(tmp_path: Path) -> None:
    """Nobody is sent to Instagram for a typing error; a name like none is."""
    put(tmp_path, "holiday", [DOG])
    for act in (lambda name: search(tmp_path, name, Query("dog")), lambda name: remove(tmp_path, name)):
        with pytest.raises(NotIndexedError, match="nothing is indexed under 'holidya': did you mean 'holiday'\\?"):
            act("holidya")
        with pytest.raises(NotIndexedError, match="nothing is indexed under 'nasa': run igsearch index nasa"):
            act("nasa")


def test_one_damaged_profile_takes_no_other_with_it(tmp_path: Path) -> None:
    """It is named, in the list and among the remarks; the others answer. Asked for alone, it is the error that it is."""
    for name in ("good", "old"):
        put(tmp_path, name, [DOG])
    ProfilePaths.of(tmp_path, "old").database.write_bytes(b"nonsense" * 1000)
    for names in ("@all", "old,good"):
        answer = search(tmp_path, names, Query("dog"))
        assert [hit.profile for hit in answer.hits] == ["good"]
        assert ["'old' is damaged" in remark for remark in answer.remarks] == [True]
    assert [(one.profile, one.n_photos, one.problem is not None) for one in summaries(tmp_path)] == [("good", 1, False), ("old", 0, True)]
    with pytest.raises(StoreError, match="'old' is damaged"):
        search(tmp_path, "old", Query("dog"))


@pytest.mark.parametrize("damage", ["UPDATE photos SET taken_at = 'nonsense'", "DROP TABLE alternatives"])
@pytest.mark.parametrize("text", ["dog", None])
def test_damage_that_only_reading_the_photos_shows_costs_one_profile(tmp_path: Path, damage: str, text: str | None) -> None:
    """The index is sound and says that photos match; those of the other profiles take their places."""
    for name in ("good", "old"):
        put(tmp_path, name, [DOG])
    with closing(sqlite3.connect(ProfilePaths.of(tmp_path, "old").database)) as db, db:
        db.execute(damage)
    for names in ("@all", "old,good"):
        answer = search(tmp_path, names, Query(text, n=2))
        assert ([hit.profile for hit in answer.hits], answer.total, answer.profiles) == (["good"], 1, ["good"])
        assert ["'old' is damaged" in remark for remark in answer.remarks] == [True]
    with pytest.raises(StoreError, match="'old' is damaged"):
        search(tmp_path, "old", Query(text))


def test_a_profile_is_removed_under_the_eyes_of_its_readers(tmp_path: Path) -> None:
    """Those who open the store meanwhile keep nobody from deleting it, and are told that there is nothing."""
    is_over, others = threading.Event(), list[Exception]()

    def look() -> None:
        while not is_over.is_set():
            try:
                search(tmp_path, "natgeo", Query("dog"))
            except NotIndexedError:
                pass
            except Exception as err:  # noqa: BLE001 - told below
                others.append(err)

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(5):
            put(tmp_path, "natgeo", [DOG])
            remove(tmp_path, "natgeo")
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert [one for one in others if not isinstance(one, TryLaterError)] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no count of open files")
def test_however_many_profiles_there_are_few_files_are_open(tmp_path: Path) -> None:
    """A system may allow 256; a store takes three."""
    for number in range(40):
        put(tmp_path, f"profile{number}", [DOG])
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = len(list(Path("/dev/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 30, limit[1]))
    try:
        answer = search(tmp_path, "@all", Query("dog", n=100))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    assert (len(answer.hits), len(answer.profiles)) == (40, 40)


def test_photos_without_a_date_are_counted_aloud_when_dates_matter(tmp_path: Path) -> None:
    """A folder whose pictures tell no date would otherwise look empty."""
    dated = replace(DOG, photo=Photo("2", taken_at=FIRST))
    put(tmp_path, "mine", [DOG, dated, replace(DOG, photo=Photo("3")), DescribedPhoto(Photo("4"), Description("a cat", -1.0), None)])
    answer = search(tmp_path, "mine", Query("dog", since=FIRST))
    assert ([hit.photo.id for hit in answer.hits], answer.remarks) == (["2"], ["2 matching photos of mine without a date were left out"])
    assert not search(tmp_path, "mine", Query("dog")).remarks


def test_an_empty_cache_says_how_to_begin(tmp_path: Path) -> None:
    """Whatever is asked."""
    with pytest.raises(NotIndexedError, match="nothing is indexed yet"):
        search(tmp_path, "@all", Query("dog"))


def test_a_profile_that_is_being_indexed_is_not_removed(tmp_path: Path) -> None:
    """Its files would go from under the other process, which would not notice. A damaged one goes, whatever of it is damaged."""
    paths = ProfilePaths.of(tmp_path, "busy")
    with StoreWriter.create(paths, "busy"), pytest.raises(TryLaterError, match="is being indexed by process"):
        remove(tmp_path, "busy")
    assert paths.database.exists()
    for file in paths.root.iterdir():
        file.write_bytes(b"nonsense" * 1000)
    assert remove(tmp_path, "busy") == "busy"
    assert not paths.root.exists()
