"""The scores against the papers' formulas, written plainly."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from training.metrics import caption_scores

Sentence = list[str]


def grams(sentence: Sentence, n: int) -> Counter[tuple[str, ...]]:
    """How often each run of `n` words occurs."""
    return Counter(zip(*(sentence[shift:] for shift in range(n)), strict=False))


def bleu(hypotheses: list[Sentence], references: list[list[Sentence]], order: int) -> float:
    """Papineni et al. 2002, section 2.3: clipped precisions over the corpus, geometric mean, brevity penalty with the closest reference's length."""
    product = 1.0
    for n in range(1, order + 1):
        right = total = 0
        for said, group in zip(hypotheses, references, strict=True):
            counts = grams(said, n)
            right += sum(min(count, max(grams(one, n)[gram] for one in group)) for gram, count in counts.items())
            total += sum(counts.values())
        product *= right / total
    length = sum(map(len, hypotheses))
    closest = sum(min((abs(len(one) - len(said)), len(one)) for one in group)[1] for said, group in zip(hypotheses, references, strict=True))
    return float(product ** (1 / order) * min(1.0, math.exp(1 - closest / length)))


def common_subsequence(a: Sentence, b: Sentence) -> int:
    """Length of the longest common subsequence, by the definition."""
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return 1 + common_subsequence(a[:-1], b[:-1])
    return max(common_subsequence(a[:-1], b), common_subsequence(a, b[:-1]))


def rouge_l(hypotheses: list[Sentence], references: list[list[Sentence]]) -> float:
    """Lin 2004, section 3, with β = 1.2 as COCO has it: the best precision and the best recall over the references, mean over photos."""
    values = []
    for said, group in zip(hypotheses, references, strict=True):
        precision = max(common_subsequence(said, one) / len(said) for one in group)
        recall = max(common_subsequence(said, one) / len(one) for one in group)
        values.append((1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision) if precision else 0.0)
    return sum(values) / len(values)


def cider_d(hypotheses: list[Sentence], references: list[list[Sentence]]) -> float:
    """Vedantam et al. 2015, equations 1 to 3 with the clipping and the Gaussian of section 5, mean over photos."""
    n_photos = len(references)

    def weight(gram: tuple[str, ...], count: int) -> float:
        n_containing = sum(any(gram in grams(one, len(gram)) for one in group) for group in references)
        return count * math.log(n_photos / max(1, n_containing))

    def similarity(said: Sentence, one: Sentence, n: int) -> float:
        ours = {gram: weight(gram, count) for gram, count in grams(said, n).items()}
        theirs = {gram: weight(gram, count) for gram, count in grams(one, n).items()}
        norms = math.sqrt(sum(v * v for v in ours.values())) * math.sqrt(sum(v * v for v in theirs.values()))
        overlap = sum(min(ours[gram], theirs[gram]) * theirs[gram] for gram in ours.keys() & theirs.keys())
        return math.exp(-((len(said) - len(one)) ** 2) / 72) * overlap / norms if norms else 0.0

    total = 0.0
    for said, group in zip(hypotheses, references, strict=True):
        total += sum(10 * similarity(said, one, n) / 4 for one in group for n in range(1, 5)) / len(group)
    return total / n_photos


def corpus(seed: int) -> tuple[list[Sentence], list[list[Sentence]]]:
    """Ten photos with one to four references of two to seven words, and a caption that is a reference with words changed, dropped or added."""
    rng = random.Random(seed)
    words = ["a", "a", "dog", "cat", "runs", "sits", "on", "the", "grass", "red", "ball"]
    references = [[rng.choices(words, k=rng.randint(4, 7)) for _ in range(rng.randint(1, 4))] for _ in range(10)]
    hypotheses = []
    for group in references:
        said = list(rng.choice(group))
        said[rng.randrange(len(said))] = rng.choice(words)
        hypotheses.append(said[1:] if rng.random() < 0.3 else said + rng.choices(words, k=rng.randint(0, 2)))
    return hypotheses, references


@pytest.mark.parametrize("seed", range(8))
def test_scores_equal_plain_implementations(seed: int) -> None:
    """On random small sentences BLEU-1 to 4, ROUGE-L and CIDEr-D are 100 times what the formulas give."""
    hypotheses, references = corpus(seed)
    expected = {f"BLEU-{n}": 100 * bleu(hypotheses, references, n) for n in range(1, 5)}
    expected |= {"ROUGE-L": 100 * rouge_l(hypotheses, references), "CIDEr": 100 * cider_d(hypotheses, references)}
    assert expected["BLEU-4"] > 0
    assert caption_scores(hypotheses, references) == pytest.approx(expected, abs=1e-4)


def test_scores_of_two_photos_worked_out_by_hand() -> None:
    """One caption lacks a word, one is perfect: precisions 9/9, 6/7, 4/5, 2/3, brevity e^(1 - 10/9), cosines 5/√30, 3/√20, 2/√12, 1/√6."""
    hypotheses = [["a", "dog", "runs", "on", "grass"], ["two", "boats", "at", "sea"]]
    references = [[["a", "dog", "runs", "on", "green", "grass"]], [["two", "boats", "at", "sea"]]]
    brevity = math.exp(1 - 10 / 9)
    cosines = 5 / math.sqrt(30) + 3 / math.sqrt(20) + 2 / math.sqrt(12) + 1 / math.sqrt(6)
    expected = {
        "BLEU-1": 100 * brevity,
        "BLEU-2": 100 * brevity * (6 / 7) ** (1 / 2),
        "BLEU-3": 100 * brevity * (6 / 7 * 4 / 5) ** (1 / 3),
        "BLEU-4": 100 * brevity * (6 / 7 * 4 / 5 * 2 / 3) ** (1 / 4),
        "ROUGE-L": 100 * (1 + 2.44 * (5 / 6) / (5 / 6 + 1.44)) / 2,
        "CIDEr": 100 * (10 + 10 * cosines / 4 * math.exp(-1 / 72)) / 2,
    }
    assert caption_scores(hypotheses, references) == pytest.approx(expected, abs=1e-4)


def test_perfect_captions_score_full_marks() -> None:
    """A caption equal to its one reference scores 100, and 1000 on CIDEr's scale of ten."""
    references = [[["a", "dog", "runs", "on", "grass"]], [["two", "boats", "lie", "at", "sea"]]]
    scores = caption_scores([group[0] for group in references], references)
    assert scores == pytest.approx({"BLEU-1": 100, "BLEU-2": 100, "BLEU-3": 100, "BLEU-4": 100, "ROUGE-L": 100, "CIDEr": 1000}, abs=1e-4)


@pytest.mark.parametrize(
    ("hypotheses", "references"), [([], []), ([["a"]], []), ([], [[["a"]]]), ([["a"], ["b"]], [[["a"]]])], ids=["nothing", "no photo", "no caption", "too many"]
)
def test_captions_that_do_not_fit_the_photos_are_refused(hypotheses: list[Sentence], references: list[list[Sentence]]) -> None:
    """Nothing to score, or another number of captions than of photos, is a ValueError that says both numbers."""
    with pytest.raises(ValueError, match=f"{len(hypotheses)} captions for {len(references)} photos"):
        caption_scores(hypotheses, references)
