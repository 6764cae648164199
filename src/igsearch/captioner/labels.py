"""ImageNet's class names, by index: two of them occur twice, so a name is no key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from torchvision.models import AlexNet_Weights

from igsearch.records import Label

if TYPE_CHECKING:
    from torch import Tensor

MIN_PROBABILITY = 0.05


@cache
def imagenet_names() -> tuple[str, ...]:
    """The 1000 names, in the order of the logits, from torchvision's metadata."""
    return tuple(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])


def top_labels(logits: Tensor, *, at_most: int = 5, names: Sequence[str] | None = None) -> list[tuple[Label, ...]]:
    """Per row of logits (N, 1000) the likeliest labels, best first, those under 5 % left out; `names` are the classes', ImageNet's unless given."""
    probabilities, classes = logits.float().softmax(dim=1).topk(at_most, dim=1)
    names = names or imagenet_names()
    return [
        tuple(Label(names[c], p) for p, c in zip(row_p, row_c, strict=True) if p >= MIN_PROBABILITY)
        for row_p, row_c in zip(probabilities.tolist(), classes.tolist(), strict=True)
    ]
