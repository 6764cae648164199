"""The files of an export as one tree, whether they lie in a folder, in a ZIP, or spread over several of either. Nothing is ever unpacked to disk.

A ZIP is made by somebody else, and so may a folder be: names that lead out of the export and links out of it are left out, and what an entry claims of its
size is judged before anything is read.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from igsearch.errors import SourceError
from igsearch.sources.tree import walk
from igsearch.zips import ZipError, head_of_member, members, open_zip, read_member

if TYPE_CHECKING:
    from igsearch.records import Unread

MAX_JSON_BYTES = 64 * 2**20
"""A list of posts takes 1 to 2 KB a post, and Instagram begins another one after some thousands."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export: at `path`, or the entry `member` of the ZIP there. `name` is where it lies below what was given, with `/` between the parts."""

    name: str
    path: Path
    member: str | None = None


class ExportFiles:
    """The files in one ZIP, or below a folder and in the ZIPs there. A context manager, which keeps the last ZIP open."""

    def __init__(self, given: Path) -> None:
        """Open nothing yet."""
        self._given = given.absolute()  # what is kept of a photo must lead to its file from everywhere
        self._archive: zipfile.ZipFile | None = None
        self.damaged: dict[str, str] = {}
        """The ZIPs and folders that were passed over in the last walk, by their path below the folder, and why, a line each."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._close()

    def __iter__(self) -> Iterator[ExportFile]:
        """Every file, lazily. A ZIP that cannot be read is a SourceError; in a folder, where there may be others, it is passed over and noted."""
        self.damaged = {}
        if not self._given.is_dir():
            yield from self._in_zip(self._given)
            return
        root = self._given
        inside, above = _Inside(root), f"{root.as_posix().rstrip('/')}/"
        unread: list[Unread] = []
        for path in walk(root, unread):
            name = path.as_posix().removeprefix(above)  # several times as fast as relative_to
            if path.suffix.lower() == ".zip":
                try:
                    yield from self._in_zip(path)
                except SourceError as err:
                    self.damaged[name] = str(err)
            elif path in inside:
                yield ExportFile(name, path)
        self.damaged |= {folder.id: folder.reason for folder in unread}

    def head(self, file: ExportFile, n_bytes: int) -> bytes:
        """The first `n_bytes` of a file. Raises SourceError."""
        try:
            if file.member is None:
                with file.path.open("rb") as stream:
                    return stream.read(n_bytes)
            return head_of_member(self._opened(file.path), file.member, n_bytes)
        except ZipError as err:
            raise SourceError(str(err)) from err
        except OSError as err:
            raise SourceError(f"{str(file.path)!r} cannot be read ({err.strerror}): check that you may read it") from err

    def read(self, file: ExportFile) -> bytes:
        """All bytes of a list. Raises SourceError, also for one that is or claims to be larger than lists are."""
        try:
            data = self.head(file, MAX_JSON_BYTES + 1) if file.member is None else read_member(self._opened(file.path), file.member, MAX_JSON_BYTES)
        except ZipError as err:
            raise SourceError(str(err)) from err
        if len(data) > MAX_JSON_BYTES:
            raise SourceError(f"{file.name!r} is larger than the {MAX_JSON_BYTES // 2**20} MiB that a list of posts can have")
        return data

    def _in_zip(self, path: Path) -> Iterator[ExportFile]:
        try:
            archive = self._opened(path)
        except ZipError as err:
            raise SourceError(str(err)) from err
        for inside, member in list(members(archive)):
            yield ExportFile(f"{path.stem}/{inside}", path, member)

    def _opened(self, path: Path) -> zipfile.ZipFile:
        if self._archive is None or self._archive.filename != str(path):
            self._close()
            self._archive = open_zip(path)
        return self._archive

    def _close(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None


class _Inside:
    """Which of a folder's files lie in it, links followed: `path in inside`."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._folders: dict[Path, bool] = {}

    def __contains__(self, path: Path) -> bool:
        folder = path.parent
        if folder not in self._folders:
            self._folders[folder] = self._holds(folder)
        return self._folders[folder] and (not os.path.islink(path) or self._holds(path))  # noqa: PTH114  # called for every file there is

    def _holds(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError):
            return False
