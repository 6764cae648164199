"""What a camera wrote beside the pixels: which way up it was held, and when. Two facts of EXIF (CIPA DC-008), read without the rest, from the header alone."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from igsearch.containers import JPEG, PNG, TIFF, Read, box, is_iso_media, items, jpeg_segments, meta_box, png_chunks, reader, riff_chunks
from igsearch.errors import ImageError

MAX_BYTES = 2**16
"""A JPEG's EXIF cannot be longer, and of longer ones elsewhere the beginning tells all that is asked."""

APP1, PREFIX = 0xE1, b"Exif\0\0"
ORIENTATION, EXIF_DIRECTORY = 0x0112, 0x8769
DATES = {0x9003: 0x9011, 0x9004: 0x9012, 0x0132: 0x9010}
"""DateTimeOriginal, DateTimeDigitized, DateTime, in this order, each with the tag of its offset from UTC."""

WANTED = {ORIENTATION, EXIF_DIRECTORY, *DATES, *DATES.values()}
ASCII, INTEGERS = 2, {3: "H", 4: "I", 13: "I"}
"""The types that these tags have: text, and SHORT, LONG and IFD as `struct` knows them."""

MAX_TEXT = 64
"""Bytes of a date; the longest has 26."""

MAX_LOCATIONS = 2**20
"""Bytes of the table of a HEIC file's items: a picture of 120 megapixels in tiles has some 500 of 16 bytes."""

DATE = re.compile(rb"\s*(\d{4})[:/.-](\d\d?)[:/.-](\d\d?)(?:[ T]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)?[ \0]*")
OFFSET = re.compile(rb"\s*(?:Z|([+-])(\d\d):?(\d\d))")

FIRST_YEAR = 1826
"""The first photograph."""


@dataclass(frozen=True, slots=True)
class Exif:
    """`orientation` is 1 to 8 where it means something, 1 being upright; `taken_at` is aware and in UTC."""

    orientation: int = 1
    taken_at: datetime | None = None


def read_exif(read: Read) -> Exif:
    """What the file says; nothing where it has no EXIF, or damaged EXIF."""
    try:
        values = _values(_structure(read))
        orientation = values.get(ORIENTATION)
        return Exif(orientation if isinstance(orientation, int) else 1, _taken_at(values))
    except (struct.error, ImageError):
        return Exif()


def _structure(read: Read) -> Read:
    """The TIFF structure that EXIF is, wherever the file holds it; a TIFF is one itself."""
    if read(0, 4) in TIFF:
        return read
    at, length = next(_places(read), (0, 0))
    return reader(read(at, min(length, MAX_BYTES)).removeprefix(PREFIX))


def _places(read: Read) -> Iterator[tuple[int, int]]:
    """Where EXIF lies in the file, and its length."""
    start = read(0, 12)
    if start.startswith(JPEG):
        yield from ((at + 4, end - at - 4) for marker, at, end in jpeg_segments(read) if marker == APP1 and read(at + 4, len(PREFIX)) == PREFIX)
    elif start.startswith(PNG):
        yield from ((at, length) for kind, at, length in png_chunks(read) if kind == b"eXIf")
    elif start[8:] == b"WEBP":
        yield from ((at, length) for kind, at, length in riff_chunks(read) if kind == b"EXIF")
    elif is_iso_media(start):
        yield from _places_in_iso_media(read)


def _places_in_iso_media(read: Read) -> Iterator[tuple[int, int]]:
    """Where the EXIF of a HEIC or AVIF file lies: at the first extent of its item (ISO/IEC 14496-12, 8.11.3), behind the offset that the item starts with."""
    meta, numbers = meta_box(read), {number for number, kind, _ in items(read) if kind == b"Exif"}
    table = meta and box(read, *meta, b"iloc")
    if meta is None or table is None or not numbers:
        return
    for number, in_idat, at, length in _first_extents(read(table[0], min(table[1] - table[0], MAX_LOCATIONS))):
        if number in numbers:
            start = at + (box(read, *meta, b"idat") or (0, 0))[0] if in_idat else at
            skipped = 4 + int.from_bytes(read(start, 4))
            yield start + skipped, max(0, length - skipped)


def _first_extents(table: bytes) -> Iterator[tuple[int, bool, int, int]]:
    """Of each item that `iloc` places: (number, whether offsets count from the box `idat`, offset, length)."""
    stream = io.BytesIO(table)

    def number(n_bytes: int) -> int:
        got = stream.read(n_bytes)
        if len(got) < n_bytes:
            raise struct.error("the table ends early")
        return int.from_bytes(got)

    version, sizes = number(4) >> 24, number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index_size = index_size if version else 0
    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item, method = number(wide), number(2) & 15 if version else 0
        _, base, n_extents = number(2), number(base_size), number(2)
        _, offset, length = number(index_size), number(offset_size), number(length_size)
        stream.seek((max(n_extents, 1) - 1) * (index_size + offset_size + length_size), io.SEEK_CUR)
        yield item, method == 1, base + offset, length


def _values(read: Read) -> Mapping[int, int | bytes]:
    """The values of the tags that are asked for, from the first directory and from the one of EXIF proper that it points to."""
    header = read(0, 8)
    if header[:4] not in {b"II*\0", b"MM\0*"}:
        return {}
    order = "<" if header[:1] == b"I" else ">"
    first = _directory(read, order, int(struct.unpack(order + "I", header[4:])[0]))
    pointer = first.get(EXIF_DIRECTORY)
    return (_directory(read, order, pointer) if isinstance(pointer, int) else {}) | first


def _directory(read: Read, order: str, start: int) -> dict[int, int | bytes]:
    (n_entries,) = struct.unpack(order + "H", read(start, 2))
    table = read(start + 2, 12 * n_entries)
    values = dict[int, int | bytes]()
    for tag, kind, n, value in struct.iter_unpack(order + "HHI4s", table[: len(table) // 12 * 12]):
        if tag in WANTED and kind in INTEGERS:
            (values[tag],) = struct.unpack_from(order + INTEGERS[kind], value)
        elif tag in WANTED and kind == ASCII:
            values[tag] = value[:n] if n <= 4 else read(int(struct.unpack(order + "I", value)[0]), min(n, MAX_TEXT))
    return values


def _taken_at(values: Mapping[int, int | bytes]) -> datetime | None:
    """The first date that can be one: cameras without a clock write zeros, and those with a wrong one the future."""
    dates = (_date(values.get(tag), values.get(offset)) for tag, offset in DATES.items())
    latest = datetime.now(UTC) + timedelta(days=1)
    return next((date for date in dates if date and date.year >= FIRST_YEAR and date <= latest), None)


def _date(text: int | bytes | None, offset: int | bytes | None) -> datetime | None:
    """`2021:05:01 12:00:00` and what is written in its place; in UTC, and taken as UTC where no offset is told."""
    found = DATE.match(text) if isinstance(text, bytes) else None
    if not isinstance(text, bytes) or found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    elsewhere = OFFSET.match(text[found.end() :] or (offset if isinstance(offset, bytes) else b""))
    try:
        zone = timezone(_from_utc(*elsewhere.groups())) if elsewhere else UTC
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_utc(sign: bytes | None, hours: bytes | None, minutes: bytes | None) -> timedelta:
    east = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return -east if sign == b"-" else east
