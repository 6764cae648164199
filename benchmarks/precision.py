"""How many captions stay the same when the network computes in bfloat16 instead of float32.

python benchmarks/precision.py FOLDER [--limit 200] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from igsearch import images
from igsearch.captioner.captioner import Captioner
from igsearch.records import Photo
from igsearch.sources.folder import Folder

BATCH = 32


def captions(precision: str, files: list[Path]) -> list[str]:
    """The best caption of each picture."""
    captioner = Captioner(device="cpu", engine="torch", precision=precision)
    said = []
    for first in range(0, len(files), BATCH):
        pixels = [captioner.prepare(images.decode(path.read_bytes())) for path in files[first : first + BATCH]]
        said += [description.caption for description in captioner.describe(pixels)]
    return said


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = [photo.path for photo in Folder(args.folder).photos() if isinstance(photo, Photo) and photo.path][: args.limit]
    half, full = captions("bfloat16", files), captions("float32", files)
    same = sum(one == other for one, other in zip(half, full, strict=True))
    report = {"photos": len(files), "same_captions_percent": round(100 * same / len(files), 1)}
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
