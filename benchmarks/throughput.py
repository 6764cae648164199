"""Photos per second of a whole indexing run, against the bare encoder's forward pass on the same photos in the same process.

    python benchmarks/throughput.py FOLDER [--beam-size 5] [--batch-size 16] [--device auto] [--rounds 3] [--json OUT]

Indexing reads, decodes, makes thumbnails, describes by beam search, commits and fits; the bare encoder gets its tensors ready-made. The two alternate. `busy`
is the share of the indexing time in which the networks (encoder or decoder) ran. Peak memory is the process's, of a run over the folder once and three times.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from igsearch import images
from igsearch.captioner.captioner import ENCODER_CHUNK, Captioner
from igsearch.fetch import Fetcher
from igsearch.indexing import index_profile
from igsearch.sources.folder import Folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from igsearch.records import Description, Photo


class Timed:
    """A captioner that notes how long it was at work."""

    def __init__(self, captioner: Captioner) -> None:
        self.captioner, self.name, self.min_side, self.busy = captioner, captioner.name, captioner.min_side, 0.0

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """As the captioner does."""
        return self.captioner.prepare(image)

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """As the captioner does, against the clock."""
        started = time.perf_counter()
        described = self.captioner.describe(pixels)
        self.busy += time.perf_counter() - started
        return described


class Repeated:
    """A folder's photos, several times over under different ids."""

    name, newest_first, n_expected, n_failed_posts = "folder, repeated", False, None, 0

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times = folder, times

    def photos(self) -> Iterator[Photo]:
        """Each photo `times` times."""
        for n in range(self.times):
            for photo in Folder(self.folder).photos():
                yield replace(photo, id=f"{n}/{photo.id}")


def encoder_rate(captioner: Captioner, pixels: list[NDArray[np.uint8]]) -> float:
    """Photos per second of the encoder alone, on tensors that lie ready."""
    chunk = ENCODER_CHUNK[captioner.device.type]
    tensors = [captioner.normalised(pixels[first : first + chunk]) for first in range(0, len(pixels), chunk)]
    started = time.perf_counter()
    with torch.inference_mode():
        for tensor in tensors:
            captioner.encoder(tensor)
    if captioner.device.type == "cuda":
        torch.cuda.synchronize()
    return len(pixels) / (time.perf_counter() - started)


def index_rate(timed: Timed, folder: Path, times: int, batch_size: int) -> tuple[float, float]:
    """Photos per second of an indexing run into an empty cache, and the share of its time in which the networks ran."""
    timed.busy = 0.0
    with tempfile.TemporaryDirectory() as cache, Fetcher() as fetcher:
        report = index_profile(Path(cache), "benchmark", Repeated(folder, times), timed, fetcher.fetch, batch_size=batch_size)
    return report.n_described / report.seconds, timed.busy / report.seconds


def peak_memory() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--beam-size", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    captioner = Captioner(device=args.device, beam_size=args.beam_size)
    timed = Timed(captioner)
    files = [photo.path for photo in Folder(args.folder).photos() if photo.path]
    sample = [captioner.prepare(images.decode(path.read_bytes())) for path in files[:256]]
    captioner.describe(sample[: args.batch_size])
    encoder, indexing, busy = [], [], []
    for _ in range(args.rounds):
        encoder.append(encoder_rate(captioner, sample))
        rate, share = index_rate(timed, args.folder, 1, args.batch_size)
        indexing.append(rate)
        busy.append(share)
    once = peak_memory()
    index_rate(timed, args.folder, 3, args.batch_size)
    report = {
        "machine": f"{os.cpu_count()} cores, {captioner.device}, Python {sys.version.split()[0]}, torch {torch.__version__}",
        "precision": str(captioner.precision).removeprefix("torch."),
        "photos": len(files),
        "beam_size": args.beam_size,
        "batch_size": args.batch_size,
        "encoder_photos_per_second": round(statistics.median(encoder), 1),
        "indexing_photos_per_second": round(statistics.median(indexing), 1),
        "indexing_to_encoder": round(statistics.median(indexing) / statistics.median(encoder), 3),
        "networks_busy": round(statistics.median(busy), 3),
        "peak_memory_mb": round(once),
        "peak_memory_mb_three_times_the_photos": round(peak_memory()),
    }
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
