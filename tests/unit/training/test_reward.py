"""The reward of self-critical training against the metric that it stands for."""

from __future__ import annotations

import random

import pytest
from pycocoevalcap.cider.cider import Cider

from training.reward import CiderReward

WORDS = ["a", "dog", "cat", "runs", "sits", "on", "the", "grass", "red", "ball"]


def made_sentence(rng: random.Random, *, shortest: int = 1) -> list[str]:
    """Up to nine words."""
    return rng.choices(WORDS, k=rng.randint(shortest, 9))


@pytest.mark.parametrize("seed", range(6))
def test_reward_equals_pycocoevalcaps_cider(seed: int) -> None:
    """Sentence by sentence the reward is pycocoevalcap's CIDEr-D, words that no reference has, repetitions and very short sentences included."""
    rng = random.Random(seed)
    references = [[made_sentence(rng, shortest=3) for _ in range(rng.randint(1, 5))] for _ in range(12)]
    hypotheses = [made_sentence(rng) for _ in references]
    hypotheses[0], hypotheses[1], hypotheses[2] = ["unheard", "words"], ["dog"] * 6, references[2][0]
    truth = {photo: [" ".join(one) for one in group] for photo, group in enumerate(references)}
    _, expected = Cider().compute_score(truth, {photo: [" ".join(said)] for photo, said in enumerate(hypotheses)})
    reward = CiderReward(references)
    assert [reward(photo, said) for photo, said in enumerate(hypotheses)] == pytest.approx(list(expected), abs=1e-9)
    assert max(expected) > 1


def test_a_sentence_cut_short_is_worth_less() -> None:
    """With `<end>` as a word, stopping in mid-sentence costs."""
    references = [[["a", "dog", "runs", "on", "the", "grass", "<end>"]], [["a", "red", "ball", "<end>"]], [["the", "cat", "sits", "<end>"]]]
    reward = CiderReward(references)
    whole, cut = references[0][0], ["a", "dog", "runs", "on", "the", "<end>"]
    assert reward(0, whole) == pytest.approx(10)
    assert reward(0, cut) < reward(0, whole)


def test_no_words_are_worth_nothing() -> None:
    """An empty sentence has no n-grams, and no reward."""
    assert CiderReward([[["a", "dog"]], [["a", "cat"]]])(0, []) == 0
