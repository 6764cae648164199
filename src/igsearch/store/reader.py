"""What is known of a profile, to read: any number of readers work beside the one writer (`igsearch.store.writer`)."""
# ruff: noqa: S608 -- what is put into a statement's text is a name written here or a row of question marks; values are always bound

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from igsearch.errors import CacheError, StoreError
from igsearch.paths import ProfilePaths, is_profile_name
from igsearch.records import Description, Hypothesis, Label, Photo
from igsearch.store.connection import border, nothing_indexed, opened_to_read
from igsearch.store.rows import Failure, KnownPhoto, SourceState, StoredPhoto, Summary, below, is_address, is_place, is_post, real_root
from igsearch.store.schema import COLUMNS, id_text, objects_of, path_value, photo_of, time_of, time_text

GIVEN = "given"
"""What stands in place of a captioner's name where the description came along with the photo."""

PAGE = 500
"""Rows asked for at a time: SQLite before 3.32 takes at most 999 variables, and no cursor stays open while a caller writes."""

OF_SOURCE = "(source = ? OR (path > ? AND path < ?))"
"""A condition that holds for a source's photos and for those below a folder; see `below`."""

EXPORT = "export"
"""The kind of Instagram's own exports: whichever of an account's is read, packed or not, a picture has the same path in it."""

OrderColumn = Literal["taken_at", "likes"]
"""What photos can be put in order by."""


_PHOTO = ", ".join(f"photos.{name}" for name in COLUMNS)
_IS_DUE = "COALESCE(is_stale, 0) OR EXISTS (SELECT 1 FROM failures WHERE photo = photos.rowid)"
_STATE = f"photos.rowid, source, size, modified, digest, gone_at IS NOT NULL, captioner, caption, {_IS_DUE}"
N_STATE = 9
_KNOWN = f"SELECT {_STATE}, {_PHOTO} FROM photos LEFT JOIN descriptions ON photo = photos.rowid"


class Store:
    """The photos of one profile, their descriptions and failures. Get one from `open`; close it, or use it in a `with`.

    Any method raises StoreError for a damaged file, CacheError if the disk is full or refuses, TryLaterError if another process keeps the file locked. A store
    belongs to the thread that opened it.
    """

    def __init__(self, paths: ProfilePaths, db: sqlite3.Connection) -> None:
        self._paths, self._db = paths, db

    @classmethod
    def open(cls, paths: ProfilePaths, *, as_it_is: bool = False) -> Store:
        """The store for reading, also while another process writes. Raises NotIndexedError if there is none.

        One of an older version is brought up to date; where it is to stay `as_it_is`, a copy of it in memory.
        """
        if not paths.database.is_file():
            raise nothing_indexed(paths)
        try:
            with border(paths):
                return Store(paths, opened_to_read(paths, as_it_is=as_it_is))
        except CacheError:
            if paths.database.is_file():
                raise
            raise nothing_indexed(paths) from None  # it was removed this moment

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def generation(self) -> int:
        """Counts the commits that changed what can be found; an index knows the one it was fitted on."""
        return int(self._meta()["generation"])

    @property
    def n_photos(self) -> int:
        """How many photos have a description."""
        [(n_photos,)] = self._all("SELECT COUNT(*) FROM descriptions")
        return int(n_photos)

    def source(self, kind: str, root: str) -> SourceState | None:
        """What is known of a source; None if it was never walked."""
        return next(iter(self._sources("WHERE kind = ? AND root = ?", kind, real_root(root))), None)

    def known(self, source: int | None, photo: Photo, *, kind: str | None = None) -> KnownPhoto | None:
        """The row that a photo of a source has.

        It has the photo's id there; or is the same photo whichever source tells of it, by its post, its address or its place in Instagram's export; or its
        source is not known. `source` is the source's row, None for one that was never walked; `kind` is its kind.
        """
        local = id_text(photo.id)
        if source is not None and (found := self._known("WHERE source = ? AND local_id = ?", source, local)):
            return found[0]
        return next((one for one in self._known("WHERE id = ?", local) if self._is_same(one, photo, kind)), None)

    def in_file(self, path: Path, member: str | None) -> list[KnownPhoto]:
        """The photos that lie in this file, or in this member of it, whatever their ids."""
        return self._known("WHERE path = ? AND member IS ? ORDER BY photos.rowid", path_value(path), member)

    def has_size(self, size: int) -> bool:
        """Whether there is a photo whose file has that many bytes and was read."""
        return bool(self._all("SELECT 1 FROM photos WHERE size = ? AND digest IS NOT NULL LIMIT 1", size))

    def with_contents(self, size: int, digest: bytes) -> list[KnownPhoto]:
        """The described photos whose files were these bytes when they were read."""
        return self._known("WHERE size = ? AND digest = ? AND captioner IS NOT NULL", size, digest)

    @property
    def last_row(self) -> int:
        """The highest row of a photo; those that come later have higher ones."""
        [(last,)] = self._all("SELECT COALESCE(MAX(rowid), 0) FROM photos")
        return int(last)

    def lying_in(self, source: int | None, root: str, end: int, *, gone: bool = False) -> Iterator[KnownPhoto]:
        """The photos up to the row `end` of a source, and those whose files lie below its `root`, whichever source told of them; or such as are gone.

        They come page by page.
        """
        last, query = 0, f"WHERE photos.rowid > ? AND photos.rowid <= ? AND gone_at IS {'NOT ' * gone}NULL AND {OF_SOURCE} ORDER BY photos.rowid LIMIT {PAGE}"
        while page := self._known(query, last, end, source, *below(root)):
            last = page[-1].row
            yield from page

    def unread(self, source: int) -> list[str]:
        """The ids of what could not be read in a source so far."""
        return [str(name) for (name,) in self._all("SELECT id FROM unread WHERE source = ? ORDER BY id", source)]

    def summary(self) -> Summary:
        """The profile in numbers; reads every row once."""
        [(n_photos, n_gone, last_indexed, oldest, newest)] = self._all(
            "SELECT COUNT(*), COUNT(gone_at), MAX(described_at), MIN(taken_at), MAX(taken_at) FROM descriptions JOIN photos ON photo = photos.rowid"
        )
        [(n_failed,)] = self._all("SELECT (SELECT COUNT(*) FROM failures) + (SELECT COUNT(*) FROM unread)")
        captioners = tuple(name for (name,) in self._all("SELECT DISTINCT captioner FROM descriptions ORDER BY captioner"))
        with border(self._paths):
            first, last, indexed = map(time_of, (oldest, newest, last_indexed))
        walked = tuple(self._sources("WHERE EXISTS (SELECT 1 FROM photos WHERE source = sources.rowid) ORDER BY rowid"))
        return Summary(self._meta()["profile"], n_photos, n_failed, n_gone, captioners, first, last, indexed, walked)

    def failures(self, source: int | None = None) -> Iterator[Failure]:
        """The photos that failed (of one source, or of all), by their ids there, page by page; those that first fail meanwhile are left out."""
        [(last, end)] = self._all("SELECT 0, COALESCE(MAX(photo), 0) FROM failures")
        among = "" if source is None else f"AND photos.source IN ({int(source)})"
        failed = f"SELECT photo, reason, attempts, failed_at, local_id, {_PHOTO} FROM failures JOIN photos ON photo = photos.rowid"
        query = f"{failed} WHERE photo > ? AND photo <= ? {among}"
        while page := self._all(f"{query} ORDER BY photo LIMIT {PAGE}", last, end):
            last = page[-1][0]
            with border(self._paths):
                failures = [
                    Failure(replace(photo_of(rest), id=local_id), reason, attempts, datetime.fromisoformat(when))
                    for _, reason, attempts, when, local_id, *rest in page
                ]
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

    def n_undated(self, rowids: Sequence[int]) -> int:
        """How many photos of these rows have no date."""
        pages = (rowids[start : start + PAGE] for start in range(0, len(rowids), PAGE))
        query = "SELECT COUNT(*) FROM photos WHERE taken_at IS NULL AND rowid IN"
        return sum(int(self._all(f"{query} ({', '.join('?' * len(page))})", *page)[0][0]) for page in pages)

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
        described = f"SELECT photo, caption, logprob, objects, has_thumbnail, gone_at, {_PHOTO} FROM descriptions JOIN photos ON photo = photos.rowid"
        for rowid, caption, logprob, objects, has_thumbnail, gone_at, *rest in self._all(f"{described} WHERE {among} ORDER BY photo", *rowids):
            with border(self._paths):
                photo, things = photo_of(rest), objects_of(objects)
            description = Description(caption, logprob, tuple(alternatives.get(rowid, ())), tuple(labels.get(rowid, ())), things)
            found[rowid] = StoredPhoto(photo, description, thumbnail_path(self._paths, photo.id) if has_thumbnail else None, gone_at is not None)
        return found

    def _is_same(self, known: KnownPhoto, photo: Photo, kind: str | None) -> bool:
        """Whether a photo of the same id as one met now is that one, though another source told of it."""
        if is_post(known, photo) or is_address(known, photo):
            return True
        if known.source is None:
            return kind == EXPORT or is_place(known, photo)
        return kind == EXPORT and self._all("SELECT kind FROM sources WHERE rowid = ?", known.source) == [(EXPORT,)]

    def _known(self, where: str, *parameters: int | str | bytes | None) -> list[KnownPhoto]:
        return [KnownPhoto(*(*row[:N_STATE], row[N_STATE:])) for row in self._all(f"{_KNOWN} {where}", *parameters)]

    def _sources(self, where: str, *parameters: str) -> list[SourceState]:
        rows = self._all(f"SELECT rowid, kind, root, name, is_complete, walked_at FROM sources {where}", *parameters)
        with border(self._paths):
            return [SourceState(row, kind, root, name, bool(is_complete), time_of(walked_at)) for row, kind, root, name, is_complete, walked_at in rows]

    def _meta(self) -> dict[str, Any]:
        return dict(self._all("SELECT key, value FROM meta"))

    def _all(self, query: str, *parameters: int | str | bytes | None) -> list[Any]:
        with border(self._paths):
            return self._db.execute(query, parameters).fetchall()


def indexed_profiles(cache: Path) -> list[str]:
    """The names of the profiles that have a store below `cache`, in alphabetical order."""
    names = (database.parent.name for database in cache.glob("profiles/*/store.sqlite3"))
    return sorted(name for name in names if is_profile_name(name))


def summary_of(paths: ProfilePaths) -> Summary:
    """A profile in numbers, or what is wrong with it. Raises NotIndexedError."""
    try:
        with Store.open(paths) as store:
            return store.summary()
    except StoreError as err:
        return Summary(paths.root.name, problem=str(err))


def _taken(since: datetime | None, until: datetime | None) -> tuple[str, list[str]]:
    """A condition that holds for photos taken in a period, and what to bind to it; without a bound it holds for undated ones too."""
    bounds = {"taken_at >= ?": since, "taken_at < ?": until}
    given = {condition: time_text(bound) for condition, bound in bounds.items() if bound is not None}
    return " AND ".join(given) or "TRUE", list(given.values())


def thumbnail_path(paths: ProfilePaths, photo_id: str) -> Path:
    """Where the thumbnail of a photo lies: in one of 256 folders, under a name that its id cannot steer."""
    name = hashlib.sha256(id_text(photo_id).encode()).hexdigest()[:32]
    return paths.thumbnails / name[:2] / f"{name}.webp"
