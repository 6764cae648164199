"""Run the frozen lower half of the encoder once over every photo, plain and augmented, and keep what it gives.

    python -m training.cache_features --data DIR --out DIR [--sets coco-train …] [--views 2] [--device auto]

Writes, per set and view, `<name>.<view>.npy`: (n_photos, 17, 17, 120) bfloat16 bit patterns as uint16, 69 kB a photo. View 0 is the photo as inference sees it,
the others are random crops with colour jitter, half of them mirrored (unless a caption says left or right). Training then starts at stage 6. A run that was
stopped goes on where it stopped; several may run beside each other on different sets.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch.utils.data import DataLoader, Dataset

from training.backbone import pretrained_lite2
from training.machine import Machine, add_machine_options
from training.sets import SETS, TRAIN, load_set

if TYPE_CHECKING:
    from igsearch.captioner.encoder import EfficientNetLite
    from training.data import Example

SIZE = 260
MEAN, STD = 0.498, 0.502
CHUNK = {"cpu": 4, "cuda": 256, "mps": 32}
"""Photos per forward pass: on a CPU more than a few fall out of its cache."""


def augmented(image: Image.Image, view: int, example: Example, rng: random.Random) -> Image.Image:
    """The `view`-th picture of a photo, `SIZE` × `SIZE` pixels (aspect squashed, as at inference)."""
    if view == 0:
        return image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    side = rng.uniform(0.75, 1.0)
    width, height = image.width * side * rng.uniform(0.95, 1.0), image.height * side * rng.uniform(0.95, 1.0)
    left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(0.75, 1.25))
    return ImageOps.mirror(image) if rng.random() < 0.5 and example.may_be_mirrored else image


class View(Dataset[torch.Tensor]):
    """One view of every photo from the `first` on, as uint8 tensors (SIZE, SIZE, 3)."""

    def __init__(self, examples: list[Example], view: int, *, first: int = 0, seed: int = 0) -> None:
        self.examples, self.view, self.first, self.seed = examples, view, first, seed

    def __len__(self) -> int:
        return len(self.examples) - self.first

    def __getitem__(self, position: int) -> torch.Tensor:
        number = self.first + position
        example, rng = self.examples[number], random.Random(f"{self.seed} {self.view} {number}")
        with Image.open(example.path) as file:
            image = file.convert("RGB")
        return torch.from_numpy(np.array(augmented(image, self.view, example, rng)))


def normalised(pixels: torch.Tensor, machine: Machine) -> torch.Tensor:
    """Pixels (N, SIZE, SIZE, 3) of 0…255 as the encoder takes them: (N, 3, SIZE, SIZE), channels last in memory."""
    return ((pixels.to(machine.device).permute(0, 3, 1, 2) / 255 - MEAN) / STD).to(machine.precision)


class Resumable:
    """The file of one view of one set while it is being written, with a count beside it of the photos that are done."""

    def __init__(self, target: Path, n_photos: int) -> None:
        self.target, self.partial, self.count = target, target.with_suffix(".partial.npy"), target.with_suffix(".done")
        self.done = int(self.count.read_text(encoding="ascii")) if self.count.exists() and self.partial.exists() else 0
        self.features = np.lib.format.open_memmap(self.partial, mode="r+" if self.done else "w+", dtype=np.uint16, shape=(n_photos, 17, 17, 120))

    def add(self, grid: torch.Tensor) -> None:
        """Features (N, 17, 17, 120) of the next photos."""
        self.features[self.done : self.done + len(grid)] = grid.bfloat16().contiguous().view(torch.uint16).cpu().numpy()
        self.done += len(grid)

    def note(self) -> None:
        """What is done stays done, should the run be stopped."""
        self.features.flush()
        self.count.write_text(str(self.done), encoding="ascii")

    def finish(self) -> None:
        """All photos are in: the file gets its name."""
        self.features.flush()
        self.partial.rename(self.target)
        self.count.unlink(missing_ok=True)


@torch.inference_mode()
def cache_view(network: EfficientNetLite, machine: Machine, examples: list[Example], target: Path, *, view: int, seed: int, workers: int) -> None:
    """Write one view of one set, from where an earlier run stopped."""
    file, started = Resumable(target, len(examples)), time.monotonic()
    before = file.done
    photos = View(examples, view, first=file.done, seed=seed)
    for count, pixels in enumerate(DataLoader(photos, batch_size=CHUNK[machine.device.type], num_workers=workers), start=1):
        file.add(network.lower(normalised(pixels, machine)).permute(0, 2, 3, 1))
        if count % 250 == 0:
            file.note()
            print(f"{target.stem}: {file.done}/{len(examples)} photos, {(file.done - before) / (time.monotonic() - started):.0f} a second", flush=True)
    file.finish()


def main() -> None:
    """Write the features of the views that have none yet: one view of the validation sets, as many as asked for of the others."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that decode photos")
    parser.add_argument("--seed", type=int, default=0)
    add_machine_options(parser)
    args = parser.parse_args()
    machine = Machine.of(args)
    args.out.mkdir(parents=True, exist_ok=True)
    network = pretrained_lite2().to(device=machine.device, dtype=machine.precision).to(memory_format=torch.channels_last)
    for view, name in [(view, name) for view in range(args.views) for name in args.sets if view == 0 or name in TRAIN]:
        target = args.out / f"{name}.{view}.npy"
        if not target.exists():
            cache_view(network, machine, load_set(args.data, name), target, view=view, seed=args.seed, workers=args.workers)


if __name__ == "__main__":
    main()
