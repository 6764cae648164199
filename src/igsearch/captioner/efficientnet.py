"""EfficientNet-Lite as a table: what every layer is, whichever library computes it.

Architecture: Tan & Le 2019, "EfficientNet", table 1, in the "Lite" form of the TensorFlow release (no squeeze-and-excitation, ReLU6, stem and head
not scaled). Batch normalisation is folded into the convolutions when a checkpoint is made: it would be constant here, and the network is faster without it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
N_IMAGENET_CLASSES = 1000


class Stage(NamedTuple):
    """One row of EfficientNet's table 1, before width and depth are scaled."""

    n_blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Variant(NamedTuple):
    """How much wider and deeper than Lite0 a member of the family is."""

    width: float
    depth: float


VARIANTS = {"efficientnet_lite0": Variant(1.0, 1.0), "efficientnet_lite1": Variant(1.0, 1.1), "efficientnet_lite2": Variant(1.1, 1.2)}


class Block(NamedTuple):
    """An inverted residual: expand, filter each channel, project; the input is added back where the shape allows (Sandler et al. 2018)."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    expansion: int

    @property
    def hidden(self) -> int:
        """Channels between expansion and projection."""
        return self.in_channels * self.expansion

    @property
    def is_residual(self) -> bool:
        """Whether the input is added back."""
        return self.stride == 1 and self.in_channels == self.out_channels


def scaled_channels(channels: int, width: float, divisor: int = 8) -> int:
    """Channels times `width`, rounded to a multiple of `divisor` but never down by more than a tenth."""
    target = channels * width
    rounded = max(divisor, int(target + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * target else rounded


def blocks(variant: str) -> list[list[Block]]:
    """The blocks of every stage. The first and the last stage are as deep in every variant."""
    width, depth = VARIANTS[variant]
    stages, channels = [], STEM_CHANNELS
    for position, stage in enumerate(STAGES):
        n_blocks = stage.n_blocks if position in (0, len(STAGES) - 1) else math.ceil(stage.n_blocks * depth)
        out = scaled_channels(stage.channels, width)
        first = Block(channels, out, stage.kernel, stage.stride, stage.expansion)
        stages.append([first, *[first._replace(in_channels=out, stride=1)] * (n_blocks - 1)])
        channels = out
    return stages


def padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding before and after `side` pixels: ceil(side / stride) come out, the odd pixel is at the far end."""
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2
