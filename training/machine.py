"""Where a training computes, and in what precision: chosen on the command line, else the best that the machine has."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from igsearch.captioner.device import choose_device, choose_precision

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """`--device` and `--precision`."""
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps; auto is the fastest there is")
    parser.add_argument("--precision", choices=["auto", *PRECISIONS], default="auto", help="auto is bfloat16 where the hardware computes in it")


@dataclass(frozen=True, slots=True)
class Machine:
    """A device and the precision of what is frozen on it; what learns keeps float32 weights and computes under `autocast`."""

    device: torch.device
    precision: torch.dtype

    @classmethod
    def of(cls, args: argparse.Namespace) -> Machine:
        """What `--device` and `--precision` say."""
        device = choose_device(args.device)
        return cls(device, PRECISIONS.get(args.precision) or choose_precision(device))

    def autocast(self) -> AbstractContextManager[object]:
        """Matrix products in the machine's precision."""
        return torch.autocast(self.device.type, dtype=self.precision, enabled=self.precision is not torch.float32)
