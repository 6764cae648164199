"""Several processes that train as one: on a CPU two of one thread each keep two cores busier than one of two threads; on GPUs, one process each.

    torchrun --nproc-per-node 2 -m training.train …

Each process draws batches of its own and they take every step together, with the mean of their gradients. Started without `torchrun` there is one process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of how many this one is, from 0; the first one reports and saves."""

    rank: int = 0
    n: int = 1

    @classmethod
    def join(cls) -> Processes:
        """The group that `torchrun` began, or this process alone."""
        if "WORLD_SIZE" not in os.environ:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this one reports and saves."""
        return self.rank == 0

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give every process the mean of all processes' gradients; one that has none of a parameter counts as zero."""
        if self.n == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients]).cpu()
        dist.all_reduce(flat)
        parts = torch.split(flat / self.n, [gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)])

    def gather(self, mine: Mapping[str, T]) -> dict[str, T]:
        """What each process found, in one mapping, on all of them."""
        if self.n == 1:
            return dict(mine)
        everyone: list[dict[str, T]] = [{} for _ in range(self.n)]
        dist.all_gather_object(everyone, dict(mine))
        return {name: value for each in everyone for name, value in each.items()}
