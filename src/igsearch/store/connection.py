"""The store's file as SQLite opens it: who may write, which schema it has, and SQLite's errors as ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from igsearch.errors import CacheError, IgsearchError, NotIndexedError, StoreError, TryLaterError
from igsearch.store.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from igsearch.paths import ProfilePaths

REFUSALS = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM})
"""Primary result codes by which the disk says no."""


def writer_lock(paths: ProfilePaths) -> sqlite3.Connection:
    """The right to write, held until the connection closes or the process ends in any way; SQLite's own file lock works alike on every system."""
    with closed_on_error(sqlite3.connect(paths.root / "writer.lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as err:
            if err.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise TryLaterError(f"{paths.root.name!r} is being indexed by another process: wait until it is done") from err
    return lock


def bring_up_to_date(db: sqlite3.Connection, paths: ProfilePaths, profile: str) -> None:
    """The tables of the present schema, made or migrated. Raises StoreError for a file that is foreign or newer."""
    version = checked_version(db, paths)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA foreign_keys = ON")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;")
    db.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", [("profile", profile), ("generation", 0), ("walk_complete", 0)])


def read_only_uri(paths: ProfilePaths) -> str:
    """What opens the file for reading, also while another process writes, and on a disk that cannot be written."""
    # Where SQLite may not make its -shm file (a read-only disk), only a file declared unchanging can be read.
    is_frozen = not os.access(paths.root, os.W_OK) and not paths.database.with_name(f"{paths.database.name}-wal").exists()
    return f"{paths.database.absolute().as_uri()}?mode=ro{'&immutable=1' if is_frozen else ''}"


def checked_version(db: sqlite3.Connection, paths: ProfilePaths) -> int:
    """The schema version; 0 for a file that nothing was written to yet. Raises StoreError for a foreign or a newer one."""
    [(application,), (version,), (n_tables,)] = (
        db.execute(query).fetchone() for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT COUNT(*) FROM sqlite_master")
    )
    name = paths.root.name
    if not application and not version and not n_tables:
        return 0
    if application != APPLICATION_ID or version < 1:
        raise StoreError(f"{str(paths.database)!r} was not written by igsearch: move it away, then run igsearch index {name}")
    if version > len(MIGRATIONS):
        raise StoreError(f"the store of {name!r} was written by a newer igsearch (schema {version}, known here: {len(MIGRATIONS)}): upgrade igsearch")
    return int(version)


def is_up_to_date(version: int) -> bool:
    """Whether this is the present schema."""
    return version == len(MIGRATIONS)


def nothing_indexed(paths: ProfilePaths) -> NotIndexedError:
    """The error for a profile that has no store."""
    return NotIndexedError(f"nothing is indexed under {paths.root.name!r}: run igsearch index {paths.root.name}")


@contextmanager
def closed_on_error(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """The connection, which stays open unless something is raised."""
    with ExitStack() as undo:
        undo.callback(db.close)
        yield db
        undo.pop_all()


@contextmanager
def border(paths: ProfilePaths) -> Iterator[None]:
    """The errors of SQLite and of the file system become ours; a row that cannot be read back (ValueError) means damage."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise
    except (sqlite3.Error, OSError, ValueError) as err:
        raise _translated(err, paths) from err


def _translated(err: Exception, paths: ProfilePaths) -> IgsearchError:
    """A busy store, a disk that refuses, or a damaged file, told apart by SQLite's primary result code."""
    name, code = paths.root.name, getattr(err, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TryLaterError(f"the store of {name!r} is in use by another process: try again in a moment")
    if isinstance(err, OSError) or code in REFUSALS:
        why = err.strerror if isinstance(err, OSError) else err
        return CacheError(f"the cache directory {str(paths.root)!r} cannot be used ({why}): make room, or choose another with --cache-dir")
    return StoreError(f"the store of {name!r} is damaged ({err}): run igsearch remove {name}, then igsearch index {name}")
