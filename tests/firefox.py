"""A Firefox profile, as far as its cookies go."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

TABLE = """create table moz_cookies (id integer primary key, originAttributes text not null default '', name text, value text, host text, path text,
    expiry integer, lastAccessed integer, creationTime integer, isSecure integer, isHttpOnly integer, sameSite integer default 0,
    constraint moz_uniqueid unique (name, host, path, originAttributes))"""

MILLISECONDS_SINCE = 16
"""The version of the table since which times of expiry are in milliseconds: Firefox 142."""


def firefox_profile(
    folder: Path, cookies: Mapping[str, str], *, others: Iterable[tuple[str, str, str]] = (), version: int = 17, expires: float | None = None
) -> Path:
    """Instagram's `cookies` in a profile, and `others` by host, name and value; they expire at a Unix time, in an hour unless told."""
    folder.mkdir(parents=True, exist_ok=True)
    expiry = int((time.time() + 3600 if expires is None else expires) * (1000 if version >= MILLISECONDS_SINCE else 1))
    rows = [(name, value, host, expiry) for host, name, value in [*((".instagram.com", *cookie) for cookie in cookies.items()), *others]]
    database = sqlite3.connect(folder / "cookies.sqlite")
    with database:
        database.execute(TABLE)
        database.executemany("insert into moz_cookies (name, value, host, path, expiry, isSecure, isHttpOnly) values (?, ?, ?, '/', ?, 1, 1)", rows)
        database.execute(f"pragma user_version = {version}")
    database.close()
    return folder
