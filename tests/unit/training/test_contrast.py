"""The contrastive loss and the figures that judge it, against plain loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from training.contrast import SENTENCE_DIM, SHARED_DIM, Heads, info_nce
from training.recall import r_precision, recalls


def unit(seed: int, n: int) -> torch.Tensor:
    """Unit vectors (n, 5)."""
    return F.normalize(torch.randn(n, 5, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.mark.parametrize("seed", range(3))
def test_info_nce_is_the_mean_of_both_ways(seed: int) -> None:
    """Each photo among all sentences that are not also true of it, each photo's sentence among all photos it is not true of, cosines times the scale."""
    images, texts, same = unit(seed, 3), unit(seed + 100, 5), torch.zeros(3, 5, dtype=torch.bool)
    same[0, 0] = same[1, 4] = same[2, 1] = True

    def chance(own: tuple[int, int], others: list[tuple[int, int]]) -> float:
        weights = {(i, t): math.exp(7 * float(images[i] @ texts[t])) for i, t in others if (i, t) == own or not same[i, t]}
        return weights[own] / sum(weights.values())

    to_text = [-math.log(chance((i, i), [(i, t) for t in range(5)])) for i in range(3)]
    to_image = [-math.log(chance((t, t), [(i, t) for i in range(3)])) for t in range(3)]
    assert float(info_nce(images, texts, torch.tensor(7.0), same)) == pytest.approx((sum(to_text) + sum(to_image)) / 6, rel=1e-5)


def test_heads_bring_both_sides_into_one_space() -> None:
    """A feature map and a sentence vector become unit vectors of one size; the loss teaches both heads."""
    heads = Heads(8)
    maps, sentences = torch.rand(4, 8, 9, 9), torch.randn(6, SENTENCE_DIM)
    images, texts = heads.image(maps), heads.text(sentences)
    assert (images.shape, texts.shape) == ((4, SHARED_DIM), (6, SHARED_DIM))
    assert torch.allclose(images.norm(dim=1), torch.ones(4), atol=1e-5)
    torch.autograd.backward(heads.loss(maps, sentences, torch.zeros(4, 6, dtype=torch.bool)))
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for name, p in heads.named_parameters() if not name.endswith("look.bias"))


def test_recall_counts_the_wanted_photo_last_among_equals() -> None:
    """Ranks 1, 2 and, tied with everything, 6: a constant score finds nothing by luck."""
    similarity = torch.tensor([[0.9, 0.1, 0.2, 0.0, 0.0, 0.0], [0.9, 0.5, 0.1, 0.0, 0.0, 0.0], [0.3] * 6])
    assert recalls(similarity, torch.tensor([0, 1, 2])) == {"R@1": 33.3, "R@5": 66.7, "R@10": 100.0}


def test_r_precision_looks_at_as_many_as_there_are() -> None:
    """Of two right photos one is among the two nearest; of one right photo it is the nearest."""
    similarity = torch.tensor([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]])
    right = torch.tensor([[True, False, True], [False, False, True]])
    assert r_precision(similarity, right) == pytest.approx(75)
