"""What is indexed, and how to be rid of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import CacheError, NotIndexedError
from igsearch.paths import ProfilePaths
from igsearch.searching import likely_name
from igsearch.store.connection import delete, nothing_indexed, writer_lock
from igsearch.store.reader import indexed_profiles, summary_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from igsearch.store.rows import Summary


def summaries(cache: Path) -> list[Summary]:
    """What is indexed below `cache`, in alphabetical order; of a store that cannot be read, what is wrong with it."""
    found = []
    for profile in indexed_profiles(cache):
        with suppress(NotIndexedError):  # removed this moment, or not begun yet
            found.append(summary_of(ProfilePaths.of(cache, profile)))
    return [one for one in found if one.n_photos or one.problem]


def remove(cache: Path, profile: str) -> str:
    """Delete a profile's folder; its name comes back. Raises NotIndexedError if there is none, TryLaterError while it is being indexed.

    The right to write is held until the last file is gone, so that nobody begins to index into a folder that vanishes.
    """
    paths = ProfilePaths.of(cache, profile)
    if not paths.root.is_dir():
        raise nothing_indexed(paths, likely_name(paths.root.name, cache))
    with _lock(paths):
        try:
            delete(paths)
        except FileNotFoundError:
            raise nothing_indexed(paths) from None
        except OSError as err:
            raise CacheError(f"{str(paths.root)!r} cannot be deleted ({err.strerror}): check its permissions") from err
    return paths.root.name


def _lock(paths: ProfilePaths) -> AbstractContextManager[object]:
    """The right to write; where the lock's own file is damaged, nobody holds it."""
    try:
        return closing(writer_lock(paths))
    except sqlite3.Error:
        return nullcontext()
    except OSError as err:
        raise CacheError(f"{str(paths.lock)!r} cannot be written ({err.strerror}): check its permissions") from err
