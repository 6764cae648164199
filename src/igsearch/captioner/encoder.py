"""EfficientNet-Lite in torch: a photo becomes a grid of annotation vectors and ImageNet logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from igsearch.captioner.efficientnet import HEAD_CHANNELS, N_IMAGENET_CLASSES, STEM_CHANNELS, Block, blocks, padding


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride=stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        (top, bottom), (left, right) = (padding(side, self.kernel_size[0], self.stride[0]) for side in x.shape[-2:])
        if (top, left) == (bottom, right):
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), 1, self.groups)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """One `Block`."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.expand = SameConv2d(block.in_channels, block.hidden, 1) if block.expansion > 1 else None
        self.depthwise = SameConv2d(block.hidden, block.hidden, block.kernel, stride=block.stride, groups=block.hidden)
        self.project = SameConv2d(block.hidden, block.out_channels, 1)
        self.residual = block.is_residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        hidden = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(hidden)))
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """The convolutional encoder: pixels to a feature map, and from it the 1000 ImageNet logits."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        layout = blocks(variant)
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, stride=2)
        self.stages = nn.ModuleList(nn.Sequential(*map(InvertedResidual, stage)) for stage in layout)
        self.head = SameConv2d(layout[-1][-1].out_channels, HEAD_CHANNELS, 1)
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
