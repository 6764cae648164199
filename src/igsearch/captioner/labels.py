"""ImageNet's class names, by index: two of them occur twice, so a name is no key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from igsearch.records import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_PROBABILITY = 0.05


@cache
def imagenet_names() -> tuple[str, ...]:
    """The 1000 names, in the order of the logits, as torchvision has them: a copy, because torchvision takes seconds to import."""
    return tuple((files("igsearch") / "captioner" / "imagenet.txt").read_text(encoding="utf-8").splitlines())


def top_labels(logits: NDArray[np.float32], *, at_most: int = 5, names: Sequence[str] | None = None) -> list[tuple[Label, ...]]:
    """Per row of logits (N, 1000) the likeliest labels, best first, those under 5 % left out; `names` are the classes', ImageNet's unless given."""
    names = names or imagenet_names()
    with np.errstate(invalid="ignore"):  # damaged weights can compute what is no number
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :at_most]
    return [tuple(Label(names[c], float(row[c])) for c in classes if row[c] >= MIN_PROBABILITY) for row, classes in zip(probabilities, best, strict=True)]
