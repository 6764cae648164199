"""ResNet (He et al. 2016, table 1, bottleneck blocks) as the sgrvinod tutorial cuts it: everything before the average pool; no classifier is left."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

BLOCKS = {
    "resnet14": (1, 1, 1, 1),
    "resnet26": (2, 2, 2, 2),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
"""Blocks per stage."""


class ResNetEncoder(nn.Module):
    """Pixels to a feature map. Batch normalisation is kept as it is, so that a converted network computes what it did where it was trained."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.resnet = nn.Sequential(*list(ResNet(Bottleneck, BLOCKS[variant]).children())[:-2])

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) normalised pixels to the feature map (N, 2048, S/32, S/32)."""
        feature_map: Tensor = self.resnet(pixels)
        return feature_map

    def classify(self, _: Tensor) -> None:
        """No ImageNet logits: the tutorial threw the classifier away."""
