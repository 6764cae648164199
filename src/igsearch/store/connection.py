"""The store's file as SQLite opens it: who may write, which schema it has, and SQLite's errors as ours."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from igsearch.errors import CacheError, IgsearchError, NotIndexedError, StoreError, TryLaterError
from igsearch.store.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from igsearch.paths import ProfilePaths

REFUSALS = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM})
"""Primary result codes by which the disk says no."""


def writer_lock(paths: ProfilePaths) -> sqlite3.Connection:
    """The right to write or remove a profile, held until the connection closes or the process ends in any way. Raises TryLaterError, which names who has it.

    SQLite's own file lock works alike on every system. The file lies beside the profiles, so that it outlives them: who removes a profile holds it to the end.
    """
    paths.lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closed_on_error(sqlite3.connect(paths.lock, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as err:
            if err.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise TryLaterError(f"{paths.root.name!r} is being indexed by {_holder(paths)}: wait until it is done") from err
        holder = {"process": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        paths.lock_holder.write_text(json.dumps(holder), encoding="utf-8")
    return lock


def is_being_written(paths: ProfilePaths) -> bool:
    """Whether somebody holds the right to write just now."""
    if not paths.lock.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{paths.lock.absolute().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as err:
        return err.sqlite_errorcode == sqlite3.SQLITE_BUSY
    except sqlite3.Error:
        pass
    return False


def _holder(paths: ProfilePaths) -> str:
    """Who holds the lock, in words; it may have been taken a moment ago by somebody who has yet to say so."""
    try:
        holder = json.loads(paths.lock_holder.read_text(encoding="utf-8"))
        return f"process {int(holder['process'])} since {datetime.fromisoformat(holder['since']).astimezone():%H:%M}"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"


def bring_up_to_date(db: sqlite3.Connection, paths: ProfilePaths, profile: str) -> None:
    """The tables of the present schema, made or migrated. Raises StoreError for a file that is foreign or newer."""
    version = checked_version(db, paths)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA foreign_keys = ON")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;")
    db.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", [("profile", profile), ("generation", 0)])


def read_only_uri(paths: ProfilePaths) -> str:
    """What opens the file for reading, also while another process writes, and on a disk that cannot be written."""
    # Where SQLite may not make its -shm file (a read-only disk), only a file declared unchanging can be read.
    is_frozen = not os.access(paths.root, os.W_OK) and not paths.database.with_name(f"{paths.database.name}-wal").exists()
    return f"{paths.database.absolute().as_uri()}?mode=ro{'&immutable=1' if is_frozen else ''}"


def checked_version(db: sqlite3.Connection, paths: ProfilePaths) -> int:
    """The schema version; 0 for a file that nothing was written to yet. Raises StoreError for a foreign or a newer one."""
    db.execute("BEGIN")  # all of one moment, while another process may be making the tables
    with db:
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


def opened_to_read(paths: ProfilePaths, *, as_it_is: bool = False) -> sqlite3.Connection:
    """The file for reading, brought up to date first if need be. Raises NotIndexedError if nothing was ever written to it.

    An older file that is to stay `as_it_is`, or that may not be written, is brought up to date in memory.
    """
    _recover(paths)
    for _ in range(2):
        with closed_on_error(sqlite3.connect(read_only_uri(paths), uri=True, isolation_level=None)) as db:
            version = checked_version(db, paths)
            if version == len(MIGRATIONS):
                return db
            if version and (as_it_is or not os.access(paths.database, os.W_OK)):
                return _in_memory(db, paths)
            db.close()
        if not version:
            break
        with closing(writer_lock(paths)), closing(sqlite3.connect(paths.database, isolation_level=None)) as db:
            bring_up_to_date(db, paths, paths.root.name)
    raise nothing_indexed(paths)


def _recover(paths: ProfilePaths) -> None:
    """Let SQLite undo what a writer had begun when it was killed while making the tables, which it does not for who only reads."""
    if paths.database.with_name(f"{paths.database.name}-journal").exists():
        with closing(writer_lock(paths)), closing(sqlite3.connect(paths.database, isolation_level=None)) as db:
            checked_version(db, paths)


def _in_memory(db: sqlite3.Connection, paths: ProfilePaths) -> sqlite3.Connection:
    """A copy of an older file, brought up to date."""
    with closing(db), closed_on_error(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        db.backup(copy)
        bring_up_to_date(copy, paths, paths.root.name)
        return copy


def delete(paths: ProfilePaths) -> None:
    """Delete the whole folder of a profile, whose right to write the caller holds. Raises OSError.

    It is moved out of sight first: a reader that opened the store meanwhile would put files into a folder that is being emptied.
    """
    aside = paths.lock.with_suffix(".removed")
    shutil.rmtree(aside, ignore_errors=True)
    paths.root.rename(aside)
    shutil.rmtree(aside)


def nothing_indexed(paths: ProfilePaths, meant: str | None = None) -> NotIndexedError:
    """The error for a profile that has no store; `meant` is the name of one that has, and may be what was meant."""
    name = paths.root.name
    return NotIndexedError(f"nothing is indexed under {name!r}: " + (f"did you mean {meant!r}?" if meant else f"run igsearch index {name}"))


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
    if not paths.database.exists() and (isinstance(err, FileNotFoundError) or code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)) and paths.lock.exists():
        return nothing_indexed(paths)  # it was removed this moment
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TryLaterError(f"the store of {name!r} is in use by another process: try again in a moment")
    if isinstance(err, OSError) or code in REFUSALS:
        why = err.strerror if isinstance(err, OSError) else err
        return CacheError(f"the cache directory {str(paths.root)!r} cannot be used ({why}): make room, or choose another with --cache-dir")
    return StoreError(f"the store of {name!r} is damaged ({err}): run igsearch remove {name}, then igsearch index {name}")
