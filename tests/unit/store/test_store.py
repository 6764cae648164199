"""The store: what goes in comes out equal, a batch is whole or absent, and whatever is wrong with the file is said in one line."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import CacheError, IgsearchError, NotIndexedError, StoreError, TryLaterError
from igsearch.paths import ProfilePaths
from igsearch.records import DescribedPhoto, Description, DetectedObject, FailedPhoto, Hypothesis, Label, Photo, Unread
from igsearch.store import connection, schema
from igsearch.store import reader as store_module
from igsearch.store.reader import GIVEN, PAGE, Store, indexed_profiles, thumbnail_path
from igsearch.store.rows import Met
from igsearch.store.schema import clean, photo_row
from igsearch.store.writer import StoreWriter

NAME = "natgeo"
CAPTIONER = "lite2"
DOG = Description("a dog runs", -3.5, (Hypothesis("a dog", -4.25),), (Label("beagle", 0.75), Label("hound", 0.125)))

INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
REALS = st.floats(allow_nan=False)
PHOTOS = st.builds(
    Photo,
    id=st.text(min_size=1),
    url=st.none() | st.text(),
    path=st.none() | st.builds(Path, st.text(min_size=1)),
    member=st.none() | st.text(),
    shortcode=st.none() | st.text(),
    slide=INTEGERS,
    n_slides=INTEGERS,
    taken_at=TIMES,
    is_video=st.booleans(),
    is_pinned=st.booleans(),
    likes=st.none() | INTEGERS,
    post_text=st.none() | st.text(),
    alt_text=st.none() | st.text(),
    location=st.none() | st.text(),
    hashtags=st.lists(st.text()).map(tuple),
)
DESCRIPTIONS = st.builds(
    Description,
    caption=st.text(),
    logprob=st.none() | REALS,
    alternatives=st.lists(st.builds(Hypothesis, st.text(), REALS), max_size=5).map(tuple),
    labels=st.lists(st.builds(Label, st.text(), REALS), max_size=5).map(tuple),
    objects=st.none() | st.lists(st.builds(DetectedObject, st.text(), st.none() | st.integers(), st.none() | REALS), max_size=3).map(tuple),
)


def dog(photo_id: str, caption: str = "a dog runs") -> DescribedPhoto:
    """A described photo."""
    return DescribedPhoto(Photo(photo_id, url=f"https://cdn.example/{photo_id}"), replace(DOG, caption=caption), b"RIFF" + photo_id.encode())


def failed(photo_id: str, reason: str = "404") -> FailedPhoto:
    """A photo that failed."""
    return FailedPhoto(Photo(photo_id, url=f"https://cdn.example/{photo_id}"), reason)


@pytest.fixture
def paths(tmp_path: Path) -> ProfilePaths:
    """A profile that nothing is known of."""
    return ProfilePaths.of(tmp_path, NAME)


@pytest.fixture
def store(paths: ProfilePaths) -> Iterator[StoreWriter]:
    """An empty store, open for writing."""
    with StoreWriter.create(paths, NAME) as store:
        yield store


def is_described(store: Store, photo_id: str, captioner: str) -> bool:
    """Whether the store has a description of that photo by that captioner which is not stale."""
    known = store.known(None, Photo(photo_id))
    return known is not None and known.captioner == clean(captioner) and not known.is_due


class Somewhere:
    """A source of which only the name matters."""

    name, newest_first, n_expected, left_out = "folder of pictures", False, None, dict[str, int]()

    def __init__(self, root: str = "/photos", kind: str = "folder") -> None:
        self.root, self.kind = root, kind

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo]:  # noqa: ARG002 - the protocol's
        """Nothing."""
        return iter(())


def captions(store: Store) -> dict[str, str]:
    """Photo ids and captions."""
    return {photo.id: description.caption for _, description, photo in store.documents()}


@settings(max_examples=30)
@given(st.lists(st.builds(DescribedPhoto, PHOTOS, DESCRIPTIONS, st.none() | st.binary(max_size=9)), max_size=4, unique_by=lambda one: one.photo.id))
def test_what_goes_in_comes_out_equal(described: list[DescribedPhoto]) -> None:
    """Every field survives: any Unicode, NUL, microseconds, infinities; and so does the thumbnail."""
    with tempfile.TemporaryDirectory() as cache:
        paths = ProfilePaths.of(Path(cache), NAME)
        with StoreWriter.create(paths, NAME) as store:
            store.commit(described, [], captioner=CAPTIONER)
        with Store.open(paths) as store:
            found = list(store.photos_by_rowid([rowid for rowid, _, _ in store.documents()]).values())
            assert [(one.photo, one.description) for one in found] == [(one.photo, one.description) for one in described]
            assert [one.thumbnail and one.thumbnail.read_bytes() for one in found] == [one.thumbnail for one in described]


@settings(max_examples=30)
@given(PHOTOS, st.text(), st.text())
def test_failures_come_out_equal(photo: Photo, reason: str, captioner: str) -> None:
    """A failed photo can be tried again from the store alone."""
    with tempfile.TemporaryDirectory() as cache, StoreWriter.create(ProfilePaths.of(Path(cache), NAME), NAME) as store:
        store.commit([], [FailedPhoto(photo, reason)], captioner=captioner)
        assert [(one.photo, one.reason, one.attempts) for one in store.failures()] == [(photo, reason, 1)]


@settings(max_examples=30)
@given(st.text(st.characters(codec=None), min_size=1), st.text(st.characters(codec=None)))
def test_surrogates_do_not_stop_a_run(photo_id: str, text: str) -> None:
    """What UTF-8 cannot hold is replaced, but a photo is still recognised by the id it came with."""
    described = DescribedPhoto(Photo(photo_id, post_text=text, hashtags=(text,)), Description(text, 0.0, (Hypothesis(text, 0.0),)), b"")
    with tempfile.TemporaryDirectory() as cache, StoreWriter.create(ProfilePaths.of(Path(cache), NAME), NAME) as store:
        store.commit([described], [FailedPhoto(Photo("other"), text)], captioner=text)
        assert is_described(store, photo_id, text)
        [(_, description, photo)] = store.documents()
        assert description.caption == photo.post_text == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_surrogates_keep_ids_apart_and_paths_usable(store: StoreWriter) -> None:
    """Two file names that are no UTF-8 are two photos, and the path leads back to the file's bytes."""
    names = ["a\udc80", "a\udc81"]
    store.commit([DescribedPhoto(Photo(name, path=Path("/p") / name), DOG, b"") for name in names], [], captioner=CAPTIONER)

    assert [os.fsencode(photo.path or "") for _, _, photo in store.documents()] == [b"/p/a\x80", b"/p/a\x81"]


def test_surrogate_pairs_become_their_character(store: StoreWriter) -> None:
    """An emoji that came as two JSON escapes is that emoji."""
    store.commit([dog("a", "\ud83d\ude00")], [], captioner=CAPTIONER)

    assert captions(store) == {"a": "😀"}


def test_times_come_back_in_utc(store: StoreWriter) -> None:
    """A time of another zone is the same moment."""
    taken = datetime(2024, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    store.commit([DescribedPhoto(Photo("a", url="u", taken_at=taken), DOG, b"")], [], captioner=CAPTIONER)

    [(_, _, photo)] = store.documents()
    assert photo.taken_at == taken
    assert photo.taken_at.utcoffset() == timedelta(0)


def test_a_count_too_large_for_the_column_is_cut(store: StoreWriter) -> None:
    """A damaged export may claim any number of likes."""
    store.commit([DescribedPhoto(Photo("a", url="u", likes=10**30), DOG, b"")], [], captioner=CAPTIONER)

    [(_, _, photo)] = store.documents()
    assert photo.likes == 2**63 - 1


def test_describing_again_replaces_and_keeps_the_rowid(store: StoreWriter) -> None:
    """A photo has one description; its row, which an index refers to, stays."""
    store.commit([dog("a"), dog("b")], [], captioner=CAPTIONER)
    before = {photo.id: rowid for rowid, _, photo in store.documents()}
    again = DescribedPhoto(Photo("a", url="new"), Description("a cat", -1.0), b"new")
    store.commit([again], [], captioner="other")

    assert {photo.id: rowid for rowid, _, photo in store.documents()} == before
    one = store.photos_by_rowid([before["a"]])[before["a"]]
    assert one.thumbnail is not None
    assert (one.photo, one.description, one.thumbnail.read_bytes()) == (again.photo, again.description, b"new")


def test_a_thumbnail_once_made_stays(store: StoreWriter) -> None:
    """A photo whose address has died since is still shown."""
    store.commit([dog("a"), replace(dog("b"), thumbnail=None)], [], captioner=CAPTIONER)
    store.commit([replace(dog("a", "new"), thumbnail=None)], [], captioner=CAPTIONER)

    one, other = store.photos_by_rowid([rowid for rowid, _, _ in store.documents()]).values()
    assert one.thumbnail is not None
    assert (one.description.caption, one.thumbnail.read_bytes()) == ("new", b"RIFFa")
    assert other.thumbnail is None


def test_a_description_that_came_along_is_nobodys(store: StoreWriter) -> None:
    """It is noted as given whatever captioner the batch is of, and a captioner's own takes its place."""
    store.commit([replace(dog("a"), photo=Photo("a", description=DOG)), dog("b")], [], captioner=CAPTIONER)
    assert (is_described(store, "a", GIVEN), is_described(store, "a", CAPTIONER), is_described(store, "b", GIVEN)) == (True, False, False)
    store.commit([dog("a")], [], captioner=CAPTIONER)
    assert (is_described(store, "a", GIVEN), is_described(store, "a", CAPTIONER)) == (False, True)


def test_a_described_photo_is_known_by_its_captioner(store: StoreWriter) -> None:
    """Another captioner's description does not count."""
    store.commit([dog("a")], [failed("b")], captioner=CAPTIONER)

    assert is_described(store, "a", CAPTIONER)
    assert not is_described(store, "a", "other")
    assert not is_described(store, "b", CAPTIONER)
    assert not is_described(store, "c", CAPTIONER)


def test_stale_photos_stay_searchable_and_are_described_again(store: StoreWriter) -> None:
    """A rebuild that is interrupted loses nothing and goes on where it stopped."""
    store.commit([dog("a"), dog("b")], [], captioner=CAPTIONER)
    store.mark_stale()
    store.commit([dog("a", "new")], [], captioner=CAPTIONER)

    assert captions(store) == {"a": "new", "b": "a dog runs"}
    assert is_described(store, "a", CAPTIONER)
    assert not is_described(store, "b", CAPTIONER)


def test_failures_count_attempts_until_the_photo_is_described(store: StoreWriter) -> None:
    """The latest reason stands; a description ends it."""
    store.commit([], [failed("a", "404"), failed("b", "404")], captioner=CAPTIONER)
    store.commit([], [failed("a", "timed out")], captioner=CAPTIONER)
    assert [(one.photo.id, one.reason, one.attempts) for one in store.failures()] == [("a", "timed out", 2), ("b", "404", 1)]

    store.commit([dog("a")], [], captioner=CAPTIONER)
    assert [one.photo.id for one in store.failures()] == ["b"]


def test_a_failed_photo_keeps_its_older_description(store: StoreWriter) -> None:
    """What was found yesterday can be found although today's attempt failed."""
    store.commit([dog("a")], [], captioner=CAPTIONER)
    store.commit([], [failed("a")], captioner=CAPTIONER)

    assert captions(store) == {"a": "a dog runs"}
    assert [one.photo.id for one in store.failures()] == ["a"]


def test_failures_can_be_retried_while_they_are_walked(store: StoreWriter) -> None:
    """A walk meets every failure once, also those on later pages, whatever is committed meanwhile."""
    names = [f"{number:04}" for number in range(PAGE + 20)]
    store.commit([], [failed(name) for name in names], captioner=CAPTIONER)
    met = []
    for number, one in enumerate(store.failures()):
        met.append(one.photo.id)
        described, again = ([dog(one.photo.id)], [failed(f"new{number}")]) if number % 2 else ([], [failed(one.photo.id)])
        if number % 50 < 2:
            store.commit(described, again, captioner=CAPTIONER)

    assert met == names


def test_only_descriptions_make_a_generation(store: StoreWriter) -> None:
    """An index stays current when nothing that it holds has changed."""
    assert store.generation == 0
    store.commit([dog("a"), dog("b")], [failed("c")], captioner=CAPTIONER)
    assert store.generation == 1
    store.commit([], [failed("c")], captioner=CAPTIONER)
    assert store.generation == 1
    store.commit([dog("a")], [], captioner=CAPTIONER)
    assert store.generation == 2


@pytest.mark.parametrize("n_photos", [1, 10, 11, 31])
def test_photos_are_given_in_the_order_asked_for(store: StoreWriter, monkeypatch: pytest.MonkeyPatch, n_photos: int) -> None:
    """A page of results needs no second sort; whatever the number of pages it takes, no row is lost, and unknown rows are no problem."""
    monkeypatch.setattr(store_module, "PAGE", 10)
    store.commit([dog(str(number)) for number in range(n_photos)], [failed("x")], captioner=CAPTIONER)
    rowids = [rowid for rowid, _, _ in store.documents()]
    wanted = [*reversed(rowids), 10**6, max(rowids) + 1]

    assert len(rowids) == n_photos
    assert list(store.photos_by_rowid(wanted)) == rowids[::-1]
    assert store.photos_by_rowid([]) == {}
    assert rowids == sorted(rowids)


def test_a_new_store_knows_nothing(store: StoreWriter) -> None:
    """The summary of an empty store has no times and no captioner."""
    summary = store.summary()

    assert (summary.profile, summary.n_photos, summary.n_failed, summary.captioners) == (NAME, 0, 0, ())
    assert (summary.oldest, summary.newest, summary.last_indexed, summary.source, summary.problem) == (None,) * 5
    assert (summary.n_gone, summary.sources) == (0, ())


def test_summary_counts_described_photos(store: StoreWriter) -> None:
    """Failed photos are counted apart and their dates do not matter."""
    days = [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 2, 3)]
    described = [DescribedPhoto(Photo(str(day.day), url="u", taken_at=day), DOG, b"") for day in days[1:]]
    before = datetime.now(UTC)
    store.begin_walk(Somewhere())
    store.commit(described[:1], [FailedPhoto(Photo("old", url="u", taken_at=days[0]), "404")], captioner="one")
    store.commit(described[1:], [], captioner="two")
    summary = store.summary()

    assert (summary.n_photos, summary.n_failed, summary.captioners, summary.source) == (2, 1, ("one", "two"), "folder of pictures")
    assert store.n_photos == 2
    assert (summary.oldest, summary.newest) == (days[1], days[2])
    assert summary.last_indexed is not None
    assert before <= summary.last_indexed <= datetime.now(UTC)


def test_a_complete_walk_is_remembered_with_its_time(paths: ProfilePaths) -> None:
    """Of each source by itself. The mark outlives the process, and the time stays when the mark is taken away."""
    with StoreWriter.create(paths, NAME) as store:
        assert not store.begin_walk(Somewhere("/other")).is_complete
        assert not store.begin_walk(Somewhere()).is_complete
        store.end_walk((), ())
    with StoreWriter.create(paths, NAME) as store:
        complete = store.begin_walk(Somewhere())
        store.interrupt_walk()
        interrupted = store.source("folder", "/photos")
        other = store.source("folder", "/other")
    assert interrupted is not None
    assert other is not None
    assert (complete.is_complete, interrupted.is_complete, other.is_complete) == (True, False, False)
    assert complete.walked_at == interrupted.walked_at is not None
    assert other.walked_at is None


def test_two_folders_may_both_have_a_photo_of_one_name(store: StoreWriter) -> None:
    """Each is a photo of its own, with a thumbnail of its own, and is known again by the walk of its folder."""
    for root in ("/a", "/b"):
        store.begin_walk(Somewhere(root))
        photo = Photo("IMG_1.jpg", path=Path(root) / "IMG_1.jpg")
        store.commit([DescribedPhoto(photo, replace(DOG, caption=f"a dog in {root}"), root.encode())], [], captioner=CAPTIONER)
    rows = list(store.photos_by_rowid([row for row, _, _ in store.documents()]).values())

    assert [(one.photo.id, one.photo.path) for one in rows] == [("IMG_1.jpg", Path("/a/IMG_1.jpg")), ("IMG_1.jpg~2", Path("/b/IMG_1.jpg"))]
    assert [one.thumbnail and one.thumbnail.read_bytes() for one in rows] == [b"/a", b"/b"]
    for root, caption in (("/a", "a dog in /a"), ("/b", "a dog in /b")):
        known = store.known(store.begin_walk(Somewhere(root)).row, Photo("IMG_1.jpg"))
        assert known is not None
        assert known.caption == caption


def test_a_post_is_one_photo_whoever_tells_of_it(store: StoreWriter, tmp_path: Path) -> None:
    """A download's picture stays where it is; what the profile itself tells of it later is added; an address takes the file's place once that is gone."""
    path = tmp_path / "1.jpg"
    path.touch()
    folder = store.begin_walk(Somewhere())
    store.commit([DescribedPhoto(Photo("Cx", path=path, shortcode="Cx", likes=1), DOG, None)], [], captioner=CAPTIONER)
    profile = store.begin_walk(Somewhere("natgeo", "instagram"))
    told = Photo("Cx", url="https://cdn.example/1.jpg", shortcode="Cx", likes=9, post_text="woof")
    known = store.known(profile.row, told)
    assert known is not None
    assert known.source == folder.row
    store.see([Met(told, known, takes_over=True)])
    [(_, _, photo)] = store.documents()

    assert photo == replace(told, url=None, path=path)
    assert store.known(profile.row, told) == replace(known, source=profile.row, columns=photo_row(photo))
    path.unlink()
    store.see([Met(told, store.known(profile.row, told))])
    assert [photo for _, _, photo in store.documents()] == [told]


def test_what_is_gone_stays_until_it_is_pruned(store: StoreWriter) -> None:
    """It is marked, and found; a walk that meets it again takes the mark away; `prune` drops it with its thumbnail."""
    source = store.begin_walk(Somewhere())
    store.commit([dog("a"), dog("b"), dog("c")], [], captioner=CAPTIONER)
    gone = [known.row for name in ("a", "b") if (known := store.known(source.row, Photo(name)))]
    store.end_walk(gone, ())
    back = Photo("b", url="https://cdn.example/b")
    store.see([Met(back, store.known(source.row, back), takes_over=True)])
    rows = list(store.photos_by_rowid([row for row, _, _ in store.documents()]).values())

    assert [(one.photo.id, one.is_gone) for one in rows] == [("a", True), ("b", False), ("c", False)]
    assert store.summary().n_gone == 1
    assert store.prune() == 1
    assert list(captions(store)) == ["b", "c"]
    assert [one.thumbnail is not None and one.thumbnail.exists() for one in rows] == [False, True, True]


def test_what_could_not_be_read_is_remembered_until_it_is(store: StoreWriter) -> None:
    """By its source, with the latest reason; and counted among what failed."""
    source = store.begin_walk(Somewhere())
    store.see([], [Unread("post 7", "first"), Unread("post 8", "first")])
    store.see([], [Unread("post 7", "again")])
    assert store.unread(source.row) == ["post 7", "post 8"]
    assert store.summary().n_failed == 2
    store.forget_unread(["post 8"])
    assert store.unread(source.row) == ["post 7"]
    store.end_walk((), ["post 7"])
    assert (store.unread(source.row), store.summary().n_failed) == ([], 0)


def test_profiles_are_those_with_a_store(tmp_path: Path) -> None:
    """Stray files and folders in the cache are no profiles."""
    assert indexed_profiles(tmp_path) == []
    for name in ("nasa", "esa.int"):
        StoreWriter.create(ProfilePaths.of(tmp_path, name), name).close()
    (tmp_path / "profiles" / "empty").mkdir()
    (tmp_path / "profiles" / "no name").mkdir()
    (tmp_path / "profiles" / "no name" / "store.sqlite3").touch()
    (tmp_path / "profiles" / ".DS_Store").touch()

    assert indexed_profiles(tmp_path) == ["esa.int", "nasa"]


@pytest.mark.parametrize(
    "photo_id", ["../../x", "/etc/passwd", "a" * 10_000, "a\x00b", "\udc80", "CON"], ids=["up", "absolute", "long", "NUL", "surrogate", "device"]
)
def test_an_id_cannot_steer_where_its_thumbnail_goes(paths: ProfilePaths, photo_id: str) -> None:
    """The name is a hash: fixed length, fixed place."""
    path = thumbnail_path(paths, photo_id)

    assert path.parent.parent == paths.thumbnails
    assert len(path.stem) == 32
    assert path.stem.startswith(path.parent.name)


def test_opening_what_is_not_there_says_how_to_index_it(paths: ProfilePaths) -> None:
    """Nothing is created by looking."""
    with pytest.raises(NotIndexedError) as caught:
        Store.open(paths)

    assert str(caught.value) == "nothing is indexed under 'natgeo': run igsearch index natgeo"
    assert not paths.root.exists()


def test_a_store_that_was_killed_at_birth_is_not_there(paths: ProfilePaths) -> None:
    """An empty file is what remains of it; the next run makes a store of it."""
    paths.root.mkdir(parents=True)
    paths.database.touch()
    with pytest.raises(NotIndexedError):
        Store.open(paths)

    with StoreWriter.create(paths, NAME) as store:
        assert store.generation == 0


def test_a_store_whose_making_was_cut_off_is_read_as_none(paths: ProfilePaths) -> None:
    """SQLite has to undo what was begun before anybody can read; that is no fault of the disk."""
    paths.root.mkdir(parents=True)
    killed = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN');"
        "[db.execute(f'CREATE TABLE t{n} (x)') for n in range(300)]; os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", killed, str(paths.database)], check=False)
    assert paths.database.with_name("store.sqlite3-journal").stat().st_size
    with pytest.raises(NotIndexedError):
        Store.open(paths)


def test_readers_work_beside_the_writer(store: StoreWriter, paths: ProfilePaths) -> None:
    """An open reader sees each batch when it is committed, and holds nobody up."""
    with Store.open(paths) as reader:
        for number in range(3):
            documents = reader.documents()
            store.commit([dog(str(number))], [], captioner=CAPTIONER)
            assert len(list(documents)) == number + 1


def test_a_reader_cannot_write(store: StoreWriter, paths: ProfilePaths) -> None:
    """Reading is all that a search asks of the file: it is opened for nothing else."""
    store.commit([dog("a")], [], captioner=CAPTIONER)
    with closing(connection.opened_to_read(paths)) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM photos")
    assert is_described(store, "a", CAPTIONER)


def test_a_store_on_a_read_only_disk_is_readable(paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite may not put its shared-memory file beside the store, the store is read as a file that does not change."""
    with StoreWriter.create(paths, NAME) as store:
        store.commit([dog("a")], [], captioner=CAPTIONER)
    files = sorted(paths.root.iterdir())
    monkeypatch.setattr(os, "access", lambda *_: False)
    with Store.open(paths) as store:
        assert captions(store) == {"a": "a dog runs"}
        assert sorted(paths.root.iterdir()) == files


def test_a_path_with_odd_characters_is_opened(tmp_path: Path) -> None:
    """The cache directory is the user's choice."""
    paths = ProfilePaths.of(tmp_path / "a?b=c&mode=rwc #%41 é", NAME)
    with StoreWriter.create(paths, NAME) as store:
        store.commit([dog("a")], [], captioner=CAPTIONER)
    with Store.open(paths) as store:
        assert store.n_photos == 1


def test_a_second_writer_is_told_to_wait(store: StoreWriter, paths: ProfilePaths) -> None:
    """Within one process as between two."""
    with pytest.raises(TryLaterError, match=f"'natgeo' is being indexed by process {os.getpid()} since \\d\\d:\\d\\d: wait until it is done"):
        StoreWriter.create(paths, NAME)
    code = """if True:
        import sys; from pathlib import Path; from igsearch.paths import ProfilePaths; from igsearch.store.writer import StoreWriter
        StoreWriter.create(ProfilePaths.of(Path(sys.argv[1]), "natgeo"), "natgeo")"""
    done = subprocess.run([sys.executable, "-c", code, str(paths.root.parent.parent)], capture_output=True, text=True, check=False)

    assert "TryLaterError" in done.stderr
    store.commit([dog("a")], [], captioner=CAPTIONER)


def test_the_right_to_write_ends_with_the_store(paths: ProfilePaths) -> None:
    """Also when the store could not be opened after the lock was taken."""
    StoreWriter.create(paths, NAME).close()
    good = paths.database.read_bytes()
    paths.database.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        StoreWriter.create(paths, NAME)
    paths.database.write_bytes(good)

    StoreWriter.create(paths, NAME).close()


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_disk_is_told_and_leaves_the_store_whole(store: StoreWriter, monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> None:
    """A thumbnail that cannot be written ends the batch, not the store."""
    store.commit([dog("a")], [], captioner=CAPTIONER)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(step, refuse)
        with pytest.raises(CacheError, match=f"cannot be used \\({os.strerror(number)}\\): make room") as caught:
            store.commit([dog("a", "new"), dog("b")], [], captioner=CAPTIONER)

    assert "\n" not in str(caught.value)
    assert captions(store) == {"a": "a dog runs"}
    assert store.generation == 1


FILL = """
import resource, signal, sys
from pathlib import Path
from igsearch.errors import CacheError
from igsearch.paths import ProfilePaths
from igsearch.records import DescribedPhoto, Description, Photo
from igsearch.store.writer import StoreWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with StoreWriter.create(ProfilePaths.of(Path(sys.argv[1]), "natgeo"), "natgeo") as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    for number in range(100):
        try:
            store.commit([DescribedPhoto(Photo(str(number), url="u"), Description("dog " * 5_000, 0.0), b"")], [], captioner="lite2")
        except CacheError as err:
            print(number, err)
            break
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_database_that_cannot_grow_is_told_and_stays_whole(paths: ProfilePaths) -> None:
    """SQLite's own refusal is the same error; everything committed before is there."""
    done = subprocess.run([sys.executable, "-c", FILL, str(paths.root.parent.parent)], capture_output=True, text=True, check=True)
    n_stored = int(done.stdout.split()[0])

    assert "cannot be used" in done.stdout
    assert n_stored > 0
    with Store.open(paths) as store:
        assert store.n_photos == store.generation == n_stored


@pytest.mark.parametrize("place", ["", "profiles", f"profiles/{NAME}"], ids=["cache", "profiles", "profile"])
def test_a_file_in_the_way_is_told(tmp_path: Path, place: str) -> None:
    """The cache directory cannot be made where a file lies."""
    cache = tmp_path / "cache"
    (cache / place).parent.mkdir(parents=True, exist_ok=True)
    (cache / place).write_text("in the way")

    with pytest.raises(CacheError, match="--cache-dir"):
        StoreWriter.create(ProfilePaths.of(cache, NAME), NAME)


def foreign(path: Path) -> None:
    """Somebody else's SQLite file."""
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (address TEXT)")
        db.execute("PRAGMA user_version = 1")
    db.close()


def newer(path: Path) -> None:
    """A store of a later igsearch."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def odd_objects(path: Path) -> None:
    """Objects that no igsearch wrote."""
    with sqlite3.connect(path) as db:
        db.execute("""UPDATE descriptions SET objects = '[{"name": "dog", "breed": "beagle"}]'""")
    db.close()


def no_tables(path: Path) -> None:
    """The marks are there, a table is not."""
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE labels")
    db.close()


def odd_date(path: Path) -> None:
    """A value that no igsearch wrote."""
    with sqlite3.connect(path) as db:
        db.execute("UPDATE photos SET taken_at = 'yesterday'")
    db.close()


def odd_bytes(path: Path) -> None:
    """Text that is no UTF-8."""
    with sqlite3.connect(path) as db:
        db.execute("UPDATE descriptions SET caption = CAST(x'80ff' AS TEXT)")
    db.close()


DAMAGES = {
    "foreign": (foreign, "was not written by igsearch: move it away"),
    "newer": (newer, "was written by a newer igsearch"),
    "text": (lambda path: path.write_text("hello\n" * 1000), "is damaged"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:9_000]), "is damaged"),
    "overwritten": (lambda path: path.write_bytes(path.read_bytes()[:100] + b"\xaa" * 60_000), "is damaged"),
    "no tables": (no_tables, "is damaged"),
    "odd date": (odd_date, "is damaged"),
    "odd bytes": (odd_bytes, "is damaged"),
    "odd objects": (odd_objects, "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_told_in_one_line(paths: ProfilePaths, damage: str) -> None:
    """Whatever is wrong with the file, reading it ends in StoreError with a next step."""
    with StoreWriter.create(paths, NAME) as store:
        store.commit([dog("a")], [], captioner=CAPTIONER)
    spoil, message = DAMAGES[damage]
    spoil(paths.database)

    with pytest.raises(StoreError, match=message) as caught, Store.open(paths) as store:  # some damage shows when the file is opened, some when it is read
        captions(store)
    assert "\n" not in str(caught.value)
    assert "run igsearch" in str(caught.value) or "upgrade igsearch" in str(caught.value)


@pytest.mark.parametrize("damage", ["foreign", "newer", "text"])
def test_nothing_is_written_to_a_file_that_is_not_ours(paths: ProfilePaths, damage: str) -> None:
    """Indexing refuses too, and leaves the file as it is."""
    StoreWriter.create(paths, NAME).close()
    spoil, message = DAMAGES[damage]
    spoil(paths.database)
    before = paths.database.read_bytes()

    with pytest.raises(StoreError, match=message):
        StoreWriter.create(paths, NAME)
    assert paths.database.read_bytes() == before


@pytest.mark.parametrize("by_reader", [True, False], ids=["open", "create"])
def test_an_older_store_is_brought_up_to_date(paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch, by_reader: bool) -> None:
    """Its photos stay; each migration is applied once."""
    with StoreWriter.create(paths, NAME) as store:
        store.commit([dog("a")], [], captioner=CAPTIONER)
    monkeypatch.setattr(connection, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE photos ADD COLUMN rating REAL", "CREATE TABLE tags (name TEXT)"))
    for _ in range(2):
        with Store.open(paths) if by_reader else StoreWriter.create(paths, NAME) as store:
            assert captions(store) == {"a": "a dog runs"}

    with sqlite3.connect(paths.database) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS) + 2,)
    db.close()


VERSION_1 = """
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE photos (
    rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, url TEXT, path TEXT, shortcode TEXT, slide INTEGER NOT NULL, n_slides INTEGER NOT NULL,
    taken_at TEXT, is_video INTEGER NOT NULL, is_pinned INTEGER NOT NULL, likes INTEGER,
    post_text TEXT, alt_text TEXT, location TEXT, hashtags TEXT NOT NULL
);
CREATE INDEX photos_by_time ON photos (taken_at);
CREATE TABLE descriptions (
    photo INTEGER PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    caption TEXT NOT NULL, logprob REAL NOT NULL, captioner TEXT NOT NULL, described_at TEXT NOT NULL, is_stale INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE alternatives (
    photo INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE, rank INTEGER NOT NULL,
    caption TEXT NOT NULL, logprob REAL NOT NULL, PRIMARY KEY (photo, rank)
) WITHOUT ROWID;
CREATE TABLE labels (
    photo INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE, rank INTEGER NOT NULL,
    name TEXT NOT NULL, probability REAL NOT NULL, PRIMARY KEY (photo, rank)
) WITHOUT ROWID;
CREATE TABLE failures (
    photo INTEGER PRIMARY KEY REFERENCES photos ON DELETE CASCADE, reason TEXT NOT NULL, attempts INTEGER NOT NULL, failed_at TEXT NOT NULL
);
PRAGMA application_id = 1768387429;
PRAGMA user_version = 1;
INSERT INTO meta VALUES ('profile', 'natgeo'), ('generation', 7), ('walk_complete', 1), ('source', 'folder of pictures');
INSERT INTO photos VALUES
    (3, 'a', NULL, '/p/a.jpg', 'a', 1, 2, '2021-04-05T10:11:12.000000+00:00', 0, 1, 5, 'text', 'alt', 'Paris', '["one"]'),
    (4, 'b', 'u', NULL, NULL, 1, 1, NULL, 0, 0, NULL, NULL, NULL, NULL, '[]'),
    (9, 'c', 'u', NULL, NULL, 1, 1, NULL, 0, 0, NULL, NULL, NULL, NULL, '[]');
INSERT INTO descriptions VALUES
    (3, 'a dog runs', -3.5, 'lite2', '2024-05-01T00:00:00.000000+00:00', 0), (9, 'a cat', -1.0, 'lite2', '2024-05-02T00:00:00.000000+00:00', 1);
INSERT INTO alternatives VALUES (3, 0, 'a dog', -4.25);
INSERT INTO labels VALUES (3, 0, 'beagle', 0.75);
INSERT INTO failures VALUES (4, '404', 2, '2024-05-01T00:00:00.000000+00:00');
COMMIT;
"""
"""What igsearch 0.1 leaves behind, as it made it."""


@pytest.mark.parametrize("by_reader", [True, False], ids=["open", "create"])
def test_a_store_of_version_1_keeps_all_it_knows(paths: ProfilePaths, by_reader: bool) -> None:
    """Rows, rowids, generation and marks stay; what version 1 did not know is unknown; then everything new can be written."""
    paths.root.mkdir(parents=True)
    with sqlite3.connect(paths.database) as db:
        db.executescript(VERSION_1)
    db.close()
    with Store.open(paths) if by_reader else StoreWriter.create(paths, NAME) as store:
        found = store.photos_by_rowid([3, 4, 9])
        assert list(found) == [3, 9]
        taken_at = datetime(2021, 4, 5, 10, 11, 12, tzinfo=UTC)
        details = {"post_text": "text", "alt_text": "alt", "location": "Paris", "hashtags": ("one",)}
        expected = Photo("a", path=Path("/p/a.jpg"), shortcode="a", n_slides=2, taken_at=taken_at, is_pinned=True, likes=5, **details)  # type: ignore[arg-type]
        description = Description("a dog runs", -3.5, (Hypothesis("a dog", -4.25),), (Label("beagle", 0.75),))
        assert (found[3].photo, found[3].description, found[3].thumbnail) == (expected, description, thumbnail_path(paths, "a"))
        assert [(one.photo.id, one.attempts) for one in store.failures()] == [("b", 2)]
        assert (store.generation, store.summary().sources) == (7, ())
        assert (is_described(store, "a", "lite2"), is_described(store, "c", "lite2")) == (True, False)
    with StoreWriter.create(paths, NAME) as store:
        new = DescribedPhoto(Photo("a", path=Path("/p/x.zip"), member="a.jpg"), Description("a dog", None, objects=(DetectedObject("dog", 2),)), None)
        store.commit([new], [], captioner=CAPTIONER)
        one = store.photos_by_rowid([3])[3]
        there = replace(expected, path=new.photo.path, member="a.jpg", shortcode="a", n_slides=1, is_pinned=False)
        assert (one.photo, one.description, one.thumbnail) == (there, new.description, thumbnail_path(paths, "a"))


def test_a_migration_that_fails_changes_nothing(paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration is whole or absent."""
    with StoreWriter.create(paths, NAME) as store:
        store.commit([dog("a")], [], captioner=CAPTIONER)
    with monkeypatch.context() as patch:
        patch.setattr(connection, "MIGRATIONS", (*schema.MIGRATIONS, "DELETE FROM descriptions; CREATE TABLE photos (id TEXT)"))
        with pytest.raises(IgsearchError):
            StoreWriter.create(paths, NAME)

    with Store.open(paths) as store:
        assert captions(store) == {"a": "a dog runs"}
