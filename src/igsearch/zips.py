"""What is read out of ZIP files, which somebody else made: nothing is unpacked to disk, and what an entry claims is judged before anything of it is read.

Names that lead out of the ZIP, links, and whatever is not a file are passed over. A name written with backslashes, as some Windows tools do, means the same as
one with slashes; `member` is always the name as the ZIP has it.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from igsearch.errors import IgsearchError

MAX_RATIO = 200
"""JSON packs to a tenth or a thirtieth, pictures hardly at all. Deflate reaches 1 : 1000, on nothing but repetition."""

SMALL_BYTES = 2**20
"""Whatever unpacks to no more than this is harmless."""

MAX_NAME = 1000
"""Characters; a name in an export has about 80."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How Instagram packs. zipfile unpacks the others without a bound."""

ENCRYPTED = 0x1
"""The bit in a ZIP entry's flags (APPNOTE 4.4.4)."""

FILE_MODES = (0, stat.S_IFREG)
"""The kinds of files that are read: a regular one, and one of which the ZIP does not say."""

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
    AttributeError,  # a ZIP file that was closed meanwhile
)


class ZipError(IgsearchError):
    """A ZIP file, or something in it, is not to be read; why, and what to do, in one line."""


def open_zip(path: Path) -> zipfile.ZipFile:
    """The ZIP at `path`, if that is a regular file. Raises ZipError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ZipError(f"{str(path)!r} is not a file: give a ZIP file")
    except (OSError, ValueError) as err:
        raise ZipError(f"{str(path)!r} cannot be read ({getattr(err, 'strerror', None) or err}): check that it exists and that you may read it") from err
    try:
        return zipfile.ZipFile(path)
    except PermissionError as err:
        raise ZipError(f"{str(path)!r} cannot be read ({err.strerror}): check that you may read it") from err
    except DAMAGE as err:
        raise ZipError(f"{str(path)!r} is a damaged ZIP file, or was not downloaded to its end: download it again") from err


def members(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """The files in a ZIP: the path of each, with `/` between its parts, and its name as the ZIP has it."""
    for entry in archive.infolist():
        path = entry.filename.replace("\\", "/").removeprefix("./")
        if leads_inside(path) and _is_file(entry):
            yield path, entry.filename


def read_member(archive: zipfile.ZipFile, member: str, max_bytes: int) -> bytes:
    """All of a file in a ZIP, which may have at most `max_bytes`. Raises ZipError."""
    entry = _checked(archive, member)
    if entry.file_size > max(SMALL_BYTES, min(max_bytes, MAX_RATIO * entry.compress_size)):
        claims = f"claims {entry.file_size} bytes, packed into {entry.compress_size}"
        raise ZipError(f"{_named(archive, member)} {claims}, which is more than is read: unpack the ZIP file if you trust it, and give the folder")
    return head_of_member(archive, member, max_bytes)


def head_of_member(archive: zipfile.ZipFile, member: str, n_bytes: int) -> bytes:
    """The first `n_bytes` of a file in a ZIP, whatever it claims to hold. Raises ZipError."""
    try:
        with archive.open(_checked(archive, member)) as file:
            return file.read(n_bytes)
    except DAMAGE as err:
        raise ZipError(f"{_named(archive, member)} cannot be read ({' '.join(str(err).split())[:120]}): get the ZIP file again") from err


def leads_inside(name: str) -> bool:
    """Whether a relative path stays below the folder it starts from, on every system; drives, backslashes and control characters count as leading out."""
    plain = 0 < len(name) <= MAX_NAME and name.isprintable() and not any(sign in name for sign in "\\:")
    return plain and all(part not in {"", ".", ".."} for part in name.split("/"))


def _checked(archive: zipfile.ZipFile, member: str) -> zipfile.ZipInfo:
    """What the ZIP says of a file. Raises ZipError for one that cannot be unpacked, or not within bounds."""
    try:
        entry = archive.getinfo(member)
    except KeyError as err:
        raise ZipError(f"{archive.filename!r} holds no {member!r}: is it the ZIP file that was indexed?") from err
    if entry.flag_bits & ENCRYPTED:
        raise ZipError(f"{_named(archive, member)} is encrypted: unpack the ZIP file with its password, and give the folder")
    if entry.compress_type not in METHODS:
        raise ZipError(f"{_named(archive, member)} is packed in an unusual way: unpack the ZIP file, and give the folder")
    if not _is_file(entry):
        raise ZipError(f"{_named(archive, member)} is a link or a device, which are not followed: unpack the ZIP file, and give the folder")
    return entry


def _is_file(entry: zipfile.ZipInfo) -> bool:
    return stat.S_IFMT(entry.external_attr >> 16) in FILE_MODES


def _named(archive: zipfile.ZipFile, member: str) -> str:
    return f"{member!r} in {archive.filename!r}"
