"""Where things lie on disk: a flag before the environment before the platform's default. Nothing is created here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from igsearch.errors import UsageError

PROFILE_NAME = re.compile(r"[A-Za-z0-9._]{1,30}")


def cache_root(flag: Path | None = None) -> Path:
    """The cache directory: `flag`, else `IGSEARCH_CACHE_DIR`, else the platform's cache directory for igsearch."""
    if flag is not None:
        return flag.expanduser()
    if from_environment := os.environ.get("IGSEARCH_CACHE_DIR"):
        return Path(from_environment).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("igsearch", appauthor=False)


def models_folder(cache: Path) -> Path:
    """The folder that holds one folder per converted captioner."""
    return cache / "models"


def profile_name(given: str) -> str:
    """`given` as a profile's name: without a leading @, in lower case, as Instagram compares names.

    A profile name is also a folder name here. Raises UsageError if it cannot be one.
    """
    name = given.removeprefix("@").lower()
    if not PROFILE_NAME.fullmatch(name) or not name.strip("."):
        raise UsageError(f"{given!r} is not a profile name: use 1 to 30 letters, digits, dots or underscores, for example natgeotravel")
    return name


@dataclass(frozen=True, slots=True)
class ProfilePaths:
    """The files of one profile below the cache directory."""

    root: Path

    @classmethod
    def of(cls, cache: Path, profile: str) -> ProfilePaths:
        """The files of `profile`, whose name is checked (UsageError)."""
        return cls(cache / "profiles" / profile_name(profile))

    @property
    def database(self) -> Path:
        """The SQLite store."""
        return self.root / "store.sqlite3"

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails."""
        return self.root / "thumbnails"

    @property
    def indexes(self) -> Path:
        """The folder that holds one folder per fitted index."""
        return self.root / "index"
