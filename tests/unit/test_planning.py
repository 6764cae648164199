"""What a run finds to do: new, changed, moved, known, gone and failed before, told by sources that are rows; and that a dry run finds the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from igsearch import indexing
from igsearch.errors import FetchError, ProfileNotFoundError, RateLimitedError
from igsearch.indexing import Event, IndexReport, Stored, index_profile, preview
from igsearch.managing import summaries
from igsearch.paths import ProfilePaths
from igsearch.planning import EVERYTHING, Action, Walk, Wish
from igsearch.records import Description, Photo, Unread
from igsearch.searching import Query, search
from igsearch.store.reader import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

Item = Photo | Unread | Exception


class Pictures:
    """A folder as a source: every file in it, by name."""

    name, newest_first, n_expected, left_out = "folder of pictures", False, None, dict[str, int]()

    def __init__(self, root: Path, *others: Item, kind: str = "folder", **told: object) -> None:
        self.kind, self.root, self.folder, self.others, self.told = kind, str(root), root, others, told

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo | Unread]:  # noqa: ARG002 - all are met
        """The files, then what else is listed."""
        for path in sorted(self.folder.rglob("*.png")):
            yield Photo(path.relative_to(self.folder).as_posix(), path=path, **self.told)  # type: ignore[arg-type]  # fields of Photo
        for item in self.others:
            if isinstance(item, Exception):
                raise item
            yield item


class Profile:
    """Posts as Instagram gives them, newest first; counts what it is asked for. What is to be tried again comes first."""

    kind, root, name, newest_first, n_expected, left_out = "instagram", "natgeo", "Instagram profile", True, None, dict[str, int]()

    def __init__(self, *items: Item) -> None:
        self.items, self.asked = items, list[str]()

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo | Unread]:
        """The posts."""
        for item in (*(one for one in self.items if isinstance(one, Photo | Unread) and one.id in retry), *self.items):
            if isinstance(item, Exception):
                raise item
            self.asked.append(item.id)
            yield item


class Listed(Pictures):
    """A list as a source: what it names."""

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo | Unread]:  # noqa: ARG002 - all are met
        """What is listed."""
        yield from (one for one in self.others if not isinstance(one, Exception))


class Naming:
    """Says a picture's red."""

    name, min_side = "naming", 1

    def __init__(self) -> None:
        self.described = 0

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Its first pixel."""
        return np.asarray(image)[:1, :1]

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """A sentence with the number."""
        self.described += len(pixels)
        return [Description(f"a dog number {int(one[0, 0, 0]):03}", -1.0) for one in pixels]


def paint(path: Path, red: int) -> Path:
    """A picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16 + red, 16), (red, 0, 0)).save(path)
    return path


def post(code: str, **changes: object) -> Photo:
    """A post of one picture."""
    return Photo(code, url=f"https://cdn.example/{code}.jpg", shortcode=code, **changes)  # type: ignore[arg-type]  # fields of Photo


def read(photo: Photo) -> bytes:
    """The bytes of a file; of a post, some picture's."""
    if photo.path is None:
        return PICTURE.read_bytes()
    try:
        return photo.path.read_bytes()
    except OSError as err:
        raise FetchError(f"{photo.id} cannot be read") from err


PICTURE = Path(__file__).resolve().parents[2] / "assets" / "sample" / "cat.jpg"


def noted(photo: Photo, ids: list[str]) -> Photo:
    """The photo, after its id was written down."""
    ids.append(photo.id)
    return photo


def counts(report: IndexReport) -> dict[str, int]:
    """What was met, by what was to be done about it, and what is gone."""
    return {str(action): n for action, n in report.planned.items() if n} | ({"gone": report.n_gone} if report.n_gone else {})


def run(cache: Path, source: Any, **options: Any) -> dict[str, int]:  # noqa: ANN401 - any source, options of index_profile
    """A dry run and a run: they must find the same; what that is comes back."""
    wish = Wish("naming", **{name: options.pop(name) for name in ("rebuild", "retry_failed", "recaption") if name in options})
    noted: list[str] = getattr(source, "asked", [])
    noted.clear()
    dry = preview(cache, "natgeo", source, wish, read, walk=options.get("walk", EVERYTHING), prune=options.get("prune", False))
    asked = list(noted)
    noted.clear()
    report = index_profile(cache, "natgeo", source, Naming(), read, wish=wish, **options)
    assert counts(dry) == counts(report)
    assert (dry.n_gone, dry.n_pruned) == (report.n_gone, report.n_pruned)
    assert {one.id for one in dry.failed} <= {one.id for one in report.failed}
    assert asked == noted
    return counts(report)


def captions(cache: Path) -> dict[str, str]:
    """Captions by the place of the picture, or the id where it has none."""
    with Store.open(ProfilePaths.of(cache, "natgeo")) as store:
        return {str(photo.path or photo.id): description.caption for _, description, photo in store.documents()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures."""
    for number in (1, 2, 3):
        paint(tmp_path / "photos" / f"{number}.png", number)
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache directory."""
    return tmp_path / "cache"


def test_a_dry_run_writes_nothing(cache: Path, folder: Path) -> None:
    """Not even the cache directory; and afterwards not a byte of it changes."""
    wish = Wish("naming")
    preview(cache, "natgeo", Pictures(folder), wish, read)
    assert not cache.exists()
    index_profile(cache, "natgeo", Pictures(folder), Naming(), read)
    paint(folder / "new.png", 9)
    before = {path: path.read_bytes() for path in cache.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))}
    preview(cache, "natgeo", Pictures(folder), wish, read)
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_picture_is_described_again(cache: Path, folder: Path) -> None:
    """One that was only written or touched again is not: its contents count, and are looked at only where size or time differ."""
    assert run(cache, Pictures(folder)) == {"new": 3}
    assert run(cache, Pictures(folder)) == {"known": 3}
    paint(folder / "2.png", 7)
    os.utime(folder / "3.png", (1, 1))
    assert run(cache, Pictures(folder)) == {"changed": 1, "known": 2}
    assert captions(cache)[str(folder / "2.png")] == "a dog number 007"
    assert run(cache, Pictures(folder)) == {"known": 3}


def test_a_picture_of_the_same_size_and_time_is_taken_for_the_same(cache: Path, folder: Path) -> None:
    """As every backup program does: a run over a million known files reads none of them."""
    run(cache, Pictures(folder))
    reads: list[str] = []
    index_profile(cache, "natgeo", Pictures(folder), Naming(), lambda photo: read(noted(photo, reads)))
    assert reads == []


def test_a_moved_picture_keeps_its_caption(cache: Path, folder: Path) -> None:
    """Within the folder or with the folder itself; it is found at its new place, once, and nothing is described."""
    run(cache, Pictures(folder))
    (folder / "sub").mkdir()
    (folder / "1.png").rename(folder / "sub" / "one.png")
    assert run(cache, Pictures(folder)) == {"moved": 1, "known": 2}
    renamed = folder.rename(folder.with_name("renamed"))
    assert run(cache, Pictures(renamed)) == {"moved": 3}
    assert captions(cache) == {
        str(renamed / "sub" / "one.png"): "a dog number 001",
        str(renamed / "2.png"): "a dog number 002",
        str(renamed / "3.png"): "a dog number 003",
    }
    assert run(cache, Pictures(renamed)) == {"known": 3}


def test_a_copy_is_a_picture_of_its_own(cache: Path, folder: Path) -> None:
    """It did not move: the first one is still there."""
    run(cache, Pictures(folder))
    (folder / "copy.png").write_bytes((folder / "1.png").read_bytes())
    assert run(cache, Pictures(folder)) == {"new": 1, "known": 3}


def test_two_pictures_that_change_places_change_captions(cache: Path, folder: Path) -> None:
    """A name is not a picture."""
    run(cache, Pictures(folder))
    (folder / "1.png").rename(folder / "x")
    (folder / "2.png").rename(folder / "1.png")
    (folder / "x").rename(folder / "2.png")
    assert run(cache, Pictures(folder)) == {"changed": 2, "known": 1}
    assert [captions(cache)[str(folder / name)] for name in ("1.png", "2.png")] == ["a dog number 002", "a dog number 001"]


def test_what_is_gone_is_marked_and_pruned_on_request(cache: Path, folder: Path) -> None:
    """It is told once, stays findable with its mark, comes back when its picture does, and is dropped by --prune alone."""
    run(cache, Pictures(folder))
    kept = (folder / "1.png").read_bytes()
    (folder / "1.png").unlink()
    assert run(cache, Pictures(folder)) == {"known": 2, "gone": 1}
    hits = {hit.photo.id: hit.is_gone for hit in search(cache, "natgeo", Query("dog")).hits}
    assert hits == {"1.png": True, "2.png": False, "3.png": False}
    assert run(cache, Pictures(folder)) == {"known": 2}
    (folder / "1.png").write_bytes(kept)
    assert run(cache, Pictures(folder)) == {"known": 3}
    assert not any(hit.is_gone for hit in search(cache, "natgeo", Query("dog")).hits)
    (folder / "1.png").unlink()
    report = index_profile(cache, "natgeo", Pictures(folder), Naming(), read, prune=True)
    assert (report.n_gone, report.n_pruned, report.n_photos) == (1, 1, 2)
    assert {hit.photo.id for hit in search(cache, "natgeo", Query("dog")).hits} == {"2.png", "3.png"}


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ({}, {"walk": Walk(limit=1)}),
        ({"others": [Unread("sub", "cannot be opened", hides=True)]}, {}),
        ({"others": [Unread("1.png", "cannot be read")]}, {}),
        ({"kind": "stdin"}, {}),
    ],
    ids=["limit", "folder unread", "photo unread", "stdin"],
)
def test_what_a_walk_could_not_meet_is_not_gone(cache: Path, folder: Path, source: dict[str, Any], options: dict[str, Any]) -> None:
    """Only a walk that saw all there is can tell."""
    kind = source.get("kind", "folder")
    run(cache, Pictures(folder, kind=kind))
    (folder / "1.png").unlink()
    assert "gone" not in run(cache, Pictures(folder, *source.get("others", ()), kind=kind), **options)
    assert not any(hit.is_gone for hit in search(cache, "natgeo", Query("dog")).hits)


def test_a_walk_that_ends_in_an_error_tells_of_nothing_gone(cache: Path, folder: Path) -> None:
    """The rest of the source was not seen."""
    run(cache, Pictures(folder))
    (folder / "1.png").unlink()
    with pytest.raises(RateLimitedError):
        index_profile(cache, "natgeo", Pictures(folder, RateLimitedError("wait")), Naming(), read)
    assert not any(hit.is_gone for hit in search(cache, "natgeo", Query("dog")).hits)


def test_two_folders_with_the_same_names_are_all_indexed(cache: Path, folder: Path, tmp_path: Path) -> None:
    """`IMG_1.jpg` of one camera is not that of the other; neither folder's walk takes the other's pictures for gone."""
    for number in (1, 2):
        paint(tmp_path / "other" / f"{number}.png", 100 + number)
    assert run(cache, Pictures(folder)) == {"new": 3}
    assert run(cache, Pictures(tmp_path / "other")) == {"new": 2}
    assert run(cache, Pictures(folder)) == {"known": 3}
    assert run(cache, Pictures(tmp_path / "other")) == {"known": 2}
    assert sorted(captions(cache).values()) == [f"a dog number {n:03}" for n in (1, 2, 3, 101, 102)]
    assert [(one.n_photos, len(one.sources)) for one in summaries(cache)] == [(5, 2)]


def test_a_download_does_not_make_the_profile_complete(cache: Path, tmp_path: Path) -> None:
    """Completeness belongs to a source: the live walk goes past what a folder brought, once; afterwards it stops at the first it knows."""
    paint(tmp_path / "download" / "p1.png", 1)
    download = Pictures(tmp_path / "download", shortcode="p1")
    list_of_one = [Photo("p1", path=tmp_path / "download" / "p1.png", shortcode="p1")]
    download.photos = lambda retry=(): iter(list_of_one)  # type: ignore[method-assign] # noqa: ARG005 - one post, by its code
    assert run(cache, download) == {"new": 1}
    profile = Profile(*(post(f"p{n}") for n in range(5)))
    assert run(cache, profile) == {"new": 4, "known": 1}
    assert run(cache, profile) == {"known": 1}
    assert profile.asked == ["p0"]
    assert run(cache, download) == {"known": 1}
    assert run(cache, Profile(post("new"), *(post(f"p{n}") for n in range(5)))) == {"new": 1, "known": 1}
    assert len(captions(cache)) == 6


def test_an_unreadable_post_is_tried_again(cache: Path) -> None:
    """It counts as failed in each run, is asked for before anything else in the next, and is forgotten once it was read."""
    rest = [post(f"p{n}") for n in range(2, 5)]
    assert run(cache, Profile(post("p0"), Unread("p1", "HTTP 500", "https://www.instagram.com/p/p1/"), *rest)) == {"new": 4, "unread": 1}
    [summary] = summaries(cache)
    assert summary.n_failed == 1
    still = Profile(post("p0"), Unread("p1", "HTTP 500"), *rest)
    assert run(cache, still) == {"known": 1, "unread": 1}
    assert still.asked == ["p1", "p0"]
    healed = Profile(post("p0"), post("p1"), *rest)
    assert run(cache, healed) == {"known": 1, "new": 1}
    assert healed.asked == ["p1", "p0"]
    assert (len(captions(cache)), summaries(cache)[0].n_failed) == (5, 0)
    assert run(cache, healed) == {"known": 1}


def test_a_limit_asks_for_no_more_than_its_number(cache: Path) -> None:
    """The source is not asked for the one after, which may cost a request, or an error."""
    profile = Profile(*(post(f"p{n}") for n in range(3)), RateLimitedError("wait"))
    assert run(cache, profile, walk=Walk(limit=3)) == {"new": 3}
    assert profile.asked == ["p0", "p1", "p2"]


def test_what_waits_is_committed_while_the_source_waits(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an hour of Instagram's patience must not cost what was read before it."""
    monkeypatch.setattr(indexing, "MAX_UNSTORED_SECONDS", 0.1)
    monkeypatch.setattr(indexing, "PATIENCE", 0.05)
    stored = threading.Event()

    class Slow(Profile):
        def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo | Unread]:
            yield from super().photos(retry)
            assert stored.wait(60), "nothing was committed during the wait"

    def notice(event: Event) -> None:
        if isinstance(event, Stored):
            stored.set()

    index_profile(cache, "natgeo", Slow(post("p0"), post("p1")), Naming(), read, on_event=notice)
    assert len(captions(cache)) == 2


def test_a_slow_photo_does_not_hold_back_the_others(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its batch goes on without it, and it follows."""
    monkeypatch.setattr(indexing, "PATIENCE", 0.05)
    others_are_stored = threading.Event()

    def fetch(photo: Photo) -> bytes:
        if photo.id == "p0":
            assert others_are_stored.wait(60), "the others wait for it"
        return read(photo)

    def notice(event: Event) -> None:
        if isinstance(event, Stored) and len(event.described) == 2:
            others_are_stored.set()

    report = index_profile(cache, "natgeo", Profile(*(post(f"p{n}") for n in range(9))), Naming(), fetch, batch_size=2, on_event=notice)
    assert (report.n_described, report.n_failed) == (9, 0)


@pytest.mark.parametrize(
    "items", [(ProfileNotFoundError("no such profile"),), (Unread("p0", "HTTP 500"), RateLimitedError("wait"))], ids=["no profile", "wait"]
)
def test_a_first_run_that_fails_leaves_nothing_behind(cache: Path, items: tuple[Item, ...]) -> None:
    """No empty profile in the list; the lock is free again."""
    with pytest.raises((ProfileNotFoundError, RateLimitedError)):
        index_profile(cache, "natgeo", Profile(*items), Naming(), read)
    assert summaries(cache) == []
    assert not ProfilePaths.of(cache, "natgeo").root.exists()
    assert run(cache, Profile(post("p0"))) == {"new": 1}


def test_what_failed_before_is_tried_again(cache: Path) -> None:
    """Also where the walk stops before it."""
    posts = [post(f"p{n}") for n in range(4)]

    def refuse(photo: Photo) -> bytes:
        if photo.id == "p2":
            raise FetchError("404")
        return read(photo)

    index_profile(cache, "natgeo", Profile(*posts), Naming(), refuse)
    assert run(cache, Profile(*posts)) == {"known": 1, "again": 1}
    assert len(captions(cache)) == 4


def test_a_caption_that_comes_along_is_taken_anew_when_it_changes(cache: Path) -> None:
    """A list that was captioned again says something else of its photos."""

    def told(caption: str) -> Profile:
        source = Profile(post("p0", description=Description(caption, None)))
        source.kind, source.newest_first = "entries", False
        return source

    assert run(cache, told("a harp")) == {"new": 1}
    assert run(cache, told("a harp")) == {"known": 1}
    assert run(cache, told("a violin")) == {"changed": 1}
    assert captions(cache) == {"p0": "a violin"}


def test_what_is_told_of_a_known_photo_is_kept_up_to_date(cache: Path) -> None:
    """New likes and a text that was added later, without describing anything."""
    profile = Profile(post("p0", likes=1))
    run(cache, profile)
    assert run(cache, Profile(post("p0", likes=5, post_text="a walk"))) == {"known": 1}
    with Store.open(ProfilePaths.of(cache, "natgeo")) as store:
        [(_, _, photo)] = store.documents()
    assert (photo.likes, photo.post_text) == (5, "a walk")


AS_VERSION_2 = """
PRAGMA foreign_keys = OFF;
DROP INDEX photos_by_source; DROP INDEX photos_by_contents; DROP INDEX photos_by_path;
UPDATE photos SET source = NULL;
ALTER TABLE photos DROP COLUMN local_id; ALTER TABLE photos DROP COLUMN size; ALTER TABLE photos DROP COLUMN modified;
ALTER TABLE photos DROP COLUMN digest; ALTER TABLE photos DROP COLUMN seen_at; ALTER TABLE photos DROP COLUMN gone_at;
ALTER TABLE photos DROP COLUMN source; DROP TABLE unread; DROP TABLE sources;
PRAGMA user_version = 2;
"""


def downgrade(cache: Path, source: str) -> None:
    """The store as version 2 left it, after a walk to the end of `source`."""
    with sqlite3.connect(ProfilePaths.of(cache, "natgeo").database) as db:
        db.executescript(AS_VERSION_2)
        marks = [("source", source), ("walk_complete", 1), ("walked_at", "2025-01-01T00:00:00.000000+00:00")]
        db.executemany("INSERT INTO meta VALUES (?, ?)", marks)
    db.close()


def test_photos_of_an_older_store_belong_to_the_walk_that_meets_them(cache: Path, folder: Path, tmp_path: Path) -> None:
    """Nothing is captioned again, whichever folder comes first; one of the same names elsewhere is another folder."""
    run(cache, Pictures(folder))
    downgrade(cache, "folder of pictures")
    paint(tmp_path / "other" / "1.png", 101)
    assert run(cache, Pictures(tmp_path / "other")) == {"new": 1}
    assert run(cache, Pictures(folder)) == {"known": 3}
    (folder / "1.png").unlink()
    assert run(cache, Pictures(folder)) == {"known": 2, "gone": 1}


def test_an_older_store_of_a_profile_alone_stays_complete(cache: Path) -> None:
    """Its next walk asks for one page, as before."""
    profile = Profile(*(post(f"p{n}") for n in range(5)))
    run(cache, profile)
    downgrade(cache, "Instagram profile")
    assert run(cache, profile) == {"known": 1}
    assert profile.asked == ["p0"]


def test_an_older_store_of_mixed_sources_is_walked_once(cache: Path, folder: Path) -> None:
    """It may have been a download that made it complete."""
    profile = Profile(*(post(f"p{n}") for n in range(3)))
    run(cache, Pictures(folder))
    run(cache, profile)
    downgrade(cache, "Instagram profile")
    assert run(cache, profile) == {"known": 3}
    assert run(cache, profile) == {"known": 1}


def test_a_file_is_one_photo_whatever_leads_to_it(cache: Path, folder: Path, tmp_path: Path) -> None:
    """Its folder, a folder above or below, a link, a path with `..` in it, or a list: it is described and found once."""
    paint(folder / "sub" / "4.png", 4)
    (tmp_path / "link").symlink_to(folder)
    listed = Listed(tmp_path / "list.txt", *(Photo(f"line {n}", path=folder / f"{n}.png") for n in (1, 2)), kind="list")
    assert run(cache, Pictures(folder / "sub")) == {"new": 1}
    assert run(cache, listed) == {"new": 2}
    assert run(cache, Pictures(folder)) == {"new": 1, "known": 3}
    assert run(cache, Pictures(tmp_path / "link")) == {"known": 4}
    assert run(cache, Pictures(folder / "sub" / "..")) == {"known": 4}
    assert run(cache, Pictures(tmp_path / "link" / "sub")) == {"known": 1}
    assert run(cache, listed) == {"known": 2}
    assert sorted(captions(cache)) == [*(str(folder / f"{n}.png") for n in (1, 2, 3)), str(folder / "sub" / "4.png")]


def test_what_another_source_told_of_is_gone_from_the_folder_it_lay_in(cache: Path, folder: Path) -> None:
    """A folder's walk speaks for all below it, and --prune drops it, also in a first walk of that folder; what still lies there is not gone."""
    paint(folder / "sub" / "4.png", 4)
    run(cache, Pictures(folder / "sub"))
    run(cache, Pictures(folder))
    (folder / "sub" / "4.png").unlink()
    assert run(cache, Pictures(folder)) == {"known": 3, "gone": 1}
    (folder / "1.png").unlink()
    assert run(cache, Pictures(folder, kind="export"), prune=True) == {"known": 2, "gone": 1}
    assert sorted(captions(cache)) == [str(folder / "2.png"), str(folder / "3.png")]


def test_a_picture_of_an_export_is_one_photo_in_every_export(cache: Path, folder: Path, tmp_path: Path) -> None:
    """Packed, unpacked, or asked for again a month later: its path in the export is what names it."""
    run(cache, Pictures(folder, kind="export"))
    shutil.copytree(folder, tmp_path / "unpacked")
    paint(tmp_path / "unpacked" / "new.png", 9)
    assert run(cache, Pictures(tmp_path / "unpacked", kind="export")) == {"known": 3, "new": 1}
    (tmp_path / "unpacked" / "1.png").unlink()
    assert run(cache, Pictures(tmp_path / "unpacked", kind="export")) == {"known": 3, "gone": 1}


def test_an_address_is_one_photo_in_every_list(cache: Path, tmp_path: Path) -> None:
    """A longer list of the same addresses, or the same on standard input, brings only what is new."""
    photos = [Photo(f"x.example/{n}.jpg", url=f"https://x.example/{n}.jpg") for n in range(3)]
    assert run(cache, Listed(tmp_path / "a.txt", *photos[:2], kind="list")) == {"new": 2}
    assert run(cache, Listed(tmp_path / "b.txt", *photos, kind="list")) == {"new": 1, "known": 2}
    assert run(cache, Listed(Path(), *photos, kind="stdin")) == {"known": 3}
    other = [Photo("x.example/0.jpg", url="https://y.example/another.jpg")]
    assert run(cache, Listed(tmp_path / "c.json", *other, kind="entries")) == {"new": 1}


def test_an_id_may_pass_from_one_picture_to_another(cache: Path, folder: Path, tmp_path: Path) -> None:
    """A list that is numbered anew, while its files were renamed: each picture keeps its own caption."""
    run(cache, Listed(tmp_path / "list.json", Photo("1", path=folder / "1.png"), kind="entries"))
    (folder / "1.png").rename(folder / "b.png")
    numbered = Listed(tmp_path / "list.json", Photo("2", path=folder / "b.png"), Photo("1", path=folder / "3.png"), kind="entries")
    assert run(cache, numbered) == {"moved": 1, "new": 1}
    assert run(cache, numbered) == {"known": 2}
    assert captions(cache) == {str(folder / "b.png"): "a dog number 001", str(folder / "3.png"): "a dog number 003"}


def test_a_move_is_seen_also_where_everything_is_described_again(cache: Path, folder: Path) -> None:
    """It stays one photo."""
    run(cache, Pictures(folder))
    (folder / "1.png").rename(folder / "moved.png")
    assert run(cache, Pictures(folder), rebuild=True) == {"again": 3}
    assert len(captions(cache)) == 3


def test_a_picture_that_was_spoilt_fails_until_it_is_mended(cache: Path, folder: Path) -> None:
    """In every run, though it has an older caption; mended as it was or otherwise, nothing is left of the failure."""
    run(cache, Pictures(folder))
    kept = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(b"no picture")
    assert run(cache, Pictures(folder)) == {"changed": 1, "known": 2}
    report = index_profile(cache, "natgeo", Pictures(folder), Naming(), read)
    assert (report.n_failed, counts(report)) == (1, {"again": 1, "known": 2})
    (folder / "2.png").write_bytes(kept)
    assert run(cache, Pictures(folder)) == {"again": 1, "known": 2}
    assert summaries(cache)[0].n_failed == 0
    assert run(cache, Pictures(folder)) == {"known": 3}


def test_a_carousel_that_is_not_shown_is_not_gone(cache: Path) -> None:
    """The post cannot be read in this walk; all its pictures stay."""
    slides = [Photo(f"c_{n}", url=f"https://cdn.example/c_{n}.jpg", shortcode="c", slide=n, n_slides=3) for n in (1, 2, 3)]
    run(cache, Profile(post("p0"), *slides))
    assert run(cache, Profile(post("p0"), Unread("c", "HTTP 500")), rebuild=True) == {"again": 1, "unread": 1}


def test_an_unread_post_that_was_deleted_is_forgotten(cache: Path) -> None:
    """It was asked for and nothing came, though the walk ended at the first known photo; one that is not asked for is kept."""
    old, new = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    rest = [post("p2", taken_at=new), post("p3", taken_at=old)]
    run(cache, Profile(post("p0", taken_at=new), Unread("p1", "HTTP 500"), *rest))
    assert run(cache, Profile(post("p0", taken_at=new), post("p1", taken_at=old), *rest), walk=Walk(since=new)) == {"known": 1}
    assert summaries(cache)[0].n_failed == 1
    assert run(cache, Profile(post("p0", taken_at=new), *rest)) == {"known": 1}
    assert summaries(cache)[0].n_failed == 0


def test_a_limit_holds_for_what_could_not_be_read_before(cache: Path, folder: Path, tmp_path: Path) -> None:
    """In a list it comes at its place, and counts."""
    first, second = (Photo(str(n), path=folder / f"{n}.png") for n in (1, 2))
    run(cache, Listed(tmp_path / "list.txt", first, Unread("2", "is not there"), kind="list"))
    assert run(cache, Listed(tmp_path / "list.txt", second, first, kind="list"), walk=Walk(limit=1)) == {"new": 1}


def test_a_rebuild_of_some_photos_leaves_the_others_alone(cache: Path, folder: Path) -> None:
    """The next run has nothing to do."""
    run(cache, Pictures(folder))
    assert run(cache, Pictures(folder), rebuild=True, walk=Walk(limit=1)) == {"again": 1}
    assert run(cache, Pictures(folder)) == {"known": 3}


def test_a_dry_run_tells_what_would_be_dropped(cache: Path, folder: Path) -> None:
    """What an earlier run found to be gone included, as long as it is."""
    run(cache, Pictures(folder))
    for name in ("1.png", "2.png"):
        (folder / name).rename(folder / f"{name}.kept")
        run(cache, Pictures(folder))
    (folder / "2.png.kept").rename(folder / "2.png")
    assert preview(cache, "natgeo", Pictures(folder), Wish("naming"), read, prune=True).n_pruned == 1
    assert run(cache, Pictures(folder), prune=True) == {"known": 2}
    assert len(captions(cache)) == 2


def test_a_dry_run_leaves_an_older_store_as_it_is(cache: Path, folder: Path) -> None:
    """It plans on a copy; a store that was killed at birth it takes for none."""
    run(cache, Pictures(folder))
    downgrade(cache, "folder of pictures")
    database = ProfilePaths.of(cache, "natgeo").database
    before = database.read_bytes()
    assert counts(preview(cache, "natgeo", Pictures(folder), Wish("naming"), read)) == {"known": 3}
    assert database.read_bytes() == before
    database.write_bytes(b"")
    assert counts(preview(cache, "natgeo", Pictures(folder), Wish("naming"), read)) == {"new": 3}


def test_pictures_of_an_older_store_may_move_once_they_were_met(cache: Path, folder: Path) -> None:
    """It did not note what their files were like; the first walk does."""
    run(cache, Pictures(folder))
    downgrade(cache, "folder of pictures")
    assert run(cache, Pictures(folder)) == {"known": 3}
    os.utime(folder / "1.png", (1, 1))
    (folder / "2.png").rename(folder / "moved.png")
    assert run(cache, Pictures(folder)) == {"known": 2, "moved": 1}


def test_a_rebuild_touches_no_photo_of_an_older_store_that_it_did_not_meet(cache: Path, folder: Path, tmp_path: Path) -> None:
    """Those of another folder keep their captions."""
    paint(tmp_path / "other" / "x.png", 9)
    run(cache, Pictures(folder))
    run(cache, Pictures(tmp_path / "other"))
    downgrade(cache, "folder of pictures")
    assert run(cache, Pictures(folder), rebuild=True) == {"again": 3}
    assert run(cache, Pictures(tmp_path / "other")) == {"known": 1}


@pytest.mark.parametrize("bad", [(2,), (1, 3)])
def test_a_photo_that_cannot_be_described_fails_alone(cache: Path, folder: Path, bad: tuple[int, ...]) -> None:
    """Whatever the captioner raises; the others of its batch are described."""

    class Choosy(Naming):
        def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
            if any(int(one[0, 0, 0]) in bad for one in pixels):
                raise RuntimeError("out of memory")
            return super().describe(pixels)

    report = index_profile(cache, "natgeo", Pictures(folder), Choosy(), read)
    assert (report.n_described, report.n_failed) == (3 - len(bad), len(bad))
    assert all("out of memory" in one.reason for one in report.failed)


def test_a_captioner_that_describes_nothing_ends_the_run(cache: Path, folder: Path) -> None:
    """That is no fault of the photos, and leaves nothing behind."""

    class Broken(Naming):
        def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
            raise RuntimeError(f"{len(pixels)} pictures are too many")

    with pytest.raises(RuntimeError, match="3 pictures"):
        index_profile(cache, "natgeo", Pictures(folder), Broken(), read)
    assert summaries(cache) == []


def test_a_photo_is_waited_for_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches come behind a slow one, it costs a single one of them its patience."""
    monkeypatch.setattr(indexing, "PATIENCE", 4.0)
    others_are_stored, n_stored, started = threading.Event(), [0], time.monotonic()

    def fetch(photo: Photo) -> bytes:
        if photo.id == "p00":
            assert others_are_stored.wait(120), "the others wait for it"
        return read(photo)

    def notice(event: Event) -> None:
        n_stored[0] += len(event.described) if isinstance(event, Stored) else 0
        if n_stored[0] >= 16:
            others_are_stored.set()

    index_profile(cache, "natgeo", Profile(*(post(f"p{n:02}") for n in range(21))), Naming(), fetch, batch_size=2, on_event=notice)
    assert time.monotonic() - started < 6 * 4.0


def test_a_source_is_left_alone_once_its_walk_ended(cache: Path) -> None:
    """The thread that walks it closes it; nothing of it runs on."""
    closed = threading.Event()

    class Closing(Profile):
        def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo | Unread]:
            try:
                yield from super().photos(retry)
            finally:
                closed.set()

    index_profile(cache, "natgeo", Closing(*(post(f"p{n}") for n in range(5))), Naming(), read, walk=Walk(limit=2))
    assert closed.wait(10)
    until = time.monotonic() + 10
    while any(one.name == "walk" for one in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(one.name == "walk" for one in threading.enumerate())


def test_the_plan_names_what_it_counts() -> None:
    """The words of the summary and of the JSON report are the plan's."""
    assert [str(action) for action in Action] == ["new", "changed", "again", "known", "moved", "unread"]
