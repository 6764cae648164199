"""Bytes to RGB: every kind of picture people have, and everything that only looks like one."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from igsearch import images
from igsearch.errors import ImageError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """`image` as a file of `kind`."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def corners(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture that tells every turn and mirroring from every other: red top left, green top right, blue bottom left, white bottom right."""
    width, height = size
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def corner_colours(image: Image.Image) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right, each rounded to a whole colour so that lossy formats compare."""
    width, height = image.size
    palette = np.array([RED, GREEN, BLUE, WHITE])
    pixels = np.asarray(image).astype(int)
    seen = [pixels[y, x] for y in (height // 8, height - 1 - height // 8) for x in (width // 8, width - 1 - width // 8)]
    return [tuple(palette[np.abs(palette - pixel).sum(axis=1).argmin()].tolist()) for pixel in seen]


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures' channels, in 0..255."""
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).mean())


def photo(size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Something with detail everywhere, so that a lost row is a changed row."""
    return Image.effect_noise(size, 90).convert("RGB")


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises `width` × `height` pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


KINDS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(corners(), "JPEG", quality=95),
    "progressive jpeg": lambda: encoded(corners(), "JPEG", quality=95, progressive=True),
    "png": lambda: encoded(corners(), "PNG"),
    "palette png": lambda: encoded(corners().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "webp": lambda: encoded(corners(), "WEBP", quality=95),
    "gif": lambda: encoded(corners(), "GIF"),
    "bmp": lambda: encoded(corners(), "BMP"),
    "tiff": lambda: encoded(corners(), "TIFF"),
    "lzw tiff": lambda: encoded(corners(), "TIFF", compression="tiff_lzw"),
    "avif": lambda: encoded(corners(), "AVIF", quality=95),
    "cmyk jpeg": lambda: encoded(corners().convert("CMYK"), "JPEG", quality=95),
    "cmyk tiff": lambda: encoded(corners().convert("CMYK"), "TIFF"),
    "multi-picture jpeg": lambda: encoded(corners(), "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", (64, 48), BLUE)]),
    "animated gif": lambda: encoded(corners(), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 48), BLUE)]),
    "animated webp": lambda: encoded(corners(), "WEBP", quality=95, save_all=True, append_images=[Image.new("RGB", (64, 48), BLUE)]),
    "animated png": lambda: encoded(corners(), "PNG", save_all=True, append_images=[Image.new("RGB", (64, 48), BLUE)]),
}


@pytest.mark.parametrize("data", [pytest.param(make, id=kind) for kind, make in KINDS.items()])
def test_every_kind_of_picture_becomes_upright_rgb(data: Callable[[], bytes]) -> None:
    """Whatever the format, mode or number of frames: RGB, the same size, the same colours in the same corners."""
    image = images.decode(data())

    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert corner_colours(image) == [RED, GREEN, BLUE, WHITE]


def heic(image: Image.Image, **options: object) -> bytes:
    """`image` as phones save it: no multiple of the codec's block size, so that cropping counts too."""
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=95, **options)
    return out.getvalue()


def test_heic_is_read() -> None:
    """Phones write it, and Instagram's export holds it since 2024."""
    image = images.decode(heic(corners((201, 151))))

    assert (image.mode, image.size) == ("RGB", (201, 151))
    assert corner_colours(image) == [RED, GREEN, BLUE, WHITE]


def test_a_sideways_heic_is_turned_once() -> None:
    """Its library turns the picture itself; doing so again would put it on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6

    assert corner_colours(images.decode(heic(corners(), exif=exif.tobytes()))) == [BLUE, RED, WHITE, GREEN]


def test_a_cut_off_heic_is_refused() -> None:
    """With the one error that lets the run go on."""
    with pytest.raises(ImageError, match="picture"):
        images.decode(heic(photo())[:3000])


def test_the_library_for_heic_waits_for_one() -> None:
    """A folder of JPEGs is read without it."""
    script = (
        "import io, sys; from PIL import Image; from igsearch import images; out = io.BytesIO(); Image.new('RGB', (9, 9)).save(out, 'JPEG');"
        "images.decode(out.getvalue()); assert 'pillow_heif' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# What each EXIF orientation shows for the stored corners, written out from the standard's definition of "0th row" and "0th column".
ORIENTATIONS = {
    1: ((64, 48), [RED, GREEN, BLUE, WHITE]),
    2: ((64, 48), [GREEN, RED, WHITE, BLUE]),
    3: ((64, 48), [WHITE, BLUE, GREEN, RED]),
    4: ((64, 48), [BLUE, WHITE, RED, GREEN]),
    5: ((48, 64), [RED, BLUE, GREEN, WHITE]),
    6: ((48, 64), [BLUE, RED, WHITE, GREEN]),
    7: ((48, 64), [WHITE, GREEN, BLUE, RED]),
    8: ((48, 64), [GREEN, WHITE, RED, BLUE]),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_picture_is_turned_as_its_camera_was_held(orientation: int, kind: str) -> None:
    """All eight EXIF orientations, in every format that carries EXIF, are applied once and only once."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = images.decode(encoded(corners(), kind, exif=exif))

    assert (image.size, corner_colours(image)) == ORIENTATIONS[orientation]


@pytest.mark.parametrize(
    "exif", [pytest.param(b"Exif\0\0" + b"MM\0\x7f" + b"\xff" * 20, id="not TIFF"), pytest.param(b"Exif\0\0II*\0\x08\0\0\0\xff\xff", id="cut off")]
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_metadata_costs_the_rotation_not_the_picture(kind: str, exif: bytes) -> None:
    """A photo whose EXIF cannot be read is shown as stored."""
    assert corner_colours(images.decode(encoded(corners(), kind, exif=exif))) == [RED, GREEN, BLUE, WHITE]


def test_an_unknown_orientation_leaves_the_picture_alone() -> None:
    """Zero is what some cameras write when they do not know."""
    exif = Image.Exif()
    exif[0x0112] = 0

    assert corner_colours(images.decode(encoded(corners(), "JPEG", exif=exif))) == [RED, GREEN, BLUE, WHITE]


def with_transparent_palette_entry() -> bytes:
    """A palette picture in which one colour index is transparent."""
    return encoded(Image.new("P", (8, 8), 0), "PNG", transparency=0)


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        pytest.param(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG"), WHITE, id="RGBA, invisible"),
        pytest.param(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 51)), "PNG"), (204, 204, 204), id="RGBA, a fifth of black"),
        pytest.param(encoded(Image.new("LA", (8, 8), (0, 0)), "PNG"), WHITE, id="LA"),
        pytest.param(with_transparent_palette_entry(), WHITE, id="palette"),
        pytest.param(encoded(Image.new("RGB", (8, 8), BLUE), "PNG", transparency=BLUE), WHITE, id="RGB with a transparent colour"),
        pytest.param(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "WEBP", lossless=True, exact=True), WHITE, id="WebP"),
        pytest.param(encoded(Image.new("1", (8, 8), 1), "PNG"), WHITE, id="bilevel"),
    ],
)
def test_transparency_shows_white_paper(data: bytes, pixel: tuple[int, int, int]) -> None:
    """What is see-through looks as it does on a page, not black."""
    assert images.decode(data).getpixel((4, 4)) == pixel


@pytest.mark.parametrize(
    ("data", "greys"),
    [
        pytest.param(encoded(Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)), "PNG"), [0, 100, 255], id="16-bit PNG"),
        pytest.param(encoded(Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)), "TIFF"), [0, 100, 255], id="16-bit TIFF"),
        pytest.param(encoded(Image.fromarray(np.array([[-10, 0, 10]], np.int32)), "TIFF"), [0, 127, 255], id="32-bit TIFF"),
        pytest.param(encoded(Image.fromarray(np.array([[0.0, np.nan, 1.0]], np.float32)), "TIFF"), [0, 0, 255], id="float TIFF with a hole"),
        pytest.param(encoded(Image.fromarray(np.full((1, 3), 7, np.int32)), "TIFF"), [0, 0, 0], id="flat 32-bit TIFF"),
    ],
)
def test_deep_greyscale_is_scaled_not_clipped(data: bytes, greys: list[int]) -> None:
    """16 bits become 8 by division: white stays white and mid-grey stays mid-grey."""
    image = images.decode(data)

    assert [image.getpixel((x, 0)) for x in range(3)] == [(grey, grey, grey) for grey in greys]


HOSTILE = {
    "no bytes": (b"", "empty"),
    "a web page": (b"<!DOCTYPE html><html><title>Login</title>", "web page"),
    "a web page with a byte order mark": (b"\xef\xbb\xbf\n <html>", "web page"),
    "JSON": (b'{"message": "checkpoint_required"}', "not a picture"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n", "not a picture"),
    "Photoshop": (b"8BPS\0\1" + b"\0" * 60, "not a picture"),
    "a ZIP": (b"PK\x03\x04" + b"\0" * 60, "not a picture"),
    "a video": (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "not a picture"),
    "a JPEG's first bytes": (b"\xff\xd8\xff\xe0", "picture"),
    "a bomb of 2,500 megapixels": (png_claiming(50_000, 50_000), "larger than the 120 megapixels"),
    "a bomb just above the limit": (png_claiming(12_001, 10_000), "larger than the 120 megapixels"),
    "a line": (png_claiming(60_000, 1), "a line rather"),
    "no width": (png_claiming(0, 100), "picture"),
    "a cut-off PNG": (encoded(corners(), "PNG")[:90], "damaged"),
    "a cut-off WebP": (encoded(photo(), "WEBP")[:900], "picture"),
    "a cut-off GIF": (encoded(photo(), "GIF")[:3000], "damaged"),
    "a cut-off AVIF": (encoded(photo(), "AVIF")[:1000], "picture"),
    "an AVIF without its picture": (encoded(corners(), "AVIF").replace(b"pitm", b"free"), "damaged"),
    "a picture behind a web page": (b"<html>" + encoded(corners(), "JPEG"), "web page"),
}


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_sound_picture_is_refused_in_one_line(data: bytes, reason: str) -> None:
    """The message says what the bytes are instead, in a single line without addresses of Python objects."""
    with pytest.raises(ImageError, match=reason) as caught:
        images.decode(data)

    assert "\n" not in str(caught.value)
    assert "BytesIO" not in str(caught.value)


@pytest.mark.parametrize("size", [(50_000, 50_000), (12_001, 10_000), (60_000, 1)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_before_its_pixels_are_unpacked(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The header is enough to refuse: no memory is taken for what it promises."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("the pixels were unpacked"))

    with pytest.raises(ImageError, match=r"larger than|a line"):
        images.decode(png_claiming(*size))


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_without_its_last_bytes_is_accepted(progressive: bool) -> None:
    """Some cameras leave the end marker off; every pixel is there, so the picture counts."""
    whole = encoded(photo(), "JPEG", progressive=progressive)
    image = images.decode(whole[:-2])

    assert mean_difference(image, images.decode(whole)) < 1


def test_a_jpeg_that_lost_a_narrow_strip_is_accepted() -> None:
    """Two hundredths of the file are at most one row of blocks at the bottom."""
    whole = encoded(photo(), "JPEG")

    assert images.decode(whole[: int(len(whole) * 0.98)]).size == (400, 300)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("at_least", [None, 100])
def test_a_jpeg_that_stopped_half_way_is_refused(share: float, progressive: bool, at_least: int | None) -> None:
    """Describing the grey that stands for what never arrived would hide that the download failed."""
    whole = encoded(photo(), "JPEG", progressive=progressive)

    with pytest.raises(ImageError, match="cut off"):
        images.decode(whole[: int(len(whole) * share)], at_least=at_least)


@pytest.mark.parametrize(
    ("at_least", "size"), [(None, (1600, 1200)), (1201, (1600, 1200)), (600, (800, 600)), (300, (400, 300)), (299, (400, 300)), (1, (200, 150))]
)
def test_a_large_jpeg_is_decoded_no_larger_than_needed(at_least: int | None, size: tuple[int, int]) -> None:
    """The shorter side never falls below what was asked for."""
    assert images.decode(encoded(corners((1600, 1200)), "JPEG"), at_least=at_least).size == size


def test_nothing_global_is_switched() -> None:
    """Another user of Pillow in the same process keeps its settings."""
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    images.decode(encoded(photo(), "JPEG")[:-2])

    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before == (89_478_485, False)


def test_threads_decode_side_by_side() -> None:
    """Whole and broken files decoded at once do not disturb each other."""
    good, bad = encoded(corners(), "JPEG", quality=95), encoded(photo(), "JPEG")[:2000]
    together = threading.Barrier(4)

    def work(turn: int) -> object:
        together.wait(timeout=30)
        try:
            return corner_colours(images.decode(bad if turn % 2 else good))
        except ImageError:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        results = [list(pool.map(work, range(4))) for _ in range(10)]
    assert results == [[[RED, GREEN, BLUE, WHITE], "refused"] * 2] * 10


SEEDS = [make() for make in KINDS.values()]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real file with a few bytes changed, dropped, inserted or cut off, mostly in its header."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        where = draw(st.integers(0, min(len(data), draw(st.sampled_from([32, 256, len(data)]))) - 1))
        change = draw(st.binary(max_size=4))
        data[where : where + draw(st.integers(0, 4))] = change
        data = data or bytearray(b"\0")
    return bytes(data)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400)
@given(st.binary(max_size=200) | damaged(), st.sampled_from([None, 16]))
def test_no_bytes_raise_anything_but_image_error(data: bytes, at_least: int | None) -> None:
    """Whatever arrives from outside: a sound RGB picture, or the one error that lets the run go on."""
    try:
        image = images.decode(data, at_least=at_least)
    except ImageError as err:
        lines = str(err).splitlines()
    else:
        lines = ["sound"]
        assert image.mode == "RGB"
        assert len(image.tobytes()) == image.width * image.height * 3
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("size", "side", "expected"), [((1000, 500), 320, (320, 160)), ((500, 1000), 320, (160, 320)), ((100, 80), 320, (100, 80)), ((1000, 20), 100, (100, 2))]
)
def test_a_thumbnail_is_a_small_webp(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    """The longer side fits, proportions stay, small pictures are not blown up, and the original is left alone."""
    original = corners(size)
    small = Image.open(io.BytesIO(images.thumbnail(original, side)))

    assert (small.format, small.size) == ("WEBP", expected)
    assert original.size == size


def test_sample_photos_decode(sample_photos: Path) -> None:
    """The photos that ship with the project are real photos: varied, colourful or not, at most 800 pixels long, and light."""
    files = sorted(sample_photos.glob("*.jpg"))
    decoded = [images.decode(file.read_bytes()) for file in files]

    assert len(files) >= 8
    assert all(max(image.size) <= 800 and np.asarray(image).std() > 20 for image in decoded)
    assert sum(file.stat().st_size for file in files) < 1_500_000


def test_every_sample_photo_has_its_source_and_licence(sample_photos: Path) -> None:
    """`SOURCES.md` names each photo once, with a licence that lets anybody use it."""
    rows = [line for line in (sample_photos / "SOURCES.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    licences = {line.split("`")[1]: line.split("|")[4].strip() for line in rows}

    assert sorted(licences) == sorted(file.name for file in sample_photos.glob("*.jpg"))
    assert set(licences.values()) <= {"CC0 1.0", "public domain"}
