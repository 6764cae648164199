"""Photos per second of a whole indexing run in both engines, against the fastest encoder there is, on the same photos in the same run.

    python benchmarks/throughput.py FOLDER [--batch-size 16] [--rounds 3] [--json OUT]

Indexing reads, decodes, makes thumbnails, describes by beam search, commits and fits; an encoder alone gets its pictures ready-made. Everything alternates.
`busy` is the share of the indexing time in which the captioner was at work. Encoders: torch, as it comes and as on a processor without AVX-512 and bfloat16
(told so by ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA, in a process of its own, float32; ONNX Runtime cannot be told), a photo or eight at a time, whichever is
faster; ONNX Runtime with every core on one photo, and with a photo on every core. Peak memory is that of a process which indexes the folder once, then three
times over (Linux only).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnx import TensorProto

from igsearch import images
from igsearch.captioner import checkpoint, graphs, onnx_engine
from igsearch.captioner.captioner import Captioner, evenly
from igsearch.fetch import Fetcher
from igsearch.indexing import index_profile
from igsearch.records import Photo
from igsearch.sources.folder import Folder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from igsearch.records import Description

    Pixels = list[NDArray[np.uint8]]

ENGINES = {"onnx": ("onnx", None), "onnx, float32": ("onnx", "float32"), "torch": ("torch", None)}
"""Whose indexing is measured: engine, and precision if not its own choice."""

WITHOUT_AVX512 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


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

    kind, name, newest_first, n_expected, left_out = "folder", "folder, repeated", False, None, dict[str, int]()

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times, self.root = folder, times, str(folder)

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo]:  # noqa: ARG002 - all are met
        """Each photo `times` times."""
        for n in range(self.times):
            for photo in Folder(self.folder).photos():
                if isinstance(photo, Photo):
                    yield replace(photo, id=f"{n}/{photo.id}")


def photo_files(folder: Path) -> list[Path]:
    """The pictures of a folder."""
    return [photo.path for photo in Folder(folder).photos() if isinstance(photo, Photo) and photo.path]


def prepared(folder: Path, at_most: int = 256) -> Pixels:
    """The first pictures of a folder as the packaged captioner takes them."""
    captioner = Captioner()
    return [captioner.prepare(images.decode(file.read_bytes())) for file in photo_files(folder)[:at_most]]


def rate(n: int, work: Callable[[], object]) -> float:
    """How many of `n` a second."""
    started = time.perf_counter()
    work()
    return n / (time.perf_counter() - started)


def torch_encoder(pixels: Pixels, precision: str | None) -> Callable[[], float]:
    """Photos per second of torch's encoder, on tensors that lie ready."""
    import torch

    from igsearch.captioner.torch_engine import TorchEngine

    engine = TorchEngine(checkpoint.packaged(), device="cpu", precision=precision)
    ready = {chunk: [engine.normalised(pixels[first : first + chunk]) for first in range(0, len(pixels), chunk)] for chunk in (1, 8)}

    def run(tensors: list[torch.Tensor]) -> None:
        with torch.inference_mode():
            for tensor in tensors:
                engine.encoder(tensor)

    return lambda: max(rate(len(pixels), lambda tensors=tensors: run(tensors)) for tensors in ready.values())  # type: ignore[misc]  # bound at once


def onnx_encoder(pixels: Pixels, *, one_at_a_time: bool) -> Callable[[], float]:
    """Photos per second of ONNX Runtime's encoder: every core on one photo, or a photo on every core."""
    config, _, _ = checkpoint.read(checkpoint.packaged())
    graph, size = graphs.Graph(), config.preprocessing.size
    weights = {name: weight.astype(np.float32) for name, weight in onnx_engine.sound_weights(checkpoint.packaged(), config).items()}
    feature_map = graphs.feature_maps(graph, config, graphs.part(weights, "encoder"))
    model = graph.model({"pixels": (TensorProto.UINT8, ["N", size, size, 3])}, {"feature_map": feature_map})
    n_threads = onnx_engine.n_processors()
    session = onnx_engine.session(model, n_threads=n_threads if one_at_a_time else 1)

    def run(group: Pixels) -> None:
        for one in group:
            session.run(None, {"pixels": one[None]})

    def all_of_them() -> None:
        with ThreadPoolExecutor(n_threads) as threads:
            list(threads.map(run, evenly(pixels, 1 if one_at_a_time else n_threads)))

    return lambda: rate(len(pixels), all_of_them)


def index_rate(captioner: Captioner, folder: Path, times: int, batch_size: int) -> tuple[float, float]:
    """Photos per second of an indexing run into an empty cache, and the share of its time in which the captioner was at work."""
    timed = Timed(captioner)
    with tempfile.TemporaryDirectory() as cache, Fetcher() as fetcher:
        report = index_profile(Path(cache), "benchmark", Repeated(folder, times), timed, fetcher.fetch, batch_size=batch_size)
    return report.n_described / report.seconds, timed.busy / report.seconds


def peaks(captioner: Captioner, folder: Path, batch_size: int) -> list[int]:
    """Peak resident memory of this process in MB, after indexing a folder once and after indexing it three times over."""
    found = []
    for times in (1, 3):
        index_rate(captioner, folder, times, batch_size)
        status = Path("/proc/self/status").read_text(encoding="ascii")  # getrusage would tell the parent's peak, if that is higher
        found.append(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
    return found


def in_another_process(*arguments: str, **environment: str) -> object:
    """What this script prints with other arguments, as JSON."""
    done = subprocess.run([sys.executable, __file__, *arguments], env=os.environ | environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(folder: Path, batch_size: int, rounds: int) -> dict[str, object]:
    """Everything, in turns: what the machine does beside it hits all alike."""
    pixels = prepared(folder)
    encoders = {
        "torch": torch_encoder(pixels, None),
        "torch, float32": torch_encoder(pixels, "float32"),
        "torch, float32, no AVX-512": lambda: float(str(in_another_process(str(folder), "--only", "encoder", **WITHOUT_AVX512))),
        "onnx, one photo on all cores": onnx_encoder(pixels, one_at_a_time=True),
        "onnx, a photo on every core": onnx_encoder(pixels, one_at_a_time=False),
    }
    captioners = {name: Captioner(device="cpu", engine=engine, precision=precision) for name, (engine, precision) in ENGINES.items()}
    for captioner in captioners.values():
        captioner.describe(pixels[:batch_size])
    alone: dict[str, list[float]] = {name: [] for name in encoders}
    indexing: dict[str, list[tuple[float, float]]] = {name: [] for name in captioners}
    for _ in range(rounds):
        for name, encoder in encoders.items():
            alone[name].append(encoder())
        for name, captioner in captioners.items():
            indexing[name].append(index_rate(captioner, folder, 1, batch_size))
    encoded = {name: statistics.median(rates) for name, rates in alone.items()}
    indexed = {name: statistics.median(rate for rate, _ in rates) for name, rates in indexing.items()}
    fastest = max(encoded.values())
    return {
        "encoder_alone_photos_per_second": {name: round(value, 1) for name, value in encoded.items()},
        "fastest_encoder_to_torch_without_avx512": round(fastest / encoded["torch, float32, no AVX-512"], 2),
        "fastest_encoder_to_torch_float32": round(fastest / encoded["torch, float32"], 2),
        "indexing_photos_per_second": {name: round(value, 1) for name, value in indexed.items()},
        "indexing_to_fastest_encoder": {name: round(value / fastest, 3) for name, value in indexed.items()},
        "busy": {name: round(statistics.median(share for _, share in rates), 3) for name, rates in indexing.items()},
        "peak_memory_mb_once_and_three_times": {name: in_another_process(str(folder), "--only", name, "--batch-size", str(batch_size)) for name in ENGINES},
    }


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=["encoder", *ENGINES], help="torch's float32 encoder alone, or the memory that an engine needs")
    args = parser.parse_args()
    if args.only == "encoder":
        print(torch_encoder(prepared(args.folder), "float32")())
    elif args.only:
        engine, precision = ENGINES[args.only]
        print(json.dumps(peaks(Captioner(device="cpu", engine=engine, precision=precision), args.folder, args.batch_size)))
    else:
        versions = f"Python {sys.version.split()[0]}, onnxruntime {onnxruntime.__version__}"
        machine = {"machine": f"{os.cpu_count()} cores, {versions}", "photos": len(photo_files(args.folder)), "batch_size": args.batch_size}
        report = machine | measure(args.folder, args.batch_size, args.rounds)
        print(json.dumps(report, indent=2))
        if args.json:
            args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
