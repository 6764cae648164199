"""Detectors beside a captioner: what is counted, and that each photo gets what was found in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from igsearch.captioner.objects import MIN_SCORE, Detector, WithObjects, counted
from igsearch.errors import DeviceError, UsageError
from igsearch.records import Description, DetectedObject
from tests import tiny_torchvision as tiny


@pytest.fixture(scope="module")
def rigged(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector that sees dogs, and less surely persons."""
    file = tiny.save_detector(tmp_path_factory.mktemp("weights") / "rigged.pth", {tiny.DOG: 4.0, tiny.PERSON: 1.0})
    return Detector(f"{tiny.DETECTOR}={file}", device="cpu")


def test_what_fires_is_named_and_counted(rigged: Detector) -> None:
    """The rigged detector finds dogs in every picture, with the probability that its logits give them; persons, under one half, are left out."""
    found = rigged.detect([rigged.prepare(Image.new("RGB", size)) for size in [(320, 320), (900, 500), (40, 30), (500, 900), (3000, 60)]])
    logits = torch.full((91,), -20.0)
    logits[[0, tiny.DOG, tiny.PERSON]] = torch.tensor([0.0, 4.0, 1.0])
    assert [[one.name for one in objects] for objects in found] == [["dog"]] * 5
    assert all(objects[0].count is not None and objects[0].count >= 1 for objects in found)
    assert [objects[0].score for objects in found] == pytest.approx([float(logits.softmax(0)[tiny.DOG])] * 5, abs=1e-4)


def test_a_detector_that_sees_nothing_says_so(tmp_path: Path) -> None:
    """Nothing above the threshold is an empty tuple, which is not None: somebody looked."""
    blind = Detector(f"{tiny.DETECTOR}={tiny.save_detector(tmp_path / 'blind.pth', {})}", device="cpu")
    assert blind.detect([blind.prepare(Image.new("RGB", (64, 64)))]) == [()]
    assert blind.detect([]) == []


def test_pictures_are_made_no_larger_than_the_network_uses(rigged: Detector) -> None:
    """What waits for the detector is bounded, and a small picture is not enlarged."""
    assert rigged.prepare(Image.new("RGB", (6000, 4000))).shape == (427, 640, 3)
    assert rigged.prepare(Image.new("RGB", (64, 48))).shape == (48, 64, 3)


class Counter:
    """A describer for tests: the caption is the mean brightness of the picture."""

    name, min_side = "counter", 700

    def prepare(self, image: Image.Image) -> int:
        """The mean brightness."""
        return round(float(np.asarray(image).mean()))

    def describe(self, pixels: Sequence[int]) -> list[Description]:
        """Say it."""
        return [Description(str(one), -1.0) for one in pixels]


def test_objects_are_added_to_what_the_captioner_says(rigged: Detector) -> None:
    """Caption and objects of each photo come together, in order; the name says that there are objects, and by which weights."""
    both = WithObjects(Counter(), rigged)
    described = both.describe([both.prepare(Image.new("RGB", (64, 64), (grey, grey, grey))) for grey in (10, 200, 90)])
    assert [one.caption for one in described] == ["10", "200", "90"]
    assert all(one.objects and one.objects[0].name == "dog" for one in described)
    assert both.name == f"counter+{rigged.name}"
    assert (rigged.min_side, both.min_side) == (320, 700)
    assert rigged.name.startswith(f"{tiny.DETECTOR}-")


def test_other_weights_are_another_detector(rigged: Detector, tmp_path: Path) -> None:
    """So photos described with one are described again with the other."""
    other = Detector(f"{tiny.DETECTOR}={tiny.save_detector(tmp_path / 'other.pth', {tiny.DOG: 5.0})}", device="cpu")
    assert other.name != rigged.name


@pytest.mark.parametrize(
    ("boxes", "found"),
    [
        ([], ()),
        ([("dog", 0.9), ("cat", 0.6), ("dog", 0.95)], (DetectedObject("dog", 2, 0.95), DetectedObject("cat", 1, 0.6))),
        ([("dog", 0.49), ("cat", 0.5)], (DetectedObject("cat", 1, 0.5),)),
        ([("tree", 0.7), ("car", 0.7)], (DetectedObject("car", 1, 0.7), DetectedObject("tree", 1, 0.7))),
        ([("__background__", 0.9), ("N/A", 0.9)], ()),
    ],
    ids=["none", "best first", "threshold", "ties by name", "no kinds"],
)
def test_boxes_are_counted_by_kind(boxes: list[tuple[str, float]], found: tuple[DetectedObject, ...]) -> None:
    """How many of each kind, with the best score."""
    assert counted(boxes) == found


@given(st.lists(st.tuples(st.sampled_from(["dog", "cat", "car"]), st.floats(0, 1))))
def test_no_box_is_lost_and_none_is_invented(boxes: list[tuple[str, float]]) -> None:
    """Counts add up to the boxes above the threshold, and scores fall."""
    found = counted(boxes)
    assert sum(one.count or 0 for one in found) == sum(score >= MIN_SCORE for _, score in boxes)
    scores = [one.score for one in found if one.score is not None]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nonsense", "ssdlite320|retinanet|fasterrcnn"),
        ("fasterrcnn_mobilenet", "fasterrcnn_mobilenet_v3_large"),
        ("resnet50", "no network"),
        (f"{tiny.DETECTOR}=no.pth", "no file 'no.pth'"),
    ],
)
def test_an_unknown_detector_is_a_line_with_those_there_are(given: str, says: str) -> None:
    """Neither is anything fetched."""
    with pytest.raises(UsageError, match=says):
        Detector(given, device="cpu")


def test_a_missing_device_is_an_error() -> None:
    """As with the captioner."""
    with pytest.raises(DeviceError):
        Detector(device="tpu")
