"""Everything that can go wrong for a user, as one tree; each class knows its exit code and its HTTP status.

IgsearchError
├── UsageError                  an argument, a path or the cache directory cannot be used as given
│   ├── SourceError             nothing can be read where photos were said to be
│   ├── ProfileNotFoundError    Instagram has no profile of that name
│   ├── CacheError              the cache directory is full, read-only or somebody else's
│   └── DeviceError             the device asked for is not there
├── AccessError                 Instagram shows this only to somebody logged in, or to followers
│   ├── LoginRequiredError
│   └── PrivateProfileError
├── TryLaterError               nothing is wrong here; the same command may work later
│   ├── RateLimitedError        Instagram says wait
│   └── OfflineError            no connection to Instagram, or to where weights are published
├── NotIndexedError             no photos are indexed under that name
├── DamagedError                a file igsearch relies on is not what it should be
│   ├── CheckpointError
│   └── StoreError
└── PhotoError                  one photo failed; the run goes on
    ├── FetchError              its bytes could not be had
    └── ImageError              its bytes are not a picture that can be decoded

The text of an error is one line for the user: what failed, which input, what to do next.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

MAX_SAID = 200
"""Characters of what somebody else says that are repeated in a message."""


class ExitCode(IntEnum):
    """What a command's exit status means."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    ACCESS = 3
    TRY_LATER = 4
    NOT_INDEXED = 5
    DAMAGED = 6
    FAULT = 70
    INTERRUPTED = 130


class IgsearchError(Exception):
    """The base of every error igsearch raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE
    http_status: ClassVar[int] = 500


class UsageError(IgsearchError):
    """An argument, a path or the cache directory cannot be used as given."""

    http_status = 400


class SourceError(UsageError):
    """Nothing can be read where photos were said to be."""


class ProfileNotFoundError(UsageError):
    """Instagram has no profile of that name."""

    http_status = 404


class CacheError(UsageError):
    """The cache directory is full, read-only or somebody else's."""

    http_status = 507


class DeviceError(UsageError):
    """The device asked for is not there."""


class AccessError(IgsearchError):
    """Instagram shows this only to somebody logged in, or to followers."""

    exit_code = ExitCode.ACCESS
    http_status = 403


class LoginRequiredError(AccessError):
    """Instagram asks for a login, or the saved session is no longer valid."""

    http_status = 401


class PrivateProfileError(AccessError):
    """The profile is private and the session does not follow it."""


class TryLaterError(IgsearchError):
    """Nothing is wrong here; the same command may work later."""

    exit_code = ExitCode.TRY_LATER
    http_status = 503


class RateLimitedError(TryLaterError):
    """Instagram says wait."""

    http_status = 429


class OfflineError(TryLaterError):
    """No connection to Instagram, or to where weights are published."""


class NotIndexedError(IgsearchError):
    """No photos are indexed under that name."""

    exit_code = ExitCode.NOT_INDEXED
    http_status = 404


class DamagedError(IgsearchError):
    """A file igsearch relies on is not what it should be."""

    exit_code = ExitCode.DAMAGED


class CheckpointError(DamagedError):
    """A captioner's files are missing, altered or do not fit each other."""


class StoreError(DamagedError):
    """A profile's database or index is damaged or was written by a newer igsearch."""


class PhotoError(IgsearchError):
    """One photo failed; the run goes on."""

    exit_code = ExitCode.SOME_FAILED
    http_status = 502


class FetchError(PhotoError):
    """A photo's bytes could not be had."""


class ImageError(PhotoError):
    """A photo's bytes are not a picture that can be decoded."""

    http_status = 415


def first_line(err: BaseException) -> str:
    """The first line of another library's error, or its kind where it says nothing: what can be repeated inside a line of ours."""
    lines = str(err).strip().splitlines()
    return as_said(lines[0]).rstrip(".:") if lines else type(err).__name__


def as_said(text: str) -> str:
    """What a server, a file or a library says, as part of a line of ours: cut, and without what a terminal would obey."""
    cut = " ".join(text[:MAX_SAID].split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in cut)
