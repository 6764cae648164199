"""Where the captioner looked for each word, as a figure (Xu et al. 2015, figures 2 and 3): the photo, then the photo once a word, lit where the word saw it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from igsearch.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PANELS_A_ROW = 5
PANEL_SIDE = 340
"""The longer side of a panel, in pixels; a whole row is then as wide as a page of print at 200 dots an inch."""
MIN_PANEL_SIDE = 120
"""A narrower panel would have no room for a word."""

MARGIN, GAP, TITLE_HEIGHT, FONT_SIZE = 40, 24, 42, 24
PAPER, INK = (255, 255, 255), (34, 34, 34)

SHADE, VEIL = 0.36, 0.36
"""Where a word did not look the photo is grey and keeps this share of its brightness; where it looked most it has its colours under so thin a veil of white.
The veil being no thinner than the shade, the lit part is the brighter one whatever the photo shows: a night sky as well as snow."""

SOFTNESS = 0.45
"""Blur, in grid cells: enough to hide the grid, too little to move a peak."""


class Look(NamedTuple):
    """A word and how its attention lay over the grid: (H, W), non-negative, summing to 1."""

    word: str
    weights: NDArray[np.float32]


def figure(photo: Image.Image, looks: Sequence[Look]) -> Image.Image:
    """The figure of an RGB photo and the words said of it, five panels a row, on white."""
    size = panel_size(photo.size)
    small = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    panels = [("", small), *((look.word, lit(small, look.weights)) for look in looks)]
    rows = math.ceil(len(panels) / PANELS_A_ROW)
    columns = math.ceil(len(panels) / rows)
    step_x, step_y = size[0] + GAP, size[1] + TITLE_HEIGHT + GAP
    page = Image.new("RGB", (2 * MARGIN + columns * step_x - GAP, 2 * MARGIN + rows * step_y - GAP), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(FONT_SIZE)
    for position, (word, panel) in enumerate(panels):
        left, top = MARGIN + position % columns * step_x, MARGIN + position // columns * step_y
        page.paste(panel, (left, top))
        draw.text((left + size[0] / 2, top + size[1] + TITLE_HEIGHT / 2), word, fill=INK, font=font, anchor="mm")
    return page


def panel_size(size: tuple[int, int]) -> tuple[int, int]:
    """A photo's size with the longer side made `PANEL_SIDE`; a very long one is squeezed."""
    scale = PANEL_SIDE / max(size)
    width, height = (max(MIN_PANEL_SIDE, round(side * scale)) for side in size)
    return width, height


def lit(photo: Image.Image, weights: NDArray[np.float32]) -> Image.Image:
    """The photo, bright and in its colours where a word looked most, dark and grey where it did not look."""
    cell = min(photo.width / weights.shape[1], photo.height / weights.shape[0])
    grid = Image.fromarray((255 * weights / max(float(weights.max()), 1e-12)).astype(np.uint8))
    smooth = ImageOps.autocontrast(grid.resize(photo.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(SOFTNESS * cell)))
    shaded = photo.convert("L").point(lambda value: value * SHADE).convert("RGB")
    veiled = Image.blend(photo, Image.new("RGB", photo.size, "white"), VEIL)
    return Image.composite(veiled, shaded, smooth)


def write(page: Image.Image, path: Path) -> None:
    """Save as PNG, whole or not at all. Raises UsageError if `path` cannot be written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        page.save(partial, "PNG", optimize=True)
        partial.replace(path)
    except (OSError, ValueError) as err:
        partial.unlink(missing_ok=True)
        raise UsageError(f"cannot write --attention {str(path)!r}: {getattr(err, 'strerror', None) or err}") from err
