"""One space for photos and sentences: heads on the feature map and on frozen sentence vectors, brought together by a symmetric InfoNCE loss.

Radford et al. 2021 (CLIP), section 2.3; the text encoder is frozen, so that its vectors are computed once (`training.sentences`) and a photo can be told apart
from many more sentences than the batch has.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SENTENCE_DIM = 512
SHARED_DIM = 512
GRID = 3


class ImageHead(nn.Module):
    """The feature map (N, C, H, W) as one unit vector (N, D): mean, attended mean and maximum of a coarse grid."""

    def __init__(self, channels: int, out: int = SHARED_DIM, *, hidden: int = 768, dropout: float = 0.3) -> None:
        super().__init__()
        self.look = nn.Conv2d(channels, 1, 1)
        self.norm = nn.LayerNorm(3 * channels)
        self.dropout = nn.Dropout(dropout)
        self.direct = nn.Linear(3 * channels, out)
        self.expand, self.project = nn.Linear(3 * channels, hidden), nn.Linear(hidden, out)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Unit vectors (N, D)."""
        coarse = (F.adaptive_avg_pool2d(feature_map, GRID) + F.adaptive_max_pool2d(feature_map, GRID)) / 2
        weights = self.look(feature_map).flatten(2).float().softmax(2).to(feature_map.dtype)
        attended = (feature_map.flatten(2) * weights).sum(2)
        pooled = torch.cat([feature_map.mean((2, 3)), attended, coarse.amax((2, 3))], 1)
        x = self.dropout(self.norm(pooled))
        return F.normalize((self.direct(x) + self.project(F.gelu(self.expand(x)))).float(), dim=1)


class TextHead(nn.Module):
    """Frozen sentence vectors (M, S) as unit vectors (M, D)."""

    def __init__(self, size: int = SENTENCE_DIM, out: int = SHARED_DIM, *, hidden: int = 768, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.direct = nn.Linear(size, out)
        self.expand, self.project = nn.Linear(size, hidden), nn.Linear(hidden, out)

    def forward(self, sentences: Tensor) -> Tensor:
        """Unit vectors (M, D)."""
        x = self.dropout(sentences)
        return F.normalize((self.direct(x) + self.project(F.gelu(self.expand(x)))).float(), dim=1)


class Heads(nn.Module):
    """Both heads and the learned temperature."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.image, self.text = ImageHead(channels), TextHead()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def loss(self, feature_map: Tensor, sentences: Tensor, same: Tensor) -> Tensor:
        """InfoNCE of N photos and M ≥ N sentence vectors, of which the first N are theirs.

        `same` (N, M) marks sentences that are true of a photo though they were written for another, which are no negatives.
        """
        images, texts = self.image(feature_map), self.text(sentences)
        return info_nce(images, texts, self.log_scale.clamp(max=math.log(100)).exp(), same)


def info_nce(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric cross-entropy over scaled cosines: each of N photos finds its sentence among M, each of the first N sentences its photo among N."""
    n = len(images)
    target = torch.arange(n, device=images.device)
    logits = (scale * images @ texts.T).masked_fill(same & (target.unsqueeze(1) != torch.arange(len(texts), device=images.device)), -1e4)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits[:, :n].T, target)) / 2
