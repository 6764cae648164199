"""The packaged checkpoint on the sample photos: what holds whichever weights are packaged, and the very captions of these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from igsearch import images
from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import Captioner, first_of_each
from igsearch.errors import UsageError
from training.golden import GOLDEN, describe_sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from igsearch.records import Description

TOLERANCE = 1e-3
"""How far float32 log-probabilities of whole sentences may lie apart when sums are taken in another order."""


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    """The packaged network on the CPU in float32."""
    return Captioner(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def pixels(captioner: Captioner, sample_photos: Path) -> list[NDArray[np.uint8]]:
    """The sample photos, prepared, in alphabetical order."""
    return [captioner.prepare(images.decode(file.read_bytes())) for file in sorted(sample_photos.glob("*.jpg"))]


@pytest.fixture(scope="module")
def described(captioner: Captioner, pixels: list[NDArray[np.uint8]]) -> list[Description]:
    """Their descriptions, made in one batch."""
    return captioner.describe(pixels)


def assert_same(ours: list[Description], theirs: list[Description]) -> None:
    """Captions are equal; log-probabilities and labels are equal but for rounding."""
    assert [one.caption for one in ours] == [one.caption for one in theirs]
    assert [one.logprob for one in ours] == pytest.approx([one.logprob for one in theirs], abs=TOLERANCE)
    for one, other in zip(ours, theirs, strict=True):
        sure, also_sure = ({label.name for label in half.labels if label.probability > 0.05 + TOLERANCE} for half in (one, other))
        assert sure <= {label.name for label in other.labels}
        assert also_sure <= {label.name for label in one.labels}


def test_there_are_twelve_sample_photos(pixels: list[NDArray[np.uint8]]) -> None:
    """The tests below look at something: twelve squares of the size the checkpoint asks for."""
    assert [one.shape for one in pixels] == [(260, 260, 3)] * 12


@pytest.mark.parametrize("size", [1, 5, 24])
def test_a_description_does_not_depend_on_the_batch_size(
    captioner: Captioner, pixels: list[NDArray[np.uint8]], described: list[Description], size: int
) -> None:
    """Photos described alone, in fives, or twice over in one batch get the descriptions that they get together."""
    twice = pixels + pixels if size == 24 else pixels
    found = [one for first in range(0, len(twice), size) for one in captioner.describe(twice[first : first + size])]
    assert_same(found, described + described if size == 24 else described)


def test_a_description_does_not_depend_on_its_neighbours(captioner: Captioner, pixels: list[NDArray[np.uint8]], described: list[Description]) -> None:
    """In reverse order every photo gets the description that it had."""
    assert_same(captioner.describe(pixels[::-1])[::-1], described)


def test_no_photos_get_no_descriptions(captioner: Captioner) -> None:
    """An empty batch is an empty answer."""
    assert captioner.describe([]) == []


def test_bfloat16_says_what_float32_says(pixels: list[NDArray[np.uint8]], described: list[Description]) -> None:
    """In bfloat16 most captions stay the same, with log-probabilities to within 0.1 a word (`<end>` counted); the others change among near equals."""
    halves = Captioner(device="cpu", engine="torch", precision="bfloat16").describe(pixels)
    same = [(half, full) for half, full in zip(halves, described, strict=True) if half.caption == full.caption]
    assert len(same) >= 7
    assert all(half.logprob == pytest.approx(full.logprob, abs=0.1 * (len(full.caption.split()) + 1)) for half, full in same)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is present, so nothing compares it with the CPU here")
def test_cuda_says_what_the_cpu_says(pixels: list[NDArray[np.uint8]], described: list[Description]) -> None:
    """On CUDA, in float32, at least eleven of the twelve captions are the CPU's, with close log-probabilities."""
    theirs = Captioner(device="cuda", precision="float32").describe(pixels)
    same = [(one, other) for one, other in zip(theirs, described, strict=True) if one.caption == other.caption]
    assert len(same) >= 11
    assert [one.logprob for one, _ in same] == pytest.approx([other.logprob for _, other in same], abs=0.05)


def test_a_cat_is_labelled_as_one(described: list[Description], sample_photos: Path) -> None:
    """Among the ImageNet labels of the photo of a cat is a kind of cat."""
    position = sorted(file.name for file in sample_photos.glob("*.jpg")).index("cat.jpg")
    names = [label.name for label in described[position].labels]
    assert any("cat" in name.lower().split() or name == "tabby" for name in names), names


def test_labels_are_probabilities_in_falling_order(described: list[Description]) -> None:
    """Labels stand from the likeliest down, each in 0.05 to 1, and together they are not more than certain."""
    for one in described:
        probabilities = [label.probability for label in one.labels]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(0.05 <= probability <= 1 for probability in probabilities)
        assert sum(probabilities) <= 1 + 1e-5


def test_alternatives_are_other_sentences_in_falling_order(captioner: Captioner, described: list[Description]) -> None:
    """A caption and its alternatives all differ, and by the checkpoint's score none is before a better one."""
    penalty = captioner.config.search.length_penalty
    assert any(one.alternatives for one in described)
    for one in described:
        sentences = [(one.caption, one.logprob or 0.0), *((other.caption, other.logprob) for other in one.alternatives)]
        assert len({caption for caption, _ in sentences}) == len(sentences)
        scores = [logprob / ((6 + len(caption.split())) / 6) ** penalty for caption, logprob in sentences]
        assert scores == sorted(scores, reverse=True)
        assert all(logprob < 0 for _, logprob in sentences)


def test_of_equal_sentences_the_better_one_keeps_its_place() -> None:
    """Two start tokens can lead to the same sentence: the likelier one stands where it stood, before what is less likely, and the other is gone."""
    found = [("a cat", -1.0), ("a tree", -2.0), ("a cat", -3.0), ("a bird", -4.0), ("a tree", -5.0)]
    assert first_of_each(found, lambda one: one[0]) == [("a cat", -1.0), ("a tree", -2.0), ("a bird", -4.0)]


def test_captions_are_words_of_the_vocabulary(captioner: Captioner, described: list[Description]) -> None:
    """Every caption says something, in known words, without special tokens, within the checkpoint's length."""
    for one in described:
        said = one.caption.split()
        assert 0 < len(said) <= captioner.config.search.max_words + 1
        assert set(said) <= {word for word in captioner.vocabulary.words if not word.startswith("<")}


def test_a_narrower_beam_is_another_captioner(captioner: Captioner, pixels: list[NDArray[np.uint8]]) -> None:
    """The name tells captioners apart by beam, and a beam of one finds one sentence."""
    narrow = Captioner(device="cpu", beam_size=1, precision="float32")
    assert narrow.name != captioner.name
    assert narrow.describe(pixels[:1])[0].alternatives == ()


@pytest.mark.parametrize("beam_size", [0, -1])
def test_a_beam_that_holds_nothing_is_refused(beam_size: int) -> None:
    """A beam narrower than one is an error before anything is loaded."""
    with pytest.raises(UsageError, match="--beam-size"):
        Captioner(beam_size=beam_size)


def test_the_captions_are_the_recorded_ones() -> None:
    """The packaged weights say of every sample photo, word for word, what golden.json holds."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    digest = checkpoint.verify(checkpoint.packaged())[checkpoint.WEIGHTS]
    assert golden["weights_sha256"] == digest, (
        f"{GOLDEN.name} was made with other weights than the packaged ones: run `python -m training.golden`, look at it, commit it"
    )
    assert describe_sample() == golden["captions"]
