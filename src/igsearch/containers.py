"""The files that pictures come in, seen from outside: their parts are walked, and what is not pixels is taken out before a decoder sees it.

What surrounds the pixels (EXIF, XMP, colour profiles, texts, previews, trailing bytes) is what editors and servers damage, what grows without measure, and what
Pillow gives a whole picture up for. Nothing here decodes; every walk is linear in the file and ends after `MAX_PARTS`.
"""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from igsearch.errors import ImageError

Read = Callable[[int, int], bytes]
"""The bytes of a file from an offset on, at most so many; fewer, or none, where it ends."""

MAX_PARTS = 100_000
"""Parts of one file: a PNG of 64 MiB in pieces of 1 KB has fewer."""

MAX_TAG, MAX_OFFSETS = 2**19, 2**22
"""Bytes of one value of a TIFF: a table of colours has 400,000, the offsets of a picture cut into the smallest tiles 3 million."""

JPEG, PNG, TIFF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

SOS, EOI, APP0, APP14 = 0xDA, 0xD9, 0xE0, 0xEE
ADOBE_BYTES = 12
ALONE = {0x01, *range(0xD0, 0xDA)}
"""Markers of a JPEG without a length: TEM, RST0 to RST7, SOI, EOI (ITU-T T.81, table B.1)."""
NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""What ends a JPEG's entropy-coded data: no stuffed zero, no restart, no fill byte."""
JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"

COLOUR_TYPE = 25
"""Where a PNG tells it."""
PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
LEAST_TRANSPARENCY = {0: 2, 2: 6, 3: 0}
"""Bytes that tRNS has at least, by the colour types that may have one (PNG, 11.3.1.1)."""

ICC_EXIF_AND_XMP = 0x20 | 0x08 | 0x04
"""What the flags of a WebP's VP8X announce."""

PIXEL_TAGS = {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347, 529, 530, 531, 532}
"""The tags of a TIFF that say where its pixels lie and what they mean; neither orientation, which `exif` reads, nor profile, EXIF, XMP and texts."""
OFFSET_TAGS = {273, 279, 324, 325}
N_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value, by its type in a TIFF."""

UNKNOWN_END = 2**62
"""Where a file ends of which only reading tells the length."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture's file without what is not pixels, and how often a JPEG's pixels are gone over."""

    data: bytes
    n_scans: int = 1


def reader(data: bytes) -> Read:
    """Read from memory."""
    return lambda at, n: data[at : at + n]


def is_iso_media(data: bytes) -> bool:
    """Whether this is the family of containers that AVIF and HEIC belong to (ISO/IEC 14496-12)."""
    return data[4:8] == b"ftyp"


def pixels_alone(data: bytes) -> Pixels:
    """`data` without what surrounds the pixels; as it is where the container is unknown or has nothing to take out. Raises ImageError for absurd ones."""
    if data.startswith(JPEG):
        return _of_jpeg(data)
    if data.startswith(PNG):
        return _of_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _of_webp(data)
    if data.startswith(TIFF):
        return _of_tiff(data)
    return Pixels(_without_items(data) if is_iso_media(data) else data)


def jpeg_segments(read: Read) -> Iterator[tuple[int, int, int]]:
    """The segments of a JPEG up to its first scan: (marker, offset, offset of the next). Stray bytes between them are passed over, as libjpeg does."""
    at = len(JPEG)
    for _ in range(MAX_PARTS):
        head = read(at, 4)
        if len(head) < 4:
            return
        marker = head[1]
        if head[0] != 0xFF:
            stray = read(at, 2**16).find(b"\xff")
            if stray < 0:
                return
            at += stray
        elif marker in {0x00, 0xFF}:
            at += 1
        elif marker == EOI:
            return
        else:
            end = at + 2 if marker in ALONE else at + 2 + int.from_bytes(head[2:4])
            yield marker, at, end
            if marker == SOS:
                return
            at = end


def _of_jpeg(data: bytes) -> Pixels:
    """Without what applications put in, but for what tells the colours: JFIF, said anew, and Adobe's transform where it is whole."""
    parts, start = [JPEG], len(data)
    for marker, at, end in jpeg_segments(reader(data)):
        body = data[at + 4 : end]
        if marker == SOS:
            start = at
        elif marker == APP0 and body.startswith(b"JFIF"):
            parts.append(JFIF)
        elif (marker < APP0 and marker not in ALONE) or (marker == APP14 and body.startswith(b"Adobe") and len(body) >= ADOBE_BYTES):
            parts.append(data[at:end])
    return Pixels(b"".join([*parts, memoryview(data)[start:]]), _n_scans(data, start))


def _n_scans(data: bytes, at: int) -> int:
    """How many scans there are from the first one on, which starts at `at`."""
    n_scans = 0
    for _ in range(MAX_PARTS):
        marker = data[at + 1 : at + 2]
        if not marker or marker[0] == EOI:
            return n_scans
        n_scans += marker[0] == SOS
        after = at + 2 if marker[0] in ALONE else at + 2 + int.from_bytes(data[at + 2 : at + 4])
        found = NEXT_MARKER.search(data, after)
        if found is None:
            return n_scans
        at = found.start()
    return MAX_PARTS


def png_chunks(read: Read) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a PNG: (kind, offset of the body, its length)."""
    at = len(PNG)
    for _ in range(MAX_PARTS):
        head = read(at, 8)
        if len(head) < 8 or not head[4:].isalpha():
            return
        length = int.from_bytes(head[:4])
        yield head[4:], at + 8, length
        if head[4:] == b"IEND":
            return
        at += 12 + length
    raise ImageError(f"damaged picture: it is in more than {MAX_PARTS} pieces")


def _of_png(data: bytes) -> Pixels:
    """Its pixels and their palette, with checksums that fit: whether the pixels themselves are sound, their own packing tells. An animation stands still."""
    parts, view = list[bytes | memoryview]([PNG]), memoryview(data)
    least_transparency = LEAST_TRANSPARENCY.get(int.from_bytes(data[COLOUR_TYPE : COLOUR_TYPE + 1]), 2**32)
    for kind, at, length in png_chunks(reader(data)):
        body = view[at : at + length]
        checksum = zlib.crc32(body, zlib.crc32(kind))
        is_sound = data[at + length : at + length + 4] == checksum.to_bytes(4)
        if kind in PIXEL_CHUNKS and (kind != b"tRNS" or (is_sound and length >= least_transparency)):
            parts += [len(body).to_bytes(4) + kind, body, checksum.to_bytes(4)]
    return Pixels(b"".join([*parts, b"\0\0\0\0IEND\xaeB`\x82"]))


def riff_chunks(read: Read) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a WebP: (kind, offset of the body, its length). The byte that evens a length out is missing now and then."""
    at = 12
    for _ in range(MAX_PARTS):
        head = read(at, 8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], "little")
        yield head[:4], at + 8, length
        at += 8 + length
        at += length % 2 and read(at, 1) == b"\0"


def _of_webp(data: bytes) -> Pixels:
    """Its frames, its transparency, and its header without the announcement of what was taken out."""
    parts = list[bytes]()
    for kind, at, length in riff_chunks(reader(data)):
        body = data[at : at + length]
        if kind == b"VP8X" and body:
            body = bytes([body[0] & ~ICC_EXIF_AND_XMP]) + body[1:]
        if kind in {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}:
            parts += [kind, struct.pack("<I", length), body, b"\0" * (length % 2)]
    chunks = b"".join(parts)
    return Pixels(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks)


def _of_tiff(data: bytes) -> Pixels:
    """The first picture of the file: its directory is cut down, in its place, to what the pixels need; the pixels stay where they are."""
    order, is_big = "<" if data[:1] == b"I" else ">", 43 in data[2:4]
    count, entry, offset = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "I")
    size = struct.calcsize(order + entry)
    try:
        (start,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
        (n_entries,) = struct.unpack_from(order + count, data, start)
    except struct.error:
        return Pixels(data)
    first = start + struct.calcsize(order + count)
    found = (struct.unpack_from(order + entry, data, at) for at in range(first, min(first + n_entries * size, len(data) - size + 1), size))
    kept = {tag: (tag, kind, n, value) for tag, kind, n, value in itertools.islice(found, MAX_PARTS) if tag in PIXEL_TAGS}
    for tag, kind, n, _ in kept.values():
        if n * N_BYTES.get(kind, 1) > (MAX_OFFSETS if tag in OFFSET_TAGS else MAX_TAG):
            raise ImageError(f"damaged picture: its tag {tag} has {n} values")
    directory = struct.pack(order + count, len(kept)) + b"".join(struct.pack(order + entry, *kept[tag]) for tag in sorted(kept))
    rest = memoryview(data)[start + len(directory) + struct.calcsize(offset) :]
    return Pixels(b"".join([data[:start], directory, struct.pack(order + offset, 0), rest]))


def boxes(read: Read, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of ISO media between two offsets: (kind, offset of the body, offset of its end)."""
    for _ in range(MAX_PARTS):
        head = read(at, 16)
        if at >= end or len(head) < 8:
            return
        size, body = int.from_bytes(head[:4]), at + 8
        if size == 1:
            size, body = int.from_bytes(head[8:16]), at + 16
        after = end if size == 0 else at + size
        if after < body:
            return
        yield head[4:8], body, min(after, end)
        at = after


def box(read: Read, at: int, end: int, kind: bytes) -> tuple[int, int] | None:
    """Where the body of the first box of a kind starts and ends."""
    return next(((body, after) for found, body, after in boxes(read, at, end) if found == kind), None)


def meta_box(read: Read) -> tuple[int, int] | None:
    """Where the boxes start and end that describe a HEIC or AVIF file."""
    meta = box(read, 0, UNKNOWN_END, b"meta")
    return meta and (meta[0] + 4, meta[1])


def items(read: Read) -> Iterator[tuple[int, bytes, int]]:
    """The items of a HEIC or AVIF file: (number, kind, offset of the kind)."""
    meta = meta_box(read)
    table = meta and box(read, *meta, b"iinf")
    if table is None:
        return
    for kind, at, _ in boxes(read, table[0] + (6 if read(table[0], 1) == b"\0" else 8), table[1]):
        width = {b"\2": 2, b"\3": 4}.get(read(at, 1))
        if kind == b"infe" and width:
            yield int.from_bytes(read(at + 4, width)), read(at + 6 + width, 4), at + 6 + width


def _without_items(data: bytes) -> bytes:
    """HEIC or AVIF whose EXIF and XMP are of a kind that no decoder knows: they cannot be cut out, since the pixels are found by their offsets."""
    named = [at for _, kind, at in items(reader(data)) if kind in {b"Exif", b"mime"}]
    if not named:
        return data
    nameless = bytearray(data)
    for at in named:
        nameless[at : at + 4] = b"skip"
    return bytes(nameless)
