"""How much memory decoding takes: of each kind of picture alone, against what its header is reckoned to take, and of four loaders with the worst set of them.

    python benchmarks/memory.py [--megapixels 6] [--json OUT]

Linux only: every measurement is a process of its own, whose peak is that of its resident memory (VmHWM) above what it had before.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from igsearch import images
from igsearch.loading import Loader, loader
from igsearch.records import Description, Photo

MB = 10**6


class Nothing:
    """A describer that looks at no pixel."""

    name = "nothing"

    def __init__(self, min_side: int | None) -> None:
        self.min_side = min_side

    def prepare(self, image: Image.Image) -> int:
        """Its width."""
        return image.width

    def describe(self, pixels: Sequence[int]) -> list[Description]:
        """Nothing for each."""
        return [Description("", None) for _ in pixels]


def picture(megapixels: float, *, has_alpha: bool) -> Image.Image:
    """Something between noise and a drawing, 4 by 3."""
    height = int(math.sqrt(megapixels * MB * 3 / 4))
    image = Image.effect_noise((480, 360), 90).convert("RGB").resize((height * 4 // 3, height), Image.Resampling.NEAREST)
    if has_alpha:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def heic(image: Image.Image, file: Path, **options: Any) -> None:  # noqa: ANN401 - the library's options
    """Write HEIC."""
    import pillow_heif

    pillow_heif.from_pillow(image).save(file, quality=30, **options)


def deep_avif_or_heic(image: Image.Image, file: Path, **_: Any) -> None:  # noqa: ANN401 - none are used
    """Write HEIC of 12 bits a channel."""
    import pillow_heif

    deep = (np.asarray(image).astype(np.uint16) * 257).tobytes()
    pillow_heif.encode(f"{image.mode};16", image.size, deep, str(file), quality=30)


def saved(kind: str, **options: Any) -> Callable[[Image.Image, Path], None]:  # noqa: ANN401 - the options of Pillow
    """Write with Pillow."""
    return lambda image, file: image.save(file, kind, **options)


KINDS: dict[str, tuple[bool, Callable[[Image.Image, Path], None]]] = {
    "JPEG": (False, saved("JPEG")),
    "JPEG, progressive": (False, saved("JPEG", progressive=True, subsampling=0)),
    "JPEG, progressive CMYK": (False, lambda image, file: image.convert("CMYK").save(file, "JPEG", progressive=True, subsampling=0)),
    "PNG": (False, saved("PNG", compress_level=1)),
    "PNG, RGBA": (True, saved("PNG", compress_level=1)),
    "PNG, 16-bit grey": (False, lambda image, file: Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(file, "PNG")),
    "GIF": (False, lambda image, file: image.convert("P").save(file, "GIF")),
    "BMP": (False, saved("BMP")),
    "TIFF, RGBA, one strip": (True, saved("TIFF", compression="tiff_lzw", strip_size=2**30)),
    "TIFF, floats": (False, lambda image, file: image.convert("F").save(file, "TIFF", compression="tiff_lzw")),
    "WebP": (False, saved("WEBP", method=0)),
    "WebP, RGBA, lossless": (True, saved("WEBP", method=0, lossless=True, quality=0)),
    "AVIF": (False, saved("AVIF", speed=10)),
    "AVIF, RGBA, 4:4:4": (True, saved("AVIF", speed=10, subsampling="4:4:4")),
    "HEIC": (False, heic),
    "HEIC, RGBA, 4:4:4": (True, lambda image, file: heic(image, file, chroma=444)),
    "HEIC, RGBA, deep": (True, deep_avif_or_heic),
}


def memory(line: str) -> int:
    """A line of this process's status, in bytes."""
    return next(int(found.split()[1]) * 1024 for found in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if found.startswith(line))


def peak_of(work: Callable[[], object]) -> int:
    """By how much the resident memory grows during `work`, at its peak."""
    images.decode(_small())
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory("VmRSS")
    work()
    return memory("VmHWM") - before


def _small() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "PNG")
    return out.getvalue()


def measure_one(file: Path, at_least: int | None) -> dict[str, float]:
    """Child: the peak of one picture and what was reckoned, in bytes a pixel of the stored picture; the file itself is left out."""
    data = file.read_bytes()
    undecoded = images.opened(data, at_least=at_least)
    n_pixels = math.prod(Image.open(file).size) if file.suffix != ".heic" else math.prod(images.decode(data).size)
    reckoned = undecoded.n_bytes - 2 * len(data)
    return {"measured": round(peak_of(undecoded.decoded) / n_pixels, 2), "reckoned": round(reckoned / n_pixels, 2)}


def measure_set(files: Sequence[Path], at_least: int | None) -> dict[str, float]:
    """Child: the peak of four loaders that go through the files, in MB."""
    load = loader(lambda photo: Path(photo.id).read_bytes(), Nothing(at_least))

    def work() -> None:
        with Loader(load) as loading:
            for file in files:
                loading.submit(Photo(id=str(file)))
            while loading.n_pending:
                for one in loading.done(timeout=None):
                    if not hasattr(one, "pixels"):
                        print(one, file=sys.stderr)

    return {"peak_mb": round(peak_of(work) / MB)}


def child(what: str, at_least: int | None, files: Sequence[Path]) -> dict[str, float]:
    """Run a measurement in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, f"--{what}", *map(str, files), "--at-least", str(at_least or 0)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def worst_set(folder: Path) -> list[Path]:
    """The largest legal pictures: two of 120 megapixels with transparency, two progressive ones, and what libraries copy, as large as is decoded."""
    files = []
    for name, kind, megapixels in (
        ("rgba", "PNG, RGBA", 119), ("progressive", "JPEG, progressive", 119), ("webp", "WebP", 54), ("heic", "HEIC", 48),
    ):  # fmt: skip
        has_alpha, save = KINDS[kind]
        first = folder / f"{name}.{'heic' if kind == 'HEIC' else 'bin'}"
        save(picture(megapixels, has_alpha=has_alpha), first)
        files.append(first)
    return files * 2


def ordinary_set(folder: Path) -> list[Path]:
    """What phones and editors write: twenty pictures of 12 and of 48 megapixels."""
    files = []
    for name, kind, megapixels in (("small", "JPEG", 12), ("large", "JPEG", 48), ("phone", "HEIC", 12), ("shot", "PNG", 12)):
        has_alpha, save = KINDS[kind]
        file = folder / f"{name}.{'heic' if kind == 'HEIC' else 'bin'}"
        save(picture(megapixels, has_alpha=has_alpha), file)
        files.append(file)
    return files * 5


def report(megapixels: float) -> dict[str, Any]:
    """All of it, with a line on stderr for each step, since the sets take minutes."""
    found: dict[str, Any] = {"bytes_a_pixel": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for kind, (has_alpha, save) in KINDS.items():
            file = folder / ("one.heic" if kind.startswith("HEIC") else "one.bin")
            save(picture(megapixels, has_alpha=has_alpha), file)
            found["bytes_a_pixel"][kind] = child("one", None, [file]) | {"at_512": child("one", 512, [file])}
            print(kind, found["bytes_a_pixel"][kind], file=sys.stderr)
        for title, files in (("worst", worst_set(folder)), ("ordinary", ordinary_set(folder))):
            for at_least in (512, None):
                name = f"{title}_set_{'whole' if at_least is None else at_least}"
                found[name] = child("set", at_least, files)
                print(name, found[name], file=sys.stderr)
    return found


def main() -> None:
    """Measure and print, or be a child that does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=6)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=Path, nargs=1, help=argparse.SUPPRESS)
    parser.add_argument("--set", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--at-least", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure_one(args.one[0], args.at_least or None)))
    elif args.set:
        print(json.dumps(measure_set(args.set, args.at_least or None)))
    else:
        written = json.dumps(report(args.megapixels), indent=2)
        print(written)
        if args.json:
            args.json.write_text(written + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
