"""The files of an export as one tree, whether they lie in a folder, in a ZIP, or spread over several of either. Nothing is ever unpacked to disk.

A ZIP is made by somebody else, and so may a folder be: names that lead out of the export and links out of it are left out, and what an entry claims of its
size is judged before anything is read.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from igsearch.errors import SourceError
from igsearch.sources.folder import walk

MAX_JSON_BYTES = 64 * 2**20
"""A list of posts takes 1 to 2 KB a post, and Instagram begins another one after some thousands."""

MAX_RATIO = 200
"""JSON packs to a tenth or a thirtieth. Deflate reaches 1 : 1000, on nothing but repetition."""

SMALL_BYTES = 2**20
"""Whatever unpacks to no more than this is harmless."""

MAX_NAME = 1000
"""Characters; a name in an export has about 80."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How Instagram packs. zipfile unpacks the others without a bound."""

ENCRYPTED = 0x1
"""The bit in a ZIP entry's flags (APPNOTE 4.4.4)."""

# What zipfile and the unpackers below it let escape, by their source, for files that are damaged or made to be.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,  # NotImplementedError, for an unpacker that is missing, is one of these
    ValueError,
    ArithmeticError,
    LookupError,
)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export: at `path`, or the entry `member` of the ZIP there. `name` is where it lies below what was given, with `/` between the parts."""

    name: str
    path: Path
    member: str | None = None


class ExportFiles:
    """The files in one ZIP, or below a folder and in the ZIPs right in it. A context manager, which keeps the ZIP that was read last open."""

    def __init__(self, given: Path) -> None:
        """Open nothing yet."""
        self._given = given.absolute()  # what is kept of a photo must lead to its file from everywhere
        self._archive: zipfile.ZipFile | None = None
        self.damaged: list[str] = []
        """The ZIPs that were passed over in the last walk, a line each."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._close()

    def __iter__(self) -> Iterator[ExportFile]:
        """Every file, lazily. A ZIP that cannot be read is a SourceError; in a folder, where there may be others, it is passed over and noted."""
        self.damaged = []
        if not self._given.is_dir():
            yield from self._in_zip(self._given)
            return
        root = self._given
        inside, above = _Inside(root), f"{root.as_posix().rstrip('/')}/"
        for path in walk(root):
            if path.suffix.lower() == ".zip" and path.parent == root:
                try:
                    yield from self._in_zip(path)
                except SourceError as err:
                    self.damaged.append(str(err))
            elif path in inside:
                yield ExportFile(path.as_posix().removeprefix(above), path)  # several times as fast as relative_to

    def head(self, file: ExportFile, n_bytes: int) -> bytes:
        """The first `n_bytes` of a file. Raises SourceError."""
        try:
            if file.member is None:
                with file.path.open("rb") as stream:
                    return stream.read(n_bytes)
            with self._opened(file.path).open(self._entry(file.path, file.member)) as entry:
                return entry.read(n_bytes)
        except DAMAGE as err:
            raise SourceError(f"{file.member or str(file.path)!r} cannot be read ({' '.join(str(err).split())[:120]}): get the export again") from err

    def read(self, file: ExportFile) -> bytes:
        """All bytes of a list. Raises SourceError, also for one that is or claims to be larger than lists are."""
        if file.member is not None:
            _check_size(self._entry(file.path, file.member), file.path)
        data = self.head(file, MAX_JSON_BYTES + 1)
        if len(data) > MAX_JSON_BYTES:
            raise SourceError(f"{file.name!r} is larger than the {MAX_JSON_BYTES // 2**20} MiB that a list of posts can have")
        return data

    def _in_zip(self, path: Path) -> Iterator[ExportFile]:
        try:
            entries = self._opened(path).infolist()
        except DAMAGE as err:
            raise SourceError(f"{str(path)!r} is a damaged ZIP file, or was not downloaded to its end: download it again") from err
        for entry in entries:
            if leads_inside(entry.filename) and not stat.S_ISLNK(entry.external_attr >> 16):
                yield ExportFile(f"{path.stem}/{entry.filename}", path, entry.filename)

    def _entry(self, path: Path, member: str) -> zipfile.ZipInfo:
        """What the ZIP says of an entry. Raises SourceError for one that cannot be unpacked, or not within bounds."""
        entry = self._opened(path).getinfo(member)
        if entry.flag_bits & ENCRYPTED:
            raise SourceError(f"{member!r} in {str(path)!r} is encrypted: unpack the ZIP with its password and give the folder")
        if entry.compress_type not in METHODS:
            raise SourceError(f"{member!r} in {str(path)!r} is packed in an unusual way: unpack the ZIP and give the folder")
        return entry

    def _opened(self, path: Path) -> zipfile.ZipFile:
        if self._archive is None or self._archive.filename != str(path):
            self._close()
            self._archive = zipfile.ZipFile(path)
        return self._archive

    def _close(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None


def leads_inside(name: str) -> bool:
    """Whether a relative path stays below the folder it starts from, on every system; drives, backslashes and control characters count as leading out."""
    plain = 0 < len(name) <= MAX_NAME and name.isprintable() and not any(sign in name for sign in "\\:")
    return plain and all(part not in {"", ".", ".."} for part in name.split("/"))


def _check_size(entry: zipfile.ZipInfo, path: Path) -> None:
    """Raises SourceError for an entry that claims too much, or is packed to nearly nothing; the bytes are counted once more when they come."""
    if entry.file_size > max(SMALL_BYTES, min(MAX_JSON_BYTES, MAX_RATIO * entry.compress_size)):
        claims = f"claims {entry.file_size} bytes, packed into {entry.compress_size}"
        raise SourceError(f"{entry.filename!r} in {str(path)!r} {claims}: that is no list of posts")


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
