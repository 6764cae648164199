"""What runs a checkpoint's networks: ONNX Runtime on a CPU, torch on everything else and for every other kind of checkpoint."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from igsearch.captioner.efficientnet import VARIANTS
from igsearch.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from igsearch.captioner.config import CaptionerConfig
    from igsearch.captioner.decoding import Seen

ENGINES = ("auto", "torch", "onnx")

CUDA_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
"""Of NVIDIA and, on Linux and Windows, of whatever else calls itself CUDA."""


class Engine(Protocol):
    """A checkpoint's networks, ready to run on `device` in `precision`. `n_at_once` calls of `look` and of its speakers may run beside each other."""

    name: str
    device: str
    precision: str
    n_at_once: int

    def look(self, pixels: Sequence[NDArray[np.uint8]]) -> Seen:
        """Look at prepared pictures, each (S, S, 3)."""


def open_engine(
    folder: Path, config: CaptionerConfig, banned: Sequence[int], *, engine: str = "auto", device: str = "auto", precision: str | None = None
) -> Engine:
    """Load the networks of a checkpoint, whose decoder is to say no word of `banned`, into the engine that suits them and the device.

    Raises CheckpointError if the weights are damaged, DeviceError if the device is not there, UsageError if the engine cannot run them.
    """
    if choose_engine(engine, config, device) == "onnx":
        from igsearch.captioner.onnx_engine import OnnxEngine

        return OnnxEngine(folder, config, banned, precision=precision)
    from igsearch.captioner.torch_engine import TorchEngine

    return TorchEngine(folder, banned, device=device, precision=precision)


def choose_engine(engine: str, config: CaptionerConfig, device: str) -> str:
    """ONNX Runtime for a network of the packaged kind on a CPU, torch for everything else. Raises UsageError for a choice that does not work."""
    if engine not in ENGINES:
        raise UsageError(f"no engine is called {engine!r}: use one of {', '.join(ENGINES)}")
    fits = config.encoder in VARIANTS and config.grid is None
    if engine == "onnx" and not fits:
        raise UsageError(f"--engine onnx runs captioners of the packaged one's kind, which {config.name!r} is not: leave the option out")
    if engine == "onnx" and device not in ("auto", "cpu"):
        raise UsageError(f"--engine onnx runs on a CPU, not on {device!r}: leave one of the two options out")
    if engine != "auto":
        return engine
    return "onnx" if fits and (device == "cpu" or (device == "auto" and not accelerator_is_there())) else "torch"


def accelerator_is_there() -> bool:
    """Whether torch would run on something else than the CPU; torch, which takes seconds to import, is asked only where there is a driver to be found."""
    if not (has_cuda_driver() or (platform.system() == "Darwin" and platform.machine() == "arm64")):
        return False
    from igsearch.captioner.device import choose_device

    return choose_device("auto").type != "cpu"


def has_cuda_driver() -> bool:
    """Whether the library is installed through which torch would find a GPU."""
    for name in CUDA_DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
