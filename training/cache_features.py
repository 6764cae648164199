"""Run the frozen lower half of the encoder once over every photo, plain and augmented, and keep what it gives.

    python -m training.cache_features --data DIR --out DIR [--views 6]

Writes, per set and split, `<name>.npy`: (n_photos, n_views, 17, 17, 120) bfloat16 bit patterns as uint16. View 0 is the photo as inference sees it, view 1 its
mirror image (or the photo again when a caption says left or right), the others are random crops with colour jitter. Training then starts at stage 6.
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
from training.sets import SETS, load_set

if TYPE_CHECKING:
    from igsearch.captioner.encoder import EfficientNetLite
    from training.data import Example

SIZE = 260
MEAN, STD = 0.498, 0.502


def augmented(image: Image.Image, view: int, example: Example, rng: random.Random) -> Image.Image:
    """The `view`-th picture of a photo, `SIZE` × `SIZE` pixels (aspect squashed, as at inference)."""
    if view > 1:
        side = rng.uniform(0.75, 1.0)
        width, height = image.width * side * rng.uniform(0.95, 1.0), image.height * side * rng.uniform(0.95, 1.0)
        left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
        image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(rng.uniform(0.75, 1.25))
    else:
        image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    mirrored = view == 1 or (view > 1 and rng.random() < 0.5)
    return ImageOps.mirror(image) if mirrored and example.may_be_mirrored else image


class Views(Dataset[torch.Tensor]):
    """All views of a photo as one uint8 tensor (n_views, SIZE, SIZE, 3)."""

    def __init__(self, examples: list[Example], n_views: int, seed: int) -> None:
        self.examples, self.n_views, self.seed = examples, n_views, seed

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, position: int) -> torch.Tensor:
        example, rng = self.examples[position], random.Random(self.seed * 1_000_003 + position)
        with Image.open(example.path) as file:
            image = file.convert("RGB")
        views = [np.asarray(augmented(image, view, example, rng)) for view in range(self.n_views)]
        return torch.from_numpy(np.stack(views))


def cache_set(network: EfficientNetLite, examples: list[Example], target: Path, *, n_views: int, seed: int) -> None:
    """Write the features of one set, whole or not at all."""
    partial = target.with_suffix(".partial.npy")
    cache = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint16, shape=(len(examples), n_views, 17, 17, 120))
    started, done = time.monotonic(), 0
    with torch.inference_mode():
        for views in DataLoader(Views(examples, n_views, seed), batch_size=8, num_workers=2):
            for view in range(n_views):
                pixels = ((views[:, view].permute(0, 3, 1, 2) / 255 - MEAN) / STD).bfloat16().contiguous(memory_format=torch.channels_last)
                grid = network.lower(pixels).permute(0, 2, 3, 1).contiguous()
                cache[done : done + len(grid), view] = grid.view(torch.uint16).numpy()
            done += len(views)
            if done % 800 < 8:
                print(f"{target.stem}: {done}/{len(examples)} photos, {done * n_views / (time.monotonic() - started):.0f} views/s", flush=True)
    cache.flush()
    partial.rename(target)


def main() -> None:
    """Write the features of the sets that have none yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    network = pretrained_lite2().bfloat16().to(memory_format=torch.channels_last)
    for name in SETS:
        target = args.out / f"{name}.npy"
        if not target.exists():
            cache_set(network, load_set(args.data, name), target, n_views=1 if name.endswith("-val") else args.views, seed=args.seed)


if __name__ == "__main__":
    main()
