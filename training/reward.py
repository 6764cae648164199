"""CIDEr-D as a reward: document frequencies and reference vectors are computed once, so that scoring a sampled sentence costs microseconds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Sentence = Sequence[str]
SIGMA = 6.0
ORDERS = range(1, 5)


class Vector(NamedTuple):
    """A sentence's TF-IDF weights per n-gram, one mapping and norm for each n of 1 to 4, and its length."""

    weights: tuple[dict[tuple[str, ...], float], ...]
    norms: tuple[float, ...]
    length: int


def n_grams(sentence: Sentence, order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` words occurs."""
    return Counter(tuple(sentence[start : start + order]) for start in range(len(sentence) - order + 1))


class CiderReward:
    """CIDEr-D (Vedantam et al. 2015, with the clipping and length penalty of section 5) against a fixed corpus; 10 is a perfect match."""

    def __init__(self, references: Sequence[Sequence[Sentence]]) -> None:
        frequency: Counter[tuple[str, ...]] = Counter()
        for group in references:
            frequency.update({gram for sentence in group for order in ORDERS for gram in n_grams(sentence, order)})
        self._idf = {gram: math.log(len(references)) - math.log(count) for gram, count in frequency.items()}
        self._unseen = math.log(len(references))
        self._references = [[self._vector(sentence) for sentence in group] for group in references]

    def __call__(self, photo: int, sentence: Sentence) -> float:
        """The score of one sentence for the photo with that position in the corpus."""
        said = self._vector(sentence)
        group = self._references[photo]
        return 10 * sum(similarity(said, reference) for reference in group) / len(group)

    def _vector(self, sentence: Sentence) -> Vector:
        weights = tuple({gram: count * self._idf.get(gram, self._unseen) for gram, count in n_grams(sentence, n).items()} for n in ORDERS)
        norms = tuple(math.sqrt(sum(weight * weight for weight in one.values())) for one in weights)
        return Vector(weights, norms, max(0, len(sentence) - 1))


def similarity(said: Vector, reference: Vector) -> float:
    """Mean over n of the clipped cosine, less for a difference in length."""
    total = 0.0
    for ours, theirs, our_norm, their_norm in zip(said.weights, reference.weights, said.norms, reference.norms, strict=True):
        if our_norm and their_norm:
            total += sum(min(weight, theirs[gram]) * theirs[gram] for gram, weight in ours.items() if gram in theirs) / (our_norm * their_norm)
    gap = said.length - reference.length
    return total / len(ORDERS) * math.exp(-gap * gap / (2 * SIGMA * SIGMA))
