"""Bytes of a picture, from anywhere and trusted in nothing, as an RGB picture the right way up; and thumbnails."""

from __future__ import annotations

import contextlib
import io
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from igsearch.containers import Pixels, is_iso_media, pixels_alone, reader
from igsearch.errors import ImageError, first_line
from igsearch.exif import Exif, read_exif
from igsearch.regular import open_regular

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What Instagram serves and phones write, besides the two of `_iso_formats`. Pillow knows forty more, some of which start Ghostscript: their parsers never see
bytes from outside."""

ISO_FORMATS = ("AVIF", "HEIF")

MAX_PIXELS = 120_000_000
"""The sensors of today's phones, 12,000 × 9,000, fit in; Pillow holds a pixel in 4 bytes, so one picture takes at most 480 MB."""

MAX_ASPECT = 50
"""Longest panoramas are about 20 times as wide as high; beyond that the shorter side would vanish in the captioner's square."""

INTACT_SHARE = 0.95
"""How much of a JPEG's height must be there when its end is missing. Cameras and editors that leave the end marker off lose nothing, and a strip of grey
at the bottom does not change what a photo shows; a download that stopped half-way would be described as a photo of a grey wall, and never fetched again."""

END_OF_IMAGE = b"\xff\xd9"

THUMBNAIL_QUALITY, THUMBNAIL_METHOD = 80, 2
"""WebP's effort: 2 takes half the time of the default 4, for files 5 % larger."""

# Pillow's plugins let whatever their parsing trips over escape. The first six were met by feeding them 400,000 damaged files; the others stand in their source.
DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    struct.error,
)

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (CIPA DC-008, table 6) to what turns the stored picture upright; 1 is upright already."""
EXIF_ORIENTATION = 0x0112

MAX_BYTES = 10**9
"""What one picture may take while it is decoded. All that Instagram serves and phones write takes less; of the formats that libraries decode into several
copies, the largest pictures take more: beyond 50 megapixels of WebP, 60 of AVIF and TIFF with 16 bits a channel, 90 of HEIC."""

MAX_KEPT_PIXELS = 30_000_000
"""Beyond this a picture is scaled down by 2, 4 or 8 whatever is asked for: no captioner sees the difference, and every copy of it takes 4 bytes a pixel."""

MAX_SCANNED = 1_500_000_000
"""Pixels times scans of a JPEG: the ten scans of a progressive one of 120 megapixels, some 4 seconds. A file of a few bytes can ask for thousands."""

COPIED_BYTES = {"WEBP": 19, "AVIF": 16, "HEIF": 12}
"""Bytes that a pixel takes at the peak where a library decodes and Pillow copies, with transparency and deep colours (`benchmarks/memory.py`)."""

NARROW_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes that Pillow holds a pixel in; 4 in all other modes."""

FACTORS = (1, 2, 4, 8)
TILE_WIDTH, TILE_LENGTH, ROWS_PER_STRIP, BITS_PER_SAMPLE = 322, 323, 278, 258

STRIP_PIXELS = 2**18
"""Modes are converted and transparency is flattened in strips of so many pixels, so that only one whole copy of a picture is needed."""

BLOCK_BYTES = 64 * 2**20
"""Of pieces in which Pillow holds a large picture."""

COMPARED_SIDE = 256
"""How finely a JPEG without its end is looked at for what is missing."""


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A picture whose header was read and judged. `n_bytes` is about what `decoded` takes at its peak, the file and the result included."""

    n_bytes: int
    exif: Exif
    _pixels: Pixels
    _picture: ImageFile.ImageFile
    _whole: tuple[int, int]
    _factor: int

    def decoded(self) -> Image.Image:
        """The picture: RGB, upright, transparency on white, the first frame if it moves. Call it once. Raises ImageError unless it is sound."""
        with _damage_as_image_error(self._pixels.data), contextlib.closing(_loaded(self._picture, self._pixels.data, self._factor)) as picture:
            turn = _turn(picture, self.exif)
            flat = _flattened(picture, self._factor if picture.size == self._whole else 1)
        return flat if turn is None else flat.transpose(turn)


def opened(data: bytes, *, at_least: int | None = None) -> Undecoded:
    """Read and judge the header of the picture in `data`; no pixel is decoded yet. Safe to call from several threads. Raises ImageError."""
    with _damage_as_image_error(data):
        pixels = pixels_alone(data)
        picture = _open(pixels.data)
        whole = picture.size
        _refuse_absurd(whole, pixels.n_scans)
        factor = _factor(whole, at_least)
        _draft(picture, factor)
        n_bytes = _decoding_bytes(picture, whole, factor, pixels.n_scans)
    if n_bytes > MAX_BYTES:
        raise ImageError(f"{whole[0]} × {whole[1]} pixels: to decode so large a {picture.format} takes more than {MAX_BYTES // 10**9} GB; save it as JPEG")
    return Undecoded(2 * len(data) + n_bytes, read_exif(reader(data)), pixels, picture, whole, factor)


def decode(data: bytes, *, at_least: int | None = None) -> Image.Image:
    """The picture in `data`: RGB, upright, transparency on white, the first frame if it moves.

    With `at_least`, a much larger picture may come back scaled down by 2, 4 or 8, its shorter side no shorter than `at_least`: of a JPEG that is several times
    as fast. One of more than `MAX_KEPT_PIXELS` is scaled down in any case. Damage around the pixels, in EXIF, profiles or texts, costs nothing but these.
    Safe to call from several threads. Raises ImageError for anything that is not a sound picture of reasonable size.
    """
    return opened(data, at_least=at_least).decoded()


def give_memory_back() -> None:
    """Have Pillow hold pixels in pieces so large that the system gets each back when it is freed.

    glibc keeps what has up to 32 MiB for the thread that freed it: four loaders would hold the budget twice. Nobody else notices the size of the pieces.
    """
    Image.core.set_block_size(BLOCK_BYTES)  # type: ignore[attr-defined]  # not declared, but the only way to say it but for the environment


def taken_at(data: bytes) -> datetime | None:
    """When the picture was taken, in UTC, as its EXIF says: DateTimeOriginal, else DateTimeDigitized or DateTime. Only the header is read.

    Where EXIF tells no offset from UTC, the camera's local time is taken as UTC. None for nonsense such as zeros or the future.
    """
    return read_exif(reader(data)).taken_at


def taken_at_of_file(path: Path) -> datetime | None:
    """The same of a file, of which a few blocks are read; None too where it cannot be read."""

    def read(at: int, n: int) -> bytes:
        file.seek(at)
        return file.read(n)

    try:
        with open_regular(path) as file:
            return read_exif(read).taken_at
    except (OSError, ValueError, OverflowError):
        return None


def thumbnail(image: Image.Image, side: int = 320) -> bytes:
    """`image` as WebP, its longer side at most `side` pixels; never enlarged."""
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    out = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0).save(out, "WEBP", quality=THUMBNAIL_QUALITY, method=THUMBNAIL_METHOD)
    return out.getvalue()


@contextlib.contextmanager
def _damage_as_image_error(data: bytes) -> Iterator[None]:
    """Whatever a decoder trips over, as the one error that concerns this picture alone."""
    try:
        yield
    except UnidentifiedImageError as err:
        raise ImageError(_what_it_is_instead(data)) from err
    except Image.DecompressionBombError as err:
        raise ImageError(f"larger than the {MAX_PIXELS // 10**6} megapixels that are decoded") from err
    except MemoryError as err:
        raise ImageError("there is not enough memory to decode it: close other programs, or save it smaller") from err
    except DAMAGE as err:
        raise ImageError(f"damaged picture: {first_line(err)}") from err


def _open(data: bytes) -> ImageFile.ImageFile:
    """Read the header; no pixel is decoded yet."""
    return Image.open(io.BytesIO(data), formats=_iso_formats() if is_iso_media(data) else FORMATS)


@cache
def _iso_formats() -> tuple[str, ...]:
    """What such a container may hold: AVIF, or HEIC as phones write it and Instagram since 2024. HEIC's library is loaded when the first one comes."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return ISO_FORMATS


def _refuse_absurd(size: tuple[int, int], n_scans: int) -> None:
    """Judge the header before time and memory are taken for the pixels."""
    short, long = sorted(size)
    if short < 1:
        raise ImageError(f"{size[0]} × {size[1]} pixels: there is nothing in it")
    if short * long > MAX_PIXELS:
        raise ImageError(f"{size[0]} × {size[1]} pixels: larger than the {MAX_PIXELS // 10**6} megapixels that are decoded")
    if long > short * MAX_ASPECT:
        raise ImageError(f"{size[0]} × {size[1]} pixels: a line rather than a picture")
    if short * long * n_scans > MAX_SCANNED:
        raise ImageError(f"{size[0]} × {size[1]} pixels in {n_scans} scans: made to keep a decoder busy")


def _factor(size: tuple[int, int], at_least: int | None) -> int:
    """By how much a picture is scaled down: 1, 2, 4 or 8."""
    wanted = [factor for factor in FACTORS if at_least is not None and min(size) // factor >= at_least]
    bearable = next(factor for factor in FACTORS if math.prod(size) <= MAX_KEPT_PIXELS * factor**2)
    return max(bearable, *wanted, 1)


def _draft(picture: ImageFile.ImageFile, factor: int) -> None:
    """Have a JPEG decoded scaled down, or the preview in a HEIC that is large enough in place of the picture itself."""
    picture.draft(None, (picture.width // factor, picture.height // factor))


def _decoding_bytes(picture: ImageFile.ImageFile, whole: tuple[int, int], factor: int, n_scans: int) -> int:
    """About how much decoding takes at its peak; the picture may be drafted, from `whole`."""
    n_pixels, copied = math.prod(picture.size), COPIED_BYTES.get(picture.format or "")
    if copied is not None:
        return copied * n_pixels
    result = 4 * (n_pixels if picture.size != whole else n_pixels // factor**2)
    coefficients = 2 * len(picture.getbands()) * math.prod(whole) if n_scans > 1 else 0
    strip = _strip_bytes(picture) if isinstance(picture, TiffImagePlugin.TiffImageFile) else 0
    return NARROW_BYTES.get(picture.mode, 4) * n_pixels + max(result, coefficients, strip)


def _strip_bytes(picture: TiffImagePlugin.TiffImageFile) -> int:
    """What libtiff unpacks a TIFF in at a time: a tile, or a strip, which may be all of it."""
    tags, (width, height) = picture.tag_v2, picture.size
    n_pixels = tags.get(TILE_WIDTH, width) * tags.get(TILE_LENGTH, min(tags.get(ROWS_PER_STRIP, height), height))
    return int(n_pixels * sum(tags.get(BITS_PER_SAMPLE, (1,))) / 8)


def _loaded(picture: ImageFile.ImageFile, data: bytes, factor: int) -> ImageFile.ImageFile:
    """Decode the pixels; a JPEG gets a second chance if only its end is missing."""
    try:
        picture.load()
    except OSError:
        if not isinstance(picture, JpegImagePlugin.JpegImageFile):
            raise
        return _without_its_end(data, factor)
    return picture


def _without_its_end(data: bytes, factor: int) -> ImageFile.ImageFile:
    """A JPEG whose last bytes are missing. Raises ImageError if more than a narrow strip went with them.

    libjpeg makes up whatever the bytes do not say, so two different endings give the same pixels exactly as far as the file is intact.
    """
    ended, garbled = _open(data + END_OF_IMAGE), _open(data + b"\x55" * 4096 + END_OF_IMAGE)
    for picture in (ended, garbled):
        picture.draft(None, (COMPARED_SIDE, COMPARED_SIDE))
    made_up = ImageChops.difference(ended, garbled).getbbox(alpha_only=False)
    if made_up is not None and made_up[1] < INTACT_SHARE * ended.height:
        raise ImageError(f"cut off: only {100 * made_up[1] // ended.height} % of the picture is there")
    whole = _open(data + END_OF_IMAGE)
    _draft(whole, factor)
    whole.load()
    return whole


def _turn(picture: ImageFile.ImageFile, exif: Exif) -> Image.Transpose | None:
    """How to turn the picture as its camera was held. AVIF's container says it, which Pillow passes on as EXIF; HEIC's library has turned it already."""
    if picture.format in ISO_FORMATS:
        return UPRIGHT.get(picture.getexif().get(EXIF_ORIENTATION, 1))
    return UPRIGHT.get(exif.orientation)


def _strips(picture: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """The picture from top to bottom, in pieces whose heights `factor` divides: (first row, piece)."""
    rows = max(1, STRIP_PIXELS // (picture.width * factor)) * factor
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _flattened(picture: Image.Image, factor: int) -> Image.Image:
    """Any mode as 8-bit RGB, scaled down by `factor`; what is transparent shows white, as on a page."""
    convert = _deep_grey(picture) if picture.mode in {"I", "F"} else CONVERSIONS.get(picture.mode, _on_paper)
    flat = Image.new("RGB", (math.ceil(picture.width / factor), math.ceil(picture.height / factor)))
    for top, strip in _strips(picture, factor):
        flat.paste(convert(strip).reduce(factor), (0, top // factor))
    return flat


def _on_paper(strip: Image.Image) -> Image.Image:
    """RGB, on white where it is transparent."""
    if not strip.has_transparency_data:
        return strip.convert("RGB")
    paper = Image.new("RGBA", strip.size, "white")
    paper.alpha_composite(strip.convert("RGBA"))
    return paper.convert("RGB")


def _deep_grey(picture: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """32-bit integers and floats have no agreed white, so theirs is the brightest pixel there is, and their black the darkest."""
    extremes = [(values.min(), values.max()) for _, strip in _strips(picture, 1) for values in (_finite(strip),)]
    low, high = float(min(low for low, _ in extremes)), float(max(high for _, high in extremes))
    scale = 255 / ((high - low) or 1.0)
    return lambda strip: Image.fromarray(((_finite(strip) - low) * scale).astype(np.uint8)).convert("RGB")


def _finite(strip: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(strip).astype(np.float64), posinf=0.0, neginf=0.0)


def _grey_of_16_bits(strip: Image.Image) -> Image.Image:
    """White is 65,535."""
    return Image.fromarray((np.asarray(strip) // 257).astype(np.uint8)).convert("RGB")


def _from_lab(strip: Image.Image) -> Image.Image:
    """CIELAB, which Photoshop writes into TIFF files, as sRGB."""
    from PIL import ImageCms

    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return cast("Image.Image", ImageCms.applyTransform(strip, transform))


CONVERSIONS: Mapping[str, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {"I;16": _grey_of_16_bits, "I;16B": _grey_of_16_bits, "I;16L": _grey_of_16_bits, "I;16N": _grey_of_16_bits, "LAB": _from_lab}
)
"""How a mode of Pillow's becomes RGB that its own conversion clips or does not know."""


def _what_it_is_instead(data: bytes) -> str:
    """Why these bytes are no picture, in the words most useful to somebody looking for the cause."""
    if not data:
        return "empty: no bytes at all"
    if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "a web page or other markup, not a picture"
    return f"not a picture of a known kind ({', '.join((*FORMATS, 'AVIF', 'HEIC'))})"
