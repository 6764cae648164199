"""When a picture was taken, as its header says."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from igsearch import images
from igsearch.containers import reader
from igsearch.exif import Exif, read_exif

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
OFFSET_OF_ORIGINAL, OFFSET_OF_CHANGE = 0x9011, 0x9010
NOON = datetime(2021, 5, 1, 12, 0, tzinfo=UTC)


def exif_of(tags: dict[int, str]) -> bytes:
    """EXIF with these tags, each in the directory where it belongs."""
    exif = Image.Exif()
    for tag, text in tags.items():
        (exif if tag == CHANGED else exif.get_ifd(0x8769))[tag] = text
    return exif.tobytes()


def encoded(kind: str, exif: bytes) -> bytes:
    """A picture of a kind with EXIF."""
    out, image = io.BytesIO(), Image.new("RGB", (64, 48))
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(out, exif=exif)
    else:
        image.save(out, kind, exif=exif)
    return out.getvalue()


def taken(**tags: str) -> datetime | None:
    """What a JPEG with these tags says."""
    numbers = {"original": ORIGINAL, "digitized": DIGITIZED, "changed": CHANGED, "offset": OFFSET_OF_ORIGINAL, "offset_of_change": OFFSET_OF_CHANGE}
    return images.taken_at(encoded("JPEG", exif_of({numbers[name]: text for name, text in tags.items()})))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIC", "AVIF"])
def test_every_format_that_carries_exif_tells_its_date(kind: str, tmp_path: Path) -> None:
    """From memory and from a file."""
    data = encoded(kind, exif_of({ORIGINAL: "2021:05:01 14:00:00", OFFSET_OF_ORIGINAL: "+02:00"}))
    (tmp_path / "x.jpg").write_bytes(data)
    assert images.taken_at(data) == images.taken_at_of_file(tmp_path / "x.jpg") == NOON


@pytest.mark.parametrize("kind", ["GIF", "BMP", "PNG", "JPEG"])
def test_a_picture_without_a_date_tells_none(kind: str) -> None:
    """Whatever its format."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, kind)
    assert images.taken_at(out.getvalue()) is None


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"original": "2021:05:01 12:00:00"}, NOON),
        ({"original": "2021:05:01 12:00:00", "offset": "Z"}, NOON),
        ({"original": "2021:05:01 17:30:00", "offset": "+05:30"}, NOON),
        ({"original": "2021:05:01 07:00:00", "offset": "-05:00"}, NOON),
        ({"original": "2021:04:30 22:30:00", "offset": "-13:30"}, NOON),
        ({"original": "2021:05:01 12:00:00", "offset": "   :  "}, NOON),
        ({"original": "2021:05:01 12:00:00", "offset": "+99:99"}, None),
        ({"original": "2021:05:01 12:00:00", "digitized": "2022:01:01 00:00:00", "changed": "2023:01:01 00:00:00"}, NOON),
        ({"digitized": "2021:05:01 12:00:00", "changed": "2023:01:01 00:00:00"}, NOON),
        ({"changed": "2021:05:01 12:00:00"}, NOON),
        ({"changed": "2021:05:01 14:00:00", "offset_of_change": "+02:00"}, NOON),
        ({"original": "0000:00:00 00:00:00", "changed": "2021:05:01 12:00:00"}, NOON),
        ({"original": "    :  :     :  :  ", "digitized": "2021:05:01 12:00:00"}, NOON),
        ({"original": "2999:01:01 00:00:00"}, None),
        ({"original": "2021:13:01 00:00:00"}, None),
        ({"original": "2021:02:30 00:00:00"}, None),
        ({"original": "0001:01:01 00:00:00", "offset": "+14:00"}, None),
        ({"original": "9999:12:31 23:59:59", "offset": "-14:00"}, None),
        ({"original": "1952:07:01 12:00:00"}, datetime(1952, 7, 1, 12, tzinfo=UTC)),
        ({"original": "2021-05-01T12:00:00"}, NOON),
        ({"original": "2021:05:01 12:00:00.123"}, NOON),
        ({"original": "2021:05:01 14:00:00+02:00"}, NOON),
        ({"original": "2021:05:01 12:00"}, NOON),
        ({"original": "2021:05:01 11:59:60"}, NOON - timedelta(seconds=1)),
        ({"original": "2021:05:01"}, NOON - timedelta(hours=12)),
        ({"original": "yesterday"}, None),
        ({"original": ""}, None),
    ],
)
def test_a_date_is_read_as_cameras_and_editors_write_it(tags: dict[str, str], expected: datetime | None) -> None:
    """In UTC; nonsense is passed over for the next date there is."""
    assert taken(**tags) == expected


def test_what_a_camera_sets_ahead_of_us_is_no_future() -> None:
    """Local time without an offset may be a few hours ahead of UTC."""
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=12)
    assert taken(original=f"{soon:%Y:%m:%d %H:%M:%S}") == soon
    assert taken(original=f"{soon + timedelta(days=2):%Y:%m:%d %H:%M:%S}") is None


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_the_date_of_a_large_file_costs_a_few_blocks(tmp_path: Path, kind: str) -> None:
    """Wherever it stands in the file; the rest is not read."""
    data, exif = encoded(kind, b""), exif_of({ORIGINAL: "2021:05:01 12:00:00"})
    bare = exif.removeprefix(b"Exif\0\0")
    room = bytes(60 * 2**20)
    large = {
        "JPEG": lambda: data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:] + room,
        "WEBP": lambda: data + b"JUNK" + struct.pack("<I", len(room)) + room + b"EXIF" + struct.pack("<I", len(bare)) + bare,
        "PNG": lambda: data[:-12] + struct.pack(">I", len(room)) + b"IDAT" + room + bytes(4) + struct.pack(">I", len(bare)) + b"eXIf" + bare + bytes(4),
    }[kind]()
    (tmp_path / "large").write_bytes(large)
    tracemalloc.start()
    assert images.taken_at_of_file(tmp_path / "large") == NOON
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_file_that_cannot_be_read_tells_no_date(tmp_path: Path) -> None:
    """Its reason is told when it is fetched."""
    assert images.taken_at_of_file(tmp_path / "missing.jpg") is None
    assert images.taken_at_of_file(Path("a\0b")) is None


def ifd(entries: list[tuple[int, int, int, int]]) -> bytes:
    """A TIFF structure with one directory of (tag, type, count, value)."""
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ifd([(0x0132, 2, 2**32 - 1, 0)] * 65_000) + bytes(2**20), id="65,000 texts of 4 GB"),
        pytest.param(ifd([(0x8769, 4, 1, 8)]), id="a directory within itself"),
        pytest.param(ifd([(0x8769, 4, 1, 2**32 - 1)]), id="a directory behind the end"),
        pytest.param(b"\xff\xd8" + b"\xff\xe1\0\2" * 200_000, id="many empty segments"),
        pytest.param(b"\xff\xd8" + b"\xff" * 200_000, id="many fill bytes"),
        pytest.param(b"RIFF\0\0\0\0WEBP" + b"JUNK\0\0\0\0" * 200_000, id="many empty chunks"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0teXt\0\0\0\0" * 200_000, id="many empty PNG chunks"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08free" * 200_000, id="many empty boxes"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\0meta" * 1000, id="boxes without an end"),
    ],
)
def test_headers_made_to_keep_a_reader_busy_do_not(data: bytes) -> None:
    """Nothing is read twice, and no more than is asked for."""
    started = time.process_time()
    assert images.taken_at(data) is None
    assert time.process_time() - started < 3


SEEDS = [encoded(kind, exif_of({ORIGINAL: "2021:05:01 12:00:00", CHANGED: "2021:05:01 12:00:00"})) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIC", "AVIF")]


@given(st.sampled_from(SEEDS), st.binary(min_size=1, max_size=6), st.integers(0, 700))
def test_no_bytes_raise_an_error(data: bytes, noise: bytes, at: int) -> None:
    """Damaged EXIF is no EXIF."""
    damaged = data[: min(at, len(data))] + noise + data[at + len(noise) :]
    assert isinstance(read_exif(reader(damaged)), Exif)


def test_the_file_is_closed(tmp_path: Path) -> None:
    """A walk over a hundred thousand files keeps none open."""
    (tmp_path / "x.jpg").write_bytes(SEEDS[0])
    assert images.taken_at_of_file(tmp_path / "x.jpg") == NOON
    (tmp_path / "x.jpg").replace(tmp_path / "y.jpg")  # which Windows refuses for an open file
