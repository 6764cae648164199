"""Draw the contact sheet of the model card: each sample photo with what the packaged captioner says of it, and the likeliest label.

python docs/contact_sheet.py [--photos assets/sample] [--out assets/contact-sheet.jpg]
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

from igsearch import Captioner, images

if TYPE_CHECKING:
    from igsearch.records import Description

COLUMNS, CELL, GAP, TEXT_HEIGHT, SCALE = 4, 250, 24, 104, 2
BACKGROUND, INK, FAINT = "#ffffff", "#1d2129", "#6b7280"


def draw_cell(sheet: Image.Image, corner: tuple[int, int], photo: Image.Image, said: Description) -> None:
    """A square crop of the photo, and below it the caption and the label."""
    side, draw = CELL * SCALE, ImageDraw.Draw(sheet)
    rounded = Image.new("L", (side, side))
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, side - 1, side - 1), radius=10 * SCALE, fill=255)
    sheet.paste(ImageOps.fit(photo, (side, side), Image.Resampling.LANCZOS), corner, rounded)
    left, top = corner[0], corner[1] + side + 10 * SCALE
    lines = textwrap.wrap(said.caption, 32)
    draw.multiline_text((left, top), "\n".join(lines), fill=INK, font=ImageFont.load_default(15 * SCALE), spacing=4 * SCALE)
    if said.labels:
        label = f"{said.labels[0].name} · {said.labels[0].probability:.0%}"
        draw.text((left, top + len(lines) * 20 * SCALE + 2 * SCALE), label, fill=FAINT, font=ImageFont.load_default(12 * SCALE))


def main() -> None:
    """Describe the photos and draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=Path("assets/sample"))
    parser.add_argument("--out", type=Path, default=Path("assets/contact-sheet.jpg"))
    args = parser.parse_args()
    photos = [images.decode(file.read_bytes()) for file in sorted(args.photos.glob("*.jpg"))]
    captioner = Captioner()
    described = captioner.describe([captioner.prepare(photo) for photo in photos])
    rows = -(-len(photos) // COLUMNS)
    size = (COLUMNS * (CELL + GAP) + GAP, rows * (CELL + TEXT_HEIGHT) + GAP)
    sheet = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), BACKGROUND)
    for position, (photo, said) in enumerate(zip(photos, described, strict=True)):
        column, row = position % COLUMNS, position // COLUMNS
        draw_cell(sheet, ((GAP + column * (CELL + GAP)) * SCALE, (GAP + row * (CELL + TEXT_HEIGHT)) * SCALE), photo, said)
    sheet.save(args.out, quality=85, optimize=True)


if __name__ == "__main__":
    main()
