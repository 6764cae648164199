"""Bytes of a picture, from anywhere and trusted in nothing, as an RGB picture the right way up; and thumbnails."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import cast

import numpy as np
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, UnidentifiedImageError

from igsearch.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What Instagram serves and phones write, besides the two of `_iso_formats`. Pillow knows forty more, some of which start Ghostscript: their parsers never see
bytes from outside."""

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
    MemoryError,
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


def decode(data: bytes, *, at_least: int | None = None) -> Image.Image:
    """The picture in `data`: RGB, upright, transparency on white, the first frame if it moves.

    With `at_least`, a much larger JPEG may come back scaled down by 2, 4 or 8, its shorter side no shorter than `at_least`; that is several times as fast.
    Safe to call from several threads. Raises ImageError for anything that is not a sound picture of reasonable size.
    """
    try:
        return _flattened(_upright(_loaded(data, at_least)))
    except UnidentifiedImageError as err:
        raise ImageError(_what_it_is_instead(data)) from err
    except Image.DecompressionBombError as err:
        raise ImageError(f"larger than the {MAX_PIXELS // 10**6} megapixels that are decoded") from err
    except DAMAGE as err:
        raise ImageError(f"damaged picture: {' '.join(str(err).split()) or type(err).__name__}") from err


def thumbnail(image: Image.Image, side: int = 320) -> bytes:
    """`image` as WebP, its longer side at most `side` pixels; never enlarged."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=THUMBNAIL_QUALITY, method=THUMBNAIL_METHOD)
    return out.getvalue()


def _open(data: bytes, at_least: int | None) -> ImageFile.ImageFile:
    """Read and judge the header; no pixel is decoded yet."""
    picture = Image.open(io.BytesIO(data), formats=_iso_formats() if _is_iso_media(data) else FORMATS)
    _refuse_absurd_size(picture.size)
    if at_least is not None:
        picture.draft(None, (at_least, at_least))
    return picture


def _is_iso_media(data: bytes) -> bool:
    """Whether this is the family of containers that AVIF and HEIC belong to (ISO/IEC 14496-12)."""
    return data[4:8] == b"ftyp"


@cache
def _iso_formats() -> tuple[str, ...]:
    """What such a container may hold: AVIF, or HEIC as phones write it and Instagram since 2024. HEIC's library is loaded when the first one comes."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return ("AVIF", "HEIF")


def _refuse_absurd_size(size: tuple[int, int]) -> None:
    """Judge the header before memory is taken for the pixels."""
    short, long = sorted(size)
    if short < 1:
        raise ImageError(f"{size[0]} × {size[1]} pixels: there is nothing in it")
    if short * long > MAX_PIXELS:
        raise ImageError(f"{size[0]} × {size[1]} pixels: larger than the {MAX_PIXELS // 10**6} megapixels that are decoded")
    if long > short * MAX_ASPECT:
        raise ImageError(f"{size[0]} × {size[1]} pixels: a line rather than a picture")


def _loaded(data: bytes, at_least: int | None) -> Image.Image:
    """Decode the pixels; a JPEG gets a second chance if only its end is missing."""
    picture = _open(data, at_least)
    try:
        picture.load()
    except OSError:
        if not isinstance(picture, JpegImagePlugin.JpegImageFile):
            raise
        return _without_its_end(data, at_least)
    return picture


def _without_its_end(data: bytes, at_least: int | None) -> Image.Image:
    """A JPEG whose last bytes are missing. Raises ImageError if more than a narrow strip went with them.

    libjpeg makes up whatever the bytes do not say, so two different endings give the same pixels exactly as far as the file is intact.
    """
    ended, garbled = _open(data + END_OF_IMAGE, at_least), _open(data + b"\x55" * 4096 + END_OF_IMAGE, at_least)
    made_up = ImageChops.difference(ended, garbled).getbbox(alpha_only=False)
    if made_up is not None and made_up[1] < INTACT_SHARE * ended.height:
        raise ImageError(f"cut off: only {100 * made_up[1] // ended.height} % of the picture is there")
    return ended


def _upright(image: Image.Image) -> Image.Image:
    """Turn the picture as its camera was held. Damage in the metadata costs the rotation, not the picture."""
    try:
        turn = UPRIGHT.get(image.getexif().get(EXIF_ORIENTATION, 1))
    except DAMAGE:
        return image
    return image if turn is None else image.transpose(turn)


def _flattened(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit RGB; what is transparent shows white, as on a page."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _grey(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    paper.alpha_composite(layer)
    return paper.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """Deep greyscale as 8 bits. 16-bit white is 65,535; 32-bit integers and floats have no agreed white, so theirs is the brightest pixel there is."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values // 257).astype(np.uint8))
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = cast("tuple[float, float]", (finite.min(), finite.max()))
    return Image.fromarray(((finite - low) * (255 / ((high - low) or 1.0))).astype(np.uint8))


def _what_it_is_instead(data: bytes) -> str:
    """Why these bytes are no picture, in the words most useful to somebody looking for the cause."""
    if not data:
        return "empty: no bytes at all"
    if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "a web page or other markup, not a picture"
    return f"not a picture of a known kind ({', '.join((*FORMATS, 'AVIF', 'HEIC'))})"
