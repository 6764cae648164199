"""What is known of a profile, to write.

There is at most one writer at a time, and any number of readers beside it. A batch is one transaction: a kill at any instant loses at most the batch in flight.
"""
# ruff: noqa: S608 -- what is put into a statement's text is a name written here or a row of question marks; values are always bound

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from igsearch.store.connection import border, bring_up_to_date, closed_on_error, delete, writer_lock
from igsearch.store.reader import GIVEN, OF_SOURCE, Store, thumbnail_path
from igsearch.store.rows import KnownPhoto, Met, SourceState, below, real_root
from igsearch.store.schema import COLUMNS, clean, id_text, objects_text, photo_row, time_text

if TYPE_CHECKING:
    from igsearch.paths import ProfilePaths
    from igsearch.records import DescribedPhoto, Description, FailedPhoto, Photo, Source, Unread

_INSERT_PHOTO = f"INSERT INTO photos ({', '.join(COLUMNS)}, source, local_id, seen_at) VALUES ({', '.join('?' * (len(COLUMNS) + 3))})"
_UPDATE_PHOTO = f"UPDATE photos SET {', '.join(f'{name} = ?' for name in COLUMNS[1:])}, gone_at = NULL WHERE rowid = ?"
_UPSERT_DESCRIPTION = (
    "INSERT INTO descriptions (photo, caption, logprob, captioner, described_at, objects, has_thumbnail) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (photo) DO UPDATE SET caption = excluded.caption, logprob = excluded.logprob, captioner = excluded.captioner, "
    "described_at = excluded.described_at, is_stale = 0, objects = excluded.objects, has_thumbnail = MAX(has_thumbnail, excluded.has_thumbnail)"
)
_UPSERT_FAILURE = (
    "INSERT INTO failures VALUES (?, ?, 1, ?) "
    "ON CONFLICT (photo) DO UPDATE SET reason = excluded.reason, attempts = attempts + 1, failed_at = excluded.failed_at"
)
_UPSERT_UNREAD = (
    "INSERT INTO unread VALUES (?, ?, ?, ?, 1, ?) "
    "ON CONFLICT (source, id) DO UPDATE SET reason = excluded.reason, permalink = excluded.permalink, attempts = attempts + 1, failed_at = excluded.failed_at"
)
PLACE = frozenset(("url", "path", "member"))
"""The columns that tell where a picture is: they belong together."""


class StoreWriter(Store):
    """A store that its only writer has open; `source` is what it is walking, None where photos come from nowhere in particular."""

    def __init__(self, paths: ProfilePaths, db: sqlite3.Connection, lock: sqlite3.Connection) -> None:
        super().__init__(paths, db)
        self._lock, self._source = lock, None  # type: tuple[sqlite3.Connection, int | None]

    @classmethod
    def create(cls, paths: ProfilePaths, profile: str) -> StoreWriter:
        """The store of `profile` for its only writer, made or brought to the present schema if need be. Raises TryLaterError if there is another writer."""
        with border(paths), ExitStack() as undo:
            lock = undo.enter_context(closed_on_error(writer_lock(paths)))
            paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = undo.enter_context(closed_on_error(sqlite3.connect(paths.database, isolation_level=None)))
            bring_up_to_date(db, paths, profile)
            return cls(paths, db, lock)

    def close(self) -> None:
        """Let go of the files, and of the right to write."""
        super().close()
        self._lock.close()

    def drop(self) -> None:
        """Delete the whole folder of the profile; what is closed afterwards is the right to write."""
        super().close()
        with border(self._paths):
            delete(self._paths)

    def begin_walk(self, source: Source) -> SourceState:
        """Note a source, under its present name, and that what follows comes from it. Photos whose source an older store did not note are met by `known`."""
        upsert = "INSERT INTO sources (kind, root, name) VALUES (?, ?, ?) ON CONFLICT (kind, root) DO UPDATE SET name = excluded.name"
        with border(self._paths):
            self._db.execute(upsert, (source.kind, real_root(source.root), clean(source.name)))
        state = self.source(source.kind, source.root)
        if state is None:
            raise LookupError(source.root)
        self._source = state.row
        return state

    def commit(self, described: Sequence[DescribedPhoto], failed: Sequence[FailedPhoto], *, captioner: str, met: Iterable[Met] = ()) -> None:
        """Store a batch, whole or not at all.

        New descriptions make a new generation and clear the failures of their photos; a failure leaves an older description as it is, and a photo that comes
        without a thumbnail leaves an older thumbnail. A description that came with its photo is noted as `GIVEN`, any other under `captioner`. `met` tells
        what the walk knows of these photos beside, by their ids.
        """
        now = time_text(datetime.now(UTC))
        known = {one.photo.id: one for one in met}
        with border(self._paths), self._db:
            ids = {one.photo.id: self._public_id(known.get(one.photo.id, Met(one.photo))) for one in described}
            for one in described:
                if one.thumbnail is not None:
                    self._write_thumbnail(ids[one.photo.id], one.thumbnail)
            self._db.execute("BEGIN IMMEDIATE")
            for one in described:
                row = self._put_photo(_loaded(known.get(one.photo.id), one.photo, one.digest), now)
                self._put_description(row, one.description, GIVEN if one.photo.description is not None else clean(captioner), now, one.thumbnail is not None)
            for bad in failed:
                row = self._put_photo(replace(_loaded(known.get(bad.photo.id), bad.photo), stamp=None), now)
                self._db.execute(_UPSERT_FAILURE, (row, clean(bad.reason), now))
            if described:
                self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def see(self, met: Sequence[Met], unread: Sequence[Unread] = ()) -> None:
        """Note that photos are still there, with what is new of them, in one transaction; and what could not be read."""
        now = time_text(datetime.now(UTC))
        with border(self._paths), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for one in met:
                self._put_photo(one, now)
            rows = [(self._source, id_text(one.id), clean(one.reason), one.permalink and clean(one.permalink), now) for one in unread]
            self._db.executemany(_UPSERT_UNREAD, rows)

    def interrupt_walk(self) -> None:
        """Note that there is something of the source that the store does not have."""
        with border(self._paths):
            self._db.execute("UPDATE sources SET is_complete = 0 WHERE rowid = ? AND is_complete", (self._source,))

    def end_walk(self, gone: Iterable[int], read: Iterable[str]) -> None:
        """Note that the source was walked to its end: all it has is here. Photos in the rows `gone` are no longer in it, and the ids `read` are read now."""
        now = time_text(datetime.now(UTC))
        with border(self._paths), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE sources SET is_complete = 1, walked_at = ? WHERE rowid = ?", (now, self._source))
            self._db.executemany("UPDATE photos SET gone_at = ? WHERE rowid = ?", [(now, row) for row in gone])
            self._db.execute("DELETE FROM photos WHERE gone_at IS NOT NULL AND rowid NOT IN (SELECT photo FROM descriptions)")
            self._db.execute("UPDATE descriptions SET is_stale = 0 WHERE is_stale AND photo IN (SELECT rowid FROM photos WHERE source IS NULL)")
            self._forget_unread(read)

    def forget_unread(self, read: Iterable[str]) -> None:
        """Forget what could not be read once and can be now."""
        with border(self._paths), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._forget_unread(read)

    def prune(self, root: str = "") -> int:
        """Drop the photos that are gone, of the source and of all below its `root`; how many there were."""
        with border(self._paths), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            gone = self._db.execute(f"SELECT rowid, id FROM photos WHERE gone_at IS NOT NULL AND {OF_SOURCE}", (self._source, *below(root))).fetchall()
            self._db.executemany("DELETE FROM photos WHERE rowid = ?", [(row,) for row, _ in gone])
            if gone:
                self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
        with border(self._paths):
            for _, photo_id in gone:
                thumbnail_path(self._paths, photo_id).unlink(missing_ok=True)
        return len(gone)

    def mark_stale(self) -> None:
        """Have every photo of the source described again; what is there stays searchable until it is replaced."""
        with border(self._paths):
            among = "SELECT rowid FROM photos WHERE source IS NULL OR source = ?"
            self._db.execute(f"UPDATE descriptions SET is_stale = 1 WHERE photo IN ({among})", (self._source,))

    def _forget_unread(self, read: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM unread WHERE source = ? AND id = ?", [(self._source, id_text(name)) for name in read])

    def _put_photo(self, met: Met, now: str) -> int:
        """The row of a photo, made or brought up to date. A photo of another source stays that one's, as long as it is there."""
        known = met.known or self.known(self._source, met.photo)
        if known is None:
            values = (self._public_id(met), *photo_row(met.photo)[1:], self._source, id_text(met.photo.id), now)
            row = int(self._db.execute(_INSERT_PHOTO, values).lastrowid or 0)
        else:
            row, values = known.row, merged(known, met.photo)
            if values != known.columns or known.is_gone:
                self._db.execute(_UPDATE_PHOTO, (*values[1:], row))
            self._db.execute("UPDATE photos SET seen_at = ? WHERE rowid = ?", (now, row))
            if met.takes_over:
                self._db.execute("UPDATE photos SET source = ?, local_id = ? WHERE rowid = ?", (self._source, id_text(met.photo.id), row))
        if met.stamp is not None and (known is None or (met.stamp.size, met.stamp.modified) != (known.size, known.modified)):
            self._db.execute("UPDATE photos SET size = ?, modified = ? WHERE rowid = ?", (met.stamp.size, met.stamp.modified, row))
        if met.digest is not None:
            self._db.execute("UPDATE photos SET digest = ? WHERE rowid = ?", (met.digest, row))
        return row

    def _public_id(self, met: Met) -> str:
        """The id under which everybody else knows a photo: its own, unless a photo of another source has that."""
        known = met.known or self.known(self._source, met.photo)
        if known is not None:
            return str(known.columns[0])
        own = id_text(met.photo.id)
        tries = (own if number == 1 else f"{own}~{number}" for number in count(1))
        return next(name for name in tries if not self._all("SELECT 1 FROM photos WHERE id = ?", name))

    def _put_description(self, row: int, description: Description, captioner: str, now: str, has_thumbnail: bool) -> None:  # noqa: FBT001 - a column
        for table in ("alternatives", "labels", "failures"):
            self._db.execute(f"DELETE FROM {table} WHERE photo = ?", (row,))
        values = (row, clean(description.caption), description.logprob, captioner, now, objects_text(description.objects), has_thumbnail)
        self._db.execute(_UPSERT_DESCRIPTION, values)
        alternatives = [(row, rank, clean(one.caption), one.logprob) for rank, one in enumerate(description.alternatives)]
        self._db.executemany("INSERT INTO alternatives VALUES (?, ?, ?, ?)", alternatives)
        labels = [(row, rank, clean(one.name), one.probability) for rank, one in enumerate(description.labels)]
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


def merged(known: KnownPhoto, photo: Photo) -> tuple[Any, ...]:
    """The columns of a known photo with what a walk tells of it now: what is unknown now stays, and no address takes the place of a file."""
    old, new = (dict(zip(COLUMNS, values, strict=True)) for values in (known.columns, photo_row(photo)))
    kept = {"id"} | {name for name, value in new.items() if value is None} - PLACE | ({"hashtags"} if not photo.hashtags else set())
    if photo.path is None and (photo.url is None or (known.path is not None and os.path.exists(known.path))):  # noqa: PTH110  # Path's raises where it may not look
        kept |= PLACE
    return tuple((old if name in kept else new)[name] for name in COLUMNS)


def _loaded(met: Met | None, photo: Photo, digest: bytes | None = None) -> Met:
    """What is known of a photo, and what loading it has told beside."""
    return Met(photo, digest=digest) if met is None else replace(met, photo=photo, digest=digest)
