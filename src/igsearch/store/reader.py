"""What is known of a profile: one SQLite file and a folder of thumbnails.

There is at most one writer at a time, and any number of readers beside it. A batch is one transaction: a kill at any instant loses at most the batch in flight.
"""
# ruff: noqa: S608 -- what is put into a statement's text is a name written here or a row of question marks; values are always bound

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from igsearch.paths import PROFILE_NAME, ProfilePaths
from igsearch.records import DescribedPhoto, Description, FailedPhoto, Hypothesis, Label, Photo
from igsearch.store.connection import border, bring_up_to_date, checked_version, closed_on_error, is_up_to_date, nothing_indexed, read_only_uri, writer_lock
from igsearch.store.schema import COLUMNS, clean, id_text, objects_of, objects_text, photo_of, photo_row, time_of, time_text

GIVEN = "given"
"""What stands in place of a captioner's name where the description came along with the photo."""

PAGE = 500
"""Rows asked for at a time: SQLite before 3.32 takes at most 999 variables, and no cursor stays open while a caller writes."""

OrderColumn = Literal["taken_at", "likes"]
"""What photos can be put in order by."""

_PHOTO = ", ".join(f"photos.{name}" for name in COLUMNS)
_UPSERT_PHOTO = (
    f"INSERT INTO photos ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"
)
_UPSERT_DESCRIPTION = (
    "INSERT INTO descriptions (photo, caption, logprob, captioner, described_at, objects, has_thumbnail) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (photo) DO UPDATE SET caption = excluded.caption, logprob = excluded.logprob, captioner = excluded.captioner, "
    "described_at = excluded.described_at, is_stale = 0, objects = excluded.objects, has_thumbnail = MAX(has_thumbnail, excluded.has_thumbnail)"
)
_UPSERT_FAILURE = (
    "INSERT INTO failures VALUES (?, ?, 1, ?) "
    "ON CONFLICT (photo) DO UPDATE SET reason = excluded.reason, attempts = attempts + 1, failed_at = excluded.failed_at"
)


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A described photo as the store holds it; `thumbnail` is the path of a WebP file, None where the picture was not to be had."""

    photo: Photo
    description: Description
    thumbnail: Path | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A photo that could not be described so far: the latest reason, how often it was tried, when it was tried last."""

    photo: Photo
    reason: str
    attempts: int
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """A profile in numbers. `n_photos` counts those with a description; `oldest` and `newest` are when the first and the last of them were taken."""

    profile: str
    n_photos: int
    n_failed: int
    captioners: tuple[str, ...]
    oldest: datetime | None
    newest: datetime | None
    last_indexed: datetime | None
    walk_complete: bool
    walked_at: datetime | None
    source: str | None


class Store:
    """The photos of one profile, their descriptions and failures. Get one from `create` (to write) or `open` (to read); close it, or use it in a `with`.

    Any method raises StoreError for a damaged file, CacheError if the disk is full or refuses, TryLaterError if another process keeps the file locked. A store
    belongs to the thread that opened it.
    """

    def __init__(self, paths: ProfilePaths, db: sqlite3.Connection, lock: sqlite3.Connection | None = None) -> None:
        self._paths, self._db, self._lock = paths, db, lock

    @classmethod
    def create(cls, paths: ProfilePaths, profile: str) -> Store:
        """The store of `profile` for its only writer, made or brought to the present schema if need be. Raises TryLaterError if there is another writer."""
        with border(paths), ExitStack() as undo:
            paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = undo.enter_context(closed_on_error(writer_lock(paths)))
            db = undo.enter_context(closed_on_error(sqlite3.connect(paths.database, isolation_level=None)))
            bring_up_to_date(db, paths, profile)
            return cls(paths, db, lock)

    @classmethod
    def open(cls, paths: ProfilePaths) -> Store:
        """The store for reading, also while another process writes. Raises NotIndexedError if there is none."""
        if not paths.database.is_file():
            raise nothing_indexed(paths)
        with border(paths), closed_on_error(sqlite3.connect(read_only_uri(paths), uri=True, isolation_level=None)) as db:
            version = checked_version(db, paths)
            if is_up_to_date(version):
                return cls(paths, db)
            db.close()
        if not version:
            raise nothing_indexed(paths)
        cls.create(paths, paths.root.name).close()
        return cls.open(paths)

    def close(self) -> None:
        """Let go of the files, and of the right to write."""
        self._db.close()
        if self._lock:
            self._lock.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def commit(self, described: Sequence[DescribedPhoto], failed: Sequence[FailedPhoto], *, captioner: str) -> None:
        """Store a batch, whole or not at all.

        New descriptions make a new generation and clear the failures of their photos; a failure leaves an older description as it is, and a photo that comes
        without a thumbnail leaves an older thumbnail. A description that came with its photo is noted as `GIVEN`, any other under `captioner`.
        """
        now = time_text(datetime.now(UTC))
        with border(self._paths), self._db:
            for one in described:
                if one.thumbnail is not None:
                    self._write_thumbnail(one.photo.id, one.thumbnail)
            self._db.execute("BEGIN IMMEDIATE")
            for one in described:
                by = GIVEN if one.photo.given is not None else clean(captioner)
                self._put_description(self._put_photo(one.photo), one.description, by, now, has_thumbnail=one.thumbnail is not None)
            for bad in failed:
                self._db.execute(_UPSERT_FAILURE, (self._put_photo(bad.photo), clean(bad.reason), now))
            if described:
                self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def mark_stale(self) -> None:
        """Have every photo described again; what is there stays searchable until it is replaced."""
        with border(self._paths):
            self._db.execute("UPDATE descriptions SET is_stale = 1")

    def is_described(self, photo_id: str, captioner: str) -> bool:
        """Whether the photo has a description by `captioner` that is not stale."""
        query = "SELECT 1 FROM photos JOIN descriptions ON photo = photos.rowid WHERE id = ? AND captioner = ? AND NOT is_stale"
        return bool(self._all(query, id_text(photo_id), clean(captioner)))

    @property
    def generation(self) -> int:
        """Counts the commits that changed what can be found; an index knows the one it was fitted on."""
        return int(self._meta()["generation"])

    @property
    def n_photos(self) -> int:
        """How many photos have a description."""
        [(n_photos,)] = self._all("SELECT COUNT(*) FROM descriptions")
        return int(n_photos)

    @property
    def walk_complete(self) -> bool:
        """Whether the source was once walked to its end, so that a later walk may stop at the first photo known. Setting it to True notes the time."""
        return bool(self._meta()["walk_complete"])

    @walk_complete.setter
    def walk_complete(self, is_complete: bool) -> None:
        if is_complete:
            self._set_meta(walk_complete=1, walked_at=time_text(datetime.now(UTC)))
        elif self.walk_complete:
            self._set_meta(walk_complete=0)

    @property
    def source(self) -> str | None:
        """What the photos were last read from, in the source's own words."""
        name: str | None = self._meta().get("source")
        return name

    @source.setter
    def source(self, name: str) -> None:
        self._set_meta(source=clean(name))

    def summary(self) -> Summary:
        """The profile in numbers; reads every row once."""
        meta = self._meta()
        [(n_photos, last_indexed, oldest, newest)] = self._all(
            "SELECT COUNT(*), MAX(described_at), MIN(taken_at), MAX(taken_at) FROM descriptions JOIN photos ON photo = photos.rowid"
        )
        [(n_failed,)] = self._all("SELECT COUNT(*) FROM failures")
        captioners = tuple(name for (name,) in self._all("SELECT DISTINCT captioner FROM descriptions ORDER BY captioner"))
        with border(self._paths):
            times = {"oldest": time_of(oldest), "newest": time_of(newest), "last_indexed": time_of(last_indexed), "walked_at": time_of(meta.get("walked_at"))}
        return Summary(
            profile=meta["profile"],
            n_photos=n_photos,
            n_failed=n_failed,
            captioners=captioners,
            walk_complete=bool(meta["walk_complete"]),
            source=meta.get("source"),
            **times,
        )

    def failures(self) -> Iterator[Failure]:
        """The photos that failed, page by page, those that fail for the first time meanwhile left out; the store may be written in between."""
        [(last, end)] = self._all("SELECT 0, COALESCE(MAX(photo), 0) FROM failures")
        query = f"SELECT photo, reason, attempts, failed_at, {_PHOTO} FROM failures JOIN photos ON photo = photos.rowid WHERE photo > ? AND photo <= ?"
        while page := self._all(f"{query} ORDER BY photo LIMIT {PAGE}", last, end):
            last = page[-1][0]
            with border(self._paths):
                failures = [Failure(photo_of(rest), reason, attempts, datetime.fromisoformat(when)) for _, reason, attempts, when, *rest in page]
            yield from failures

    def documents(self) -> Iterator[tuple[int, Description, Photo]]:
        """All described photos with their rowid, ascending, page by page; the store may be written in between."""
        last = 0
        while page := [rowid for (rowid,) in self._all(f"SELECT photo FROM descriptions WHERE photo > ? ORDER BY photo LIMIT {PAGE}", last)]:
            last = page[-1]
            for rowid, stored in self._page(page).items():
                yield rowid, stored.description, stored.photo

    def photos_by_rowid(self, rowids: Iterable[int]) -> dict[int, StoredPhoto]:
        """The photos of these rows (see `documents`), in the order asked for; rows that hold no description are left out."""
        wanted = [int(rowid) for rowid in rowids]
        found: dict[int, StoredPhoto] = {}
        for start in range(0, len(wanted), PAGE):
            found |= self._page(wanted[start : start + PAGE])
        return {rowid: found[rowid] for rowid in wanted if rowid in found}

    def photo(self, photo_id: str) -> StoredPhoto | None:
        """The photo of that id, if it is described."""
        return next(iter(self._page([rowid for (rowid,) in self._all("SELECT rowid FROM photos WHERE id = ?", id_text(photo_id))]).values()), None)

    def provenance(self, photo_id: str) -> tuple[str, datetime] | None:
        """Which captioner described the photo of that id, or `GIVEN`, and when; None if it is not described."""
        rows = self._all("SELECT captioner, described_at FROM descriptions JOIN photos ON photo = photos.rowid WHERE id = ?", id_text(photo_id))
        with border(self._paths):
            return next(((captioner, datetime.fromisoformat(described_at)) for captioner, described_at in rows), None)

    def ordered(self, by: OrderColumn, since: datetime | None, until: datetime | None, n: int) -> tuple[list[tuple[int, Any]], int]:
        """The `n` photos taken in a period that come first by falling `by`, unknown last, each as its row and that value; and how many there are in all."""
        taken, bounds = _taken(since, until)
        described = f"FROM descriptions JOIN photos ON photo = photos.rowid WHERE {taken}"
        [(n_photos,)] = self._all(f"SELECT COUNT(*) {described}", *bounds)
        return self._all(f"SELECT photo, {by} {described} ORDER BY {by} DESC, photo LIMIT ?", *bounds, n), int(n_photos)

    def values(self, by: OrderColumn, since: datetime | None, until: datetime | None, rowids: Sequence[int]) -> dict[int, Any]:
        """The value of `by`, None where unknown, for those of the rows whose photo is described and was taken in a period."""
        taken, bounds = _taken(since, until)
        query = f"SELECT photo, {by} FROM descriptions JOIN photos ON photo = photos.rowid WHERE {taken} AND photo IN"
        pages = [rowids[start : start + PAGE] for start in range(0, len(rowids), PAGE)]
        return dict(row for page in pages for row in self._all(f"{query} ({', '.join('?' * len(page))})", *bounds, *page))

    def _page(self, rowids: Sequence[int]) -> dict[int, StoredPhoto]:
        """At most PAGE described photos, by ascending rowid."""
        among = f"photo IN ({', '.join('?' * len(rowids))})"
        alternatives: dict[int, list[Hypothesis]] = {}
        for rowid, *rest in self._all(f"SELECT photo, caption, logprob FROM alternatives WHERE {among} ORDER BY photo, rank", *rowids):
            alternatives.setdefault(rowid, []).append(Hypothesis(*rest))
        labels: dict[int, list[Label]] = {}
        for rowid, *rest in self._all(f"SELECT photo, name, probability FROM labels WHERE {among} ORDER BY photo, rank", *rowids):
            labels.setdefault(rowid, []).append(Label(*rest))
        found = {}
        described = f"SELECT photo, caption, logprob, objects, has_thumbnail, {_PHOTO} FROM descriptions JOIN photos ON photo = photos.rowid"
        for rowid, caption, logprob, objects, has_thumbnail, *rest in self._all(f"{described} WHERE {among} ORDER BY photo", *rowids):
            with border(self._paths):
                photo, things = photo_of(rest), objects_of(objects)
            description = Description(caption, logprob, tuple(alternatives.get(rowid, ())), tuple(labels.get(rowid, ())), things)
            found[rowid] = StoredPhoto(photo, description, thumbnail_path(self._paths, photo.id) if has_thumbnail else None)
        return found

    def _put_photo(self, photo: Photo) -> int:
        self._db.execute(_UPSERT_PHOTO, photo_row(photo))
        (rowid,) = self._db.execute("SELECT rowid FROM photos WHERE id = ?", (id_text(photo.id),)).fetchone()
        return int(rowid)

    def _put_description(self, rowid: int, description: Description, captioner: str, now: str, *, has_thumbnail: bool) -> None:
        for table in ("alternatives", "labels", "failures"):
            self._db.execute(f"DELETE FROM {table} WHERE photo = ?", (rowid,))
        row = (rowid, clean(description.caption), description.logprob, captioner, now, objects_text(description.objects), has_thumbnail)
        self._db.execute(_UPSERT_DESCRIPTION, row)
        alternatives = [(rowid, rank, clean(one.caption), one.logprob) for rank, one in enumerate(description.alternatives)]
        self._db.executemany("INSERT INTO alternatives VALUES (?, ?, ?, ?)", alternatives)
        labels = [(rowid, rank, clean(one.name), one.probability) for rank, one in enumerate(description.labels)]
        self._db.executemany("INSERT INTO labels VALUES (?, ?, ?, ?)", labels)

    def _write_thumbnail(self, photo_id: str, webp: bytes) -> None:
        path = thumbnail_path(self._paths, photo_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        # One name for every attempt: there is one writer, and what a kill leaves behind is overwritten.
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            file.write(webp)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def _meta(self) -> dict[str, Any]:
        return dict(self._all("SELECT key, value FROM meta"))

    def _set_meta(self, **values: int | str) -> None:
        with border(self._paths), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def _all(self, query: str, *parameters: int | str) -> list[Any]:
        with border(self._paths):
            return self._db.execute(query, parameters).fetchall()


def indexed_profiles(cache: Path) -> list[str]:
    """The names of the profiles that have a store below `cache`, in alphabetical order."""
    names = (database.parent.name for database in cache.glob("profiles/*/store.sqlite3"))
    return sorted(name for name in names if PROFILE_NAME.fullmatch(name))


def _taken(since: datetime | None, until: datetime | None) -> tuple[str, list[str]]:
    """A condition that holds for photos taken in a period, and what to bind to it; without a bound it holds for undated ones too."""
    bounds = {"taken_at >= ?": since, "taken_at < ?": until}
    given = {condition: time_text(bound) for condition, bound in bounds.items() if bound is not None}
    return " AND ".join(given) or "TRUE", list(given.values())


def thumbnail_path(paths: ProfilePaths, photo_id: str) -> Path:
    """Where the thumbnail of a photo lies: in one of 256 folders, under a name that its id cannot steer."""
    name = hashlib.sha256(id_text(photo_id).encode()).hexdigest()[:32]
    return paths.thumbnails / name[:2] / f"{name}.webp"
