"""Where things lie on disk, and what a profile may be called. Nothing is created here."""

from __future__ import annotations

import os
import re
import string
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category, normalize

from igsearch.errors import UsageError

PROFILE_NAME = re.compile(r"[A-Za-z0-9._]{1,30}")
"""Instagram's own rule."""

MAX_NAME_CHARS, MAX_NAME_BYTES = 64, 200
"""A profile's name is a folder's name, and those have at most 255 bytes."""

MAX_GIVEN_CHARS = 2_000
"""Longer than any address."""

RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))})
"""Devices on Windows, whatever follows behind a dot. A cache may be carried there."""

ADDRESS = re.compile(
    r"(?:https?:)?(?://)?(?:(?:www|m|mobile|[a-z]{2}-[a-z]{2})\.)?(?:instagram\.com|instagr\.am)(?::[0-9]{1,5})?(/[^?#]*)?(?:[?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
POSTS = frozenset({"p", "reel", "reels", "tv"})
PAGES = frozenset({"explore", "accounts", "direct", "share", "s", "about", "legal", "developer", "web", "api", "graphql", "challenge", "popular"})
"""What stands in Instagram's addresses where a profile's name could."""

EVERY_PROFILE = "@all"

STRAY = string.whitespace + "\xa0\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
"""What comes along, seen or unseen, when a name is copied from somewhere."""
QUOTES = {'"': '"', "'": "'", "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}"}


def is_blank(text: str) -> bool:
    """Whether nothing of `text` could be seen: it is empty, white space, or marks without a width."""
    return all(character.isspace() or category(character) in ("Cc", "Cf") for character in text)


def path_given(text: str) -> Path:
    """The path that a user or a script wrote: in quotes, with ~ for the home, or as a file:// address; one that exists as it stands stays so.

    A bare `-` comes back as it is; the file of that name, `./-`, comes back with its folder. Raises UsageError if there is no such user's home.
    """
    if text != "-" and Path(text) == Path("-"):
        return Path.cwd() / "-"
    if len(text) > 1 and QUOTES.get(text[0]) == text[-1] and not os.path.lexists(text):
        text = text[1:-1]
    if text[:7].lower() == "file://":
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        if (host := urlsplit(text).netloc.lower()) not in ("", "localhost"):
            raise UsageError(f"{text!r} names a file on the machine {host!r}: write file:///..., or a path")
        text = url2pathname(urlsplit(text).path)
    try:
        return Path(text) if os.path.lexists(text) else Path(text).expanduser()
    except RuntimeError as err:
        raise UsageError(f"{text!r} names the home of nobody here: write the folder in full") from err


def cache_root(flag: Path | None = None) -> Path:
    """The cache directory: `flag`, else `IGSEARCH_CACHE_DIR`, else the platform's cache directory for igsearch. Raises UsageError for a blank variable."""
    if flag is not None:
        return flag.expanduser()
    if (from_environment := os.environ.get("IGSEARCH_CACHE_DIR")) is not None:
        if is_blank(from_environment):
            raise UsageError("IGSEARCH_CACHE_DIR is empty: set it to a folder, or unset it")
        return path_given(from_environment)
    from platformdirs import user_cache_path

    return user_cache_path("igsearch", appauthor=False)


def models_folder(cache: Path) -> Path:
    """The folder that holds one folder per converted captioner."""
    return cache / "models"


def profile_name(given: str) -> str:
    """`given` as a profile's name: out of an address on Instagram or without a leading @, in lower case and in one spelling (NFC).

    A profile's name is also a folder's name here. Raises UsageError if it cannot be one.
    """
    if given == EVERY_PROFILE:
        raise UsageError(f"{EVERY_PROFILE} means every profile that is indexed: name one")
    name = name_given(given)
    if (why := why_no_name(name)) is not None:
        raise UsageError(f"{given!r} is not a profile name: {why}")
    return name


def new_profile_name(given: str) -> str:
    """As `profile_name`, of a profile that may have to be made: its folder is to be one on every system. Raises UsageError."""
    name = profile_name(given)
    if name.partition(".")[0] in RESERVED:
        raise UsageError(f"{given!r} is not a profile name: Windows keeps it for a device; put something before it, such as my-{name}")
    return name


def name_given(given: str) -> str:
    """The name that stands in `given`, in one spelling: without what is copied along, out of an address on Instagram, without @. Raises UsageError."""
    if len(given) > MAX_GIVEN_CHARS:
        raise UsageError(f"{given[:40]!r}… is not a profile name: it is longer than {MAX_NAME_CHARS} characters")
    wanted = given.strip(STRAY)
    path = address_path(wanted)
    return one_spelling(wanted if path is None else _named_in(path, wanted)).removeprefix("@")


def is_profile_name(name: str) -> bool:
    """Whether a folder of this name can be a profile's."""
    return len(name) <= MAX_NAME_CHARS and name == one_spelling(name) and why_no_name(name) is None


def address_path(given: str) -> str | None:
    """What follows the host in an address on Instagram; None if it is none. Raises UsageError for an address elsewhere."""
    match = ADDRESS.fullmatch(given) if "/" in given else None
    if match is None and "://" in given:
        raise UsageError(f"{given!r} is not an address on Instagram: write the name of a profile, such as natgeotravel")
    return match and (match[1] or "/")


def one_spelling(name: str) -> str:
    """`name` in lower case and in NFC."""
    return normalize("NFC", normalize("NFC", name).lower())


def why_no_name(name: str) -> str | None:
    """Why `name`, in one spelling, cannot be a profile's; None if it can."""
    if not name or not all(_is_of_a_word(character) or character in "-._" for character in name):
        return "use letters, digits, hyphens, dots or underscores, for example natgeotravel"
    if not (name[0].isalnum() or name[0] == "_"):
        return "begin with a letter, a digit or an underscore"
    if name.endswith("."):
        return "end without a dot"
    if len(name) > MAX_NAME_CHARS or len(name.encode()) > MAX_NAME_BYTES:
        return f"use at most {MAX_NAME_CHARS} characters, and {MAX_NAME_BYTES} bytes of UTF-8"
    return None


def _is_of_a_word(character: str) -> bool:
    """A letter, a digit, or one of the marks that many scripts cannot do without."""
    return character.isalpha() or character.isdecimal() or category(character).startswith("M")


def _named_in(path: str, address: str) -> str:
    """The profile in the path of an address on Instagram."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] in (["_u"], ["stories"]):  # the first as Instagram's app writes it
        del parts[0]
    first, second = (part.lower() for part in [*parts, "", ""][:2])
    if first in POSTS or (second in POSTS and len(parts) > 2):
        whose = "the profile it is of" if first in POSTS else parts[0]
        raise UsageError(f"{address!r} is the address of a post, not of a profile: write {whose}")
    if not first or first in PAGES:
        raise UsageError(f"{address!r} names no profile: write https://www.instagram.com/NAME/ or the name alone")
    return parts[0]


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
    def lock(self) -> Path:
        """What is locked by whoever writes or removes the profile; not below `root`, which comes and goes."""
        return self.root.parent.parent / "locks" / f"{self.root.name}.lock"

    @property
    def lock_holder(self) -> Path:
        """Who took the lock last."""
        return self.lock.with_suffix(".json")

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails."""
        return self.root / "thumbnails"

    @property
    def indexes(self) -> Path:
        """The folder that holds one folder per fitted index."""
        return self.root / "index"
