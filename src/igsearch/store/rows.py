"""What is kept of a photo, a source and a profile, as records; and when two photos are the same one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from igsearch.store.schema import COLUMNS, clean

if TYPE_CHECKING:
    from igsearch.records import Description, Photo

SHORTCODE, URL, PATH, MEMBER = (COLUMNS.index(name) for name in ("shortcode", "url", "path", "member"))


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A described photo as the store holds it; `thumbnail` is the path of a WebP file, None where the picture was not to be had.

    `is_gone` tells that its source no longer has it.
    """

    photo: Photo
    description: Description
    thumbnail: Path | None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """A photo that some walk met, as a later walk needs to know it: its row, its source's row (None: not known), what its file was like, who described it.

    `size` is in bytes, `modified` in nanoseconds since 1970, `digest` of its contents; each None where it is not known. `captioner` is None where nobody
    has described it yet; `is_due` tells that it is to be described again, since that was asked for or failed.
    """

    row: int
    source: int | None
    size: int | None
    modified: int | None
    digest: bytes | None
    is_gone: bool
    captioner: str | None
    caption: str | None
    is_due: bool
    columns: tuple[Any, ...]

    @property
    def shortcode(self) -> str | None:
        """The post's, if it is a picture of one."""
        return cast("str | None", self.columns[SHORTCODE])

    @property
    def url(self) -> str | None:
        """The address that it was fetched from."""
        return cast("str | None", self.columns[URL])

    @property
    def member(self) -> str | None:
        """What it is called in the ZIP file at `path`."""
        return cast("str | None", self.columns[MEMBER])

    @property
    def path(self) -> Path | None:
        """Where its file was."""
        value = self.columns[PATH]
        return None if value is None else Path(os.fsdecode(value))


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file is like from outside: its size in bytes, and when it was last written, in nanoseconds since 1970."""

    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Met:
    """A photo that a walk has met: the row that is known of it, if one is, and what its file is like.

    `takes_over` makes it a photo of the source that is walked, under its id there.
    """

    photo: Photo
    known: KnownPhoto | None = None
    stamp: Stamp | None = None
    digest: bytes | None = None
    takes_over: bool = False


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source that was walked: whether all it has is in the store but for what is newer, and when it was last walked to its end."""

    row: int
    kind: str
    root: str
    name: str
    is_complete: bool
    walked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A photo that could not be described so far: the latest reason, how often it was tried, when it was tried last."""

    photo: Photo
    reason: str
    attempts: int
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """A profile in numbers. `n_photos` counts those with a description; `oldest` and `newest` are when the first and the last of them were taken.

    `n_gone` of them are no longer in their source; `n_failed` counts photos that could not be described, and posts and entries that could not be read.
    `problem` is what is wrong with a store that cannot be read; then nothing else is known.
    """

    profile: str
    n_photos: int = 0
    n_failed: int = 0
    n_gone: int = 0
    captioners: tuple[str, ...] = ()
    oldest: datetime | None = None
    newest: datetime | None = None
    last_indexed: datetime | None = None
    sources: tuple[SourceState, ...] = ()
    problem: str | None = None

    @property
    def source(self) -> str | None:
        """What the photos were read from, in words; None where no walk has come to a photo yet."""
        return ", ".join(dict.fromkeys(one.name for one in self.sources)) or None


def is_post(known: KnownPhoto, photo: Photo) -> bool:
    """Whether both are the same picture of the same post: their ids agree, and an id that belongs to a post is that post's alone."""
    return photo.shortcode is not None and photo.shortcode == known.shortcode


def is_address(known: KnownPhoto, photo: Photo) -> bool:
    """Whether both were found at one address: the id is made of it."""
    if photo.path is not None or known.path is not None or photo.url is None or known.url is None:
        return False
    from igsearch.sources import cdn  # which a search need not wait for

    return cdn.without_signature(photo.url) == cdn.without_signature(known.url)


def is_place(known: KnownPhoto, photo: Photo) -> bool:
    """Whether an older store's photo, whose source it did not note, is the one met now: it lay there, or lies nowhere now."""
    if known.path is None or photo.path is None or known.path == photo.path:
        return True
    try:
        return known.path.samefile(photo.path)
    except (FileNotFoundError, NotADirectoryError):
        return not os.path.exists(known.path)  # noqa: PTH110  # Path's raises where it may not look
    except (OSError, ValueError):
        return False


def real_root(root: str) -> str:
    """A source's root as it is kept: the name of a profile, or the path of a file or folder, in one spelling whichever links lead there."""
    return clean(os.path.realpath(root) if os.path.isabs(root) else root)  # noqa: PTH117  # it may be no path


def below(root: str) -> tuple[str, str]:
    """Between which texts the paths of files below a folder are."""
    start = real_root(root).rstrip(os.sep) + os.sep if os.path.isabs(root) else ""  # noqa: PTH117  # it may be no path
    return start, (start and start[:-1] + chr(ord(os.sep) + 1))
