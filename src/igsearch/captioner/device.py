"""Which processor runs the network, and in which precision."""

from __future__ import annotations

import torch

from igsearch.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "mps")
BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16")


def choose_device(asked: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Raises DeviceError for one that is unknown or absent."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(name for name, there in present.items() if there))
    if asked not in present:
        raise DeviceError(f"no device is called {asked!r}: use one of {', '.join(DEVICES)}")
    if not present[asked]:
        reason = "this build of torch has no CUDA" if asked == "cuda" and torch.version.cuda is None else "none is present"
        raise DeviceError(f"cannot use --device {asked}: {reason}; leave the option out to use what is there")
    return torch.device(asked)


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it, float32 elsewhere."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(name, False) for name in BFLOAT16_INSTRUCTIONS)
    else:
        native = False
    return torch.bfloat16 if native else torch.float32
