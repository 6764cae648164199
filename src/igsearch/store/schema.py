"""How the store's file is laid out, and how a photo becomes a row and comes back. docs/store-format.md explains it for other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from igsearch.records import DetectedObject, Photo

APPLICATION_ID = int.from_bytes(b"igse", "big")
"""Marks the file as ours (SQLite's `application_id`)."""

MIGRATIONS = (
    """
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
    """,
    # SQLite cannot take NOT NULL off a column, so the table is made anew.
    """
    ALTER TABLE photos ADD COLUMN member TEXT;
    CREATE TABLE descriptions_of_version_2 (
        photo INTEGER PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
        caption TEXT NOT NULL, logprob REAL, captioner TEXT NOT NULL, described_at TEXT NOT NULL, is_stale INTEGER NOT NULL DEFAULT 0,
        objects TEXT, has_thumbnail INTEGER NOT NULL
    );
    INSERT INTO descriptions_of_version_2 SELECT photo, caption, logprob, captioner, described_at, is_stale, NULL, 1 FROM descriptions;
    DROP TABLE descriptions;
    ALTER TABLE descriptions_of_version_2 RENAME TO descriptions;
    """,
    # Which source the photos of an older store came from is not known, but for one case: nothing but a profile on Instagram was ever walked.
    """
    CREATE TABLE sources (
        rowid INTEGER PRIMARY KEY, kind TEXT NOT NULL, root TEXT NOT NULL, name TEXT NOT NULL, is_complete INTEGER NOT NULL DEFAULT 0, walked_at TEXT,
        UNIQUE (kind, root)
    );
    CREATE TABLE unread (
        source INTEGER NOT NULL REFERENCES sources ON DELETE CASCADE, id TEXT NOT NULL, reason TEXT NOT NULL, permalink TEXT,
        attempts INTEGER NOT NULL, failed_at TEXT NOT NULL, PRIMARY KEY (source, id)
    ) WITHOUT ROWID;
    ALTER TABLE photos ADD COLUMN source INTEGER REFERENCES sources;
    ALTER TABLE photos ADD COLUMN local_id TEXT;
    ALTER TABLE photos ADD COLUMN size INTEGER;
    ALTER TABLE photos ADD COLUMN modified INTEGER;
    ALTER TABLE photos ADD COLUMN digest BLOB;
    ALTER TABLE photos ADD COLUMN seen_at TEXT;
    ALTER TABLE photos ADD COLUMN gone_at TEXT;
    UPDATE photos SET local_id = id;
    CREATE UNIQUE INDEX photos_by_source ON photos (source, local_id);
    CREATE INDEX photos_by_contents ON photos (size, digest);
    CREATE INDEX photos_by_path ON photos (path);
    INSERT INTO sources (kind, root, name, is_complete, walked_at)
        SELECT 'instagram', profile.value, source.value, complete.value, (SELECT value FROM meta WHERE key = 'walked_at')
        FROM meta AS profile, meta AS source, meta AS complete
        WHERE profile.key = 'profile' AND source.key = 'source' AND source.value = 'Instagram profile' AND complete.key = 'walk_complete'
        AND NOT EXISTS (SELECT 1 FROM photos WHERE path IS NOT NULL OR shortcode IS NULL);
    UPDATE photos SET source = (SELECT rowid FROM sources);
    DELETE FROM meta WHERE key IN ('walk_complete', 'walked_at', 'source');
    """,
)
"""Scripts that take the schema from one version to the next; `user_version` counts those applied. Append only."""

COLUMNS = (
    "id", "url", "path", "member", "shortcode", "slide", "n_slides", "taken_at", "is_video", "is_pinned", "likes",
    "post_text", "alt_text", "location", "hashtags",
)  # fmt: skip
"""The columns of `photos` in the order of `photo_row` and `photo_of`."""

LARGEST_INTEGER = 2**63 - 1
"""What an SQLite column holds; a count in a damaged file may be anything."""


def photo_row(photo: Photo) -> tuple[str | bytes | int | None, ...]:
    """The values of `COLUMNS`. A description that came with the photo is not among them: it is stored as one."""
    url, member, shortcode, post_text, alt_text, location = (
        None if text is None else clean(text) for text in (photo.url, photo.member, photo.shortcode, photo.post_text, photo.alt_text, photo.location)
    )
    path = None if photo.path is None else path_value(photo.path)
    taken_at = None if photo.taken_at is None else time_text(photo.taken_at)
    likes = None if photo.likes is None else max(-LARGEST_INTEGER, min(photo.likes, LARGEST_INTEGER))
    hashtags = json.dumps([clean(tag) for tag in photo.hashtags], ensure_ascii=False)
    return (
        id_text(photo.id), url, path, member, shortcode, photo.slide, photo.n_slides, taken_at, photo.is_video, photo.is_pinned, likes,
        post_text, alt_text, location, hashtags,
    )  # fmt: skip


def photo_of(row: Sequence[Any]) -> Photo:
    """The photo whose `COLUMNS` these are. Raises ValueError if they do not read back."""
    named = dict(zip(COLUMNS, row, strict=True))
    return Photo(
        **named
        | {
            "path": None if named["path"] is None else Path(os.fsdecode(named["path"])),
            "taken_at": time_of(named["taken_at"]),
            "is_video": bool(named["is_video"]),
            "is_pinned": bool(named["is_pinned"]),
            "hashtags": tuple(json.loads(named["hashtags"])),
        }
    )


def objects_text(objects: Sequence[DetectedObject] | None) -> str | None:
    """Detected objects as a JSON list; None where nobody looked for any."""
    if objects is None:
        return None
    return json.dumps([{"name": clean(one.name), "count": one.count, "score": one.score} for one in objects], ensure_ascii=False)


def objects_of(text: str | None) -> tuple[DetectedObject, ...] | None:
    """The objects that `objects_text` wrote. Raises ValueError."""
    try:
        return None if text is None else tuple(DetectedObject(**one) for one in json.loads(text))
    except (TypeError, RecursionError) as err:
        raise ValueError(f"these are no objects: {err}") from err


def clean(text: str) -> str:
    """`text` as UTF-8 can hold it: surrogate pairs become the character they stand for, lone surrogates U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def id_text(photo_id: str) -> str:
    """A photo's id as it is stored: surrogates are spelt out, so that different ids stay different."""
    return photo_id.encode("utf-8", "backslashreplace").decode()


def time_text(time: datetime) -> str:
    """UTC with microseconds, in one width: the order of the texts is the order of the times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str | None) -> datetime | None:
    """The time that `time_text` wrote. Raises ValueError."""
    return None if text is None else datetime.fromisoformat(text)


def path_value(path: Path) -> str | bytes:
    """A path as text; as the system's own bytes if they are no UTF-8, since only those lead back to the file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return str(path)
