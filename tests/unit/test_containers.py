"""Damage around the pixels costs the pixels nothing, and what is made to fill a memory or to take hours does neither."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from igsearch import containers, images
from igsearch.errors import ImageError

SIZE = (64, 48)
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
"""Orientation 6: the camera was held on its side."""


def scene() -> Image.Image:
    """Red above blue."""
    image = Image.new("RGB", SIZE, "blue")
    image.paste("red", (0, 0, SIZE[0], SIZE[1] // 2))
    return image


def encoded(kind: str, **options: object) -> bytes:
    """The scene as a file of a kind."""
    out = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(scene()).save(out, quality=95, **options)
    else:
        scene().save(out, kind, **options)
    return out.getvalue()


def shows_the_scene(image: Image.Image) -> bool:
    """Whether red is above and blue below."""
    top, bottom = (np.asarray(image.getpixel((SIZE[0] // 2, y))).astype(int) for y in (6, SIZE[1] - 6))
    return image.size == SIZE and bool(top[0] > top[2] + 150) and bool(bottom[2] > bottom[0] + 150)


def chunk(kind: bytes, body: bytes, *, checksum: int | None = None) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) if checksum is None else checksum)


def png_with(*chunks: bytes) -> bytes:
    """The scene as PNG, with chunks behind its header."""
    plain = encoded("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    """The scene as JPEG, with segments before its first."""
    plain = encoded("JPEG", quality=95)
    return plain[:2] + b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments) + plain[2:]


def webp_with(*chunks: bytes, lossless: bool = False) -> bytes:
    """The scene as WebP, with chunks behind its pixels."""
    plain = encoded("WEBP", quality=95, lossless=lossless, exif=EXIF.replace(b"\0\6\0\0", b"\0\1\0\0"))
    return plain[:4] + struct.pack("<I", len(plain) - 8 + len(b"".join(chunks))) + plain[8:] + b"".join(chunks)


def tiff_with(*entries: tuple[int, int, int, int]) -> bytes:
    """The scene as TIFF with more entries (tag, type, count, value) in its directory, in the order of their tags."""
    plain = encoded("TIFF")
    (start,) = struct.unpack("<I", plain[4:8])
    (n_entries,) = struct.unpack_from("<H", plain, start)
    old = [plain[start + 2 + 12 * number :][:12] for number in range(n_entries)]
    directory = sorted([*old, *(struct.pack("<HHII", *entry) for entry in entries)], key=lambda entry: struct.unpack("<H", entry[:2]))
    return plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + struct.pack("<H", len(directory)) + b"".join(directory) + bytes(4)


def long_text() -> bytes:
    """A PNG that holds more text than Pillow reads."""
    info = PngInfo()
    info.add_text("prompt", "a cat " * 400_000, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    return encoded("PNG", pnginfo=info)


def in_heic(old: bytes, new: bytes) -> bytes:
    """A HEIC with EXIF, in which bytes were replaced."""
    data = encoded("HEIC", exif=EXIF.replace(b"\0\6\0\0", b"\0\1\0\0"))
    assert old in data
    return data.replace(old, new)


SOUND: dict[str, Callable[[], bytes]] = {
    "PNG: more text than Pillow reads": long_text,
    "PNG: profile of 5 MB": lambda: png_with(chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(5_000_000)))),
    "PNG: damaged profile": lambda: png_with(chunk(b"iCCP", b"icc\0\7nonsense")),
    "PNG: profile without an end": lambda: png_with(chunk(b"iCCP", b"icc")),
    "PNG: wrong checksum of a text": lambda: png_with(chunk(b"tEXt", b"Comment\0hello", checksum=1)),
    "PNG: wrong checksum of a packed text": lambda: png_with(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hello"), checksum=1)),
    "PNG: text that is not packed as it says": lambda: png_with(chunk(b"zTXt", b"Comment\0\1hello")),
    "PNG: wrong checksum of the header": lambda: encoded("PNG").replace(encoded("PNG")[29:33], b"\0\0\0\0"),
    "PNG: short physical size": lambda: png_with(chunk(b"pHYs", b"\0")),
    "PNG: short gamma": lambda: png_with(chunk(b"gAMA", b"\0")),
    "PNG: short chromaticities": lambda: png_with(chunk(b"cHRM", b"\0\1")),
    "PNG: short transparency": lambda: png_with(chunk(b"tRNS", b"\0")),
    "PNG: damaged animation": lambda: png_with(chunk(b"acTL", b"\0"), chunk(b"fcTL", b"\0\1")),
    "PNG: 5,000 texts": lambda: png_with(*[chunk(b"tEXt", b"Comment\0" + bytes(20_000)) for _ in range(500)]),
    "PNG: damaged EXIF": lambda: png_with(chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")),
    "PNG: no end": lambda: encoded("PNG")[:-12],
    "PNG: bytes behind the end": lambda: encoded("PNG") + b"<html>" * 1000,
    "JPEG: damaged EXIF": lambda: jpeg_with((0xE1, b"Exif\0\0MM\0*" + b"\xff" * 200)),
    "JPEG: short JFIF": lambda: jpeg_with((0xE0, b"JFIF")),
    "JPEG: short Adobe": lambda: jpeg_with((0xEE, b"Adobe")),
    "JPEG: damaged profile": lambda: jpeg_with((0xE2, b"ICC_PROFILE\0\1\1nonsense")),
    "JPEG: parts of a profile that do not fit": lambda: jpeg_with((0xE2, b"ICC_PROFILE\0\2\7x"), (0xE2, b"ICC_PROFILE\0")),
    "JPEG: profile of 8 MB": lambda: jpeg_with(*[(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 128]) + bytes(65_000)) for n in range(128)]),
    "JPEG: damaged Photoshop block": lambda: jpeg_with((0xED, b"Photoshop 3.0\x008BIM\x03\xed\0")),
    "JPEG: damaged list of pictures": lambda: jpeg_with((0xE2, b"MPF\0MM\0*\0\0\0\x08\xff\xff")),
    "JPEG: list of pictures that are not there": lambda: encoded("MPO", save_all=True, append_images=[scene()], quality=95)[:-400],
    "JPEG: damaged XMP": lambda: jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta")),
    "JPEG: comment of zeros": lambda: jpeg_with((0xFE, bytes(65_000))),
    "JPEG: stray bytes between its parts": lambda: jpeg_with((0xFE, b"x")).replace(b"\xff\xfe\0\3x", b"\xff\xfe\0\3x\0\0stray"),
    "JPEG: a film behind it": lambda: encoded("JPEG", quality=95) + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 100_000,
    "WebP: damaged EXIF": lambda: webp_with(b"EXIF\4\0\0\0\xff\xff\xff\xff"),
    "WebP: XMP that ends behind the file": lambda: webp_with(b"XMP \xff\xff\xff\x7f<x"),
    "WebP: no even length": lambda: webp_with(b"XMP \3\0\0\0<x>", b"EXIF\2\0\0\0xx", lossless=True),
    "WebP: profile of 3 MB": lambda: encoded("WEBP", quality=95, icc_profile=bytes(3_000_000)),
    "WebP: bytes behind the end": lambda: encoded("WEBP", quality=95) + b"\n" * 1000,
    "WebP: wrong length of the file": lambda: encoded("WEBP", quality=95)[:4] + b"\xff\xff\xff\x7f" + encoded("WEBP", quality=95)[8:],
    "TIFF: profile behind the end": lambda: tiff_with((34675, 7, 5000, 2**31)),
    "TIFF: XMP of the wrong type": lambda: tiff_with((700, 99, 5000, 12)),
    "TIFF: EXIF behind the end": lambda: tiff_with((34665, 4, 1, 2**31)),
    "TIFF: 60,000 texts of the whole file": lambda: tiff_with(*[(50_000 + number % 10_000, 2, 9000, 0) for number in range(60_000)]),
    "HEIC: damaged EXIF": lambda: in_heic(b"MM\0*", b"\xff\xff\xff\xff"),
    "HEIC: EXIF that says where it is wrongly": lambda: in_heic(b"\0\0\0\6Exif", b"\xff\xff\xff\xffExif"),
    "AVIF: damaged EXIF": lambda: encoded("AVIF", quality=95, exif=EXIF.replace(b"\0\6\0\0", b"\0\1\0\0")).replace(b"MM\0*", b"\xff\xff\xff\xff"),
    "AVIF: bytes behind the end": lambda: encoded("AVIF", quality=95) + b"\0" * 1000,
}


@pytest.mark.parametrize("what", SOUND)
def test_damage_around_the_pixels_costs_the_pixels_nothing(what: str) -> None:
    """The picture is read, with no more memory than it takes."""
    data = SOUND[what]()
    tracemalloc.start()
    assert shows_the_scene(images.decode(data))
    assert tracemalloc.get_traced_memory()[1] < 4 * len(data) + 2**22
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_read_from_what_is_taken_out(kind: str) -> None:
    """EXIF is not kept for the decoder, but heard."""
    assert images.decode(encoded(kind, exif=EXIF)).size == SIZE[::-1]


def test_a_tiff_in_lab_colours_is_read() -> None:
    """Photoshop writes it; Pillow's own conversion does not know it."""
    lab = ImageCms.profileToProfile(scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")
    assert lab is not None
    out = io.BytesIO()
    lab.save(out, "TIFF")
    assert shows_the_scene(images.decode(out.getvalue()))


def many_scans(n_scans: int, size: tuple[int, int]) -> bytes:
    """A JPEG of a few bytes that goes over its pixels so often."""
    out = io.BytesIO()
    Image.new("L", size).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * n_scans + b"\xff\xd9"


def test_a_jpeg_that_goes_over_its_pixels_too_often_is_refused_at_once() -> None:
    """Sixty scans of a large picture take 20 seconds, a thousand minutes; those of a small one take nothing."""
    assert images.decode(many_scans(60, SIZE)).size == SIZE
    for n_scans in (60, 20_000):
        started = time.process_time()
        with pytest.raises(ImageError, match="made to keep a decoder busy"):
            images.opened(many_scans(n_scans, (6000, 5000)))
        assert time.process_time() - started < 5


HUGE = 2**32 - 1
ABSURD: dict[str, Callable[[], bytes]] = {
    "TIFF: colours of 4 GB": lambda: tiff_with((320, 3, HUGE, 0)),
    "TIFF: tiles of 30 gigapixels": lambda: tiff_with((322, 4, 1, 170_000), (323, 4, 1, 170_000), (324, 4, 1, 8), (325, 4, 1, 100)),
    "PNG: too many pieces": lambda: png_with(*[chunk(b"tEXt", b"") for _ in range(2_000)]),
}


@pytest.mark.parametrize("what", ABSURD)
def test_a_header_that_asks_for_the_absurd_is_refused(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any memory is taken for it."""
    monkeypatch.setattr(containers, "MAX_PARTS", 1000)
    data = ABSURD[what]()
    tracemalloc.start()
    with pytest.raises(ImageError):
        images.opened(data)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize(("at_least", "size"), [(None, (800, 600)), (301, (800, 600)), (300, (400, 300)), (80, (200, 150))])
def test_a_large_picture_of_any_kind_is_scaled_down_as_a_jpeg_is(kind: str, at_least: int | None, size: tuple[int, int]) -> None:
    """Its shorter side never falls below what was asked for, and it looks the same."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((800, 600)).convert("RGB").save(out, kind)
    image = images.decode(out.getvalue(), at_least=at_least)
    assert image.size == size
    middle = image.getpixel((size[0] // 2, size[1] // 2))
    assert isinstance(middle, tuple)
    assert abs(middle[0] - 128) < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "F", "CMYK", "1"])
def test_a_picture_converted_in_strips_shows_no_seams(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its mode, and where its height is no multiple of a strip's."""
    image = Image.linear_gradient("L").resize((50, 77))
    image = image.convert("RGB").convert("P") if mode == "P" else image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    out = io.BytesIO()
    image.save(out, "TIFF")
    whole = [images.decode(out.getvalue(), at_least=at_least) for at_least in (None, 20)]
    monkeypatch.setattr(images, "STRIP_PIXELS", 50 * 7)
    assert [images.decode(out.getvalue(), at_least=at_least).tobytes() for at_least in (None, 20)] == [one.tobytes() for one in whole]


def test_a_picture_beyond_what_is_kept_is_scaled_down_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all of it counts."""
    monkeypatch.setattr(images, "MAX_KEPT_PIXELS", 1000)
    assert [images.decode(encoded(kind), at_least=None).size for kind in ("JPEG", "PNG")] == [(32, 24)] * 2
