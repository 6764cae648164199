"""EfficientNet-Lite: a photo becomes a grid of annotation vectors and ImageNet logits.

Architecture: Tan & Le 2019, "EfficientNet", table 1, in the "Lite" form of the TensorFlow release (no squeeze-and-excitation, ReLU6, stem and head
not scaled). Batch normalisation is folded into the convolutions when a checkpoint is made: it would be constant here, and the network is faster without it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

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
STEM_CHANNELS = 32


class Variant(NamedTuple):
    """How much wider and deeper than Lite0 a member of the family is."""

    width: float
    depth: float


VARIANTS = {"efficientnet_lite0": Variant(1.0, 1.0), "efficientnet_lite1": Variant(1.0, 1.1), "efficientnet_lite2": Variant(1.1, 1.2)}


def scaled_channels(channels: int, width: float, divisor: int = 8) -> int:
    """Channels times `width`, rounded to a multiple of `divisor` but never down by more than a tenth."""
    target = channels * width
    rounded = max(divisor, int(target + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * target else rounded


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: output side = ceil(input side / stride), the odd pixel at the far end."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride=stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = x.shape[-2:]
        pad_y = max((math.ceil(height / stride) - 1) * stride + kernel - height, 0)
        pad_x = max((math.ceil(width / stride) - 1) * stride + kernel - width, 0)
        if pad_y % 2 == 0 and pad_x % 2 == 0:
            return F.conv2d(x, self.weight, self.bias, self.stride, (pad_y // 2, pad_x // 2), 1, self.groups)
        padded = F.pad(x, (pad_x // 2, pad_x - pad_x // 2, pad_y // 2, pad_y - pad_y // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; the input is added back where the shape allows (Sandler et al. 2018)."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = SameConv2d(in_channels, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.project = SameConv2d(hidden, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        hidden = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(hidden)))
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """The convolutional encoder: pixels to a feature map, and from it the 1000 ImageNet logits."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        width, depth = VARIANTS[variant]
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, stride=2)
        stages, channels = [], STEM_CHANNELS
        for position, stage in enumerate(STAGES):
            scaled_depth = stage.n_blocks if position in (0, len(STAGES) - 1) else math.ceil(stage.n_blocks * depth)
            blocks = []
            for block in range(scaled_depth):
                out = scaled_channels(stage.channels, width)
                stride = stage.stride if block == 0 else 1
                blocks.append(InvertedResidual(channels, out, kernel=stage.kernel, stride=stride, expansion=stage.expansion))
                channels = out
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.head = SameConv2d(channels, HEAD_CHANNELS, 1)
        self.classifier = nn.Linear(HEAD_CHANNELS, N_IMAGENET_CLASSES)

    def lower(self, pixels: Tensor) -> Tensor:
        """The stem and stages 1 to 5: (N, 3, S, S) normalised pixels to (N, C5, S/16, S/16)."""
        x = F.relu6(self.stem(pixels))
        for stage in list(self.stages)[:5]:
            x = stage(x)
        return x

    def upper(self, x: Tensor) -> Tensor:
        """Stages 6, 7 and the head: (N, C5, S/16, S/16) to (N, 1280, S/32, S/32), non-negative."""
        for stage in list(self.stages)[5:]:
            x = stage(x)
        return F.relu6(self.head(x))

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) normalised pixels to the feature map (N, 1280, S/32, S/32)."""
        return self.upper(self.lower(pixels))

    def classify(self, feature_map: Tensor) -> Tensor:
        """The feature map (N, 1280, H, W) to ImageNet logits (N, 1000)."""
        logits: Tensor = self.classifier(feature_map.mean(dim=(2, 3)))
        return logits
