"""Classifiers of torchvision's in place of the captioner's labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from igsearch.captioner.captioner import Captioner
from igsearch.captioner.labellers import HOW_TRAINED, Labeller, WithLabels
from igsearch.captioner.labels import imagenet_names
from igsearch.errors import UsageError
from tests import tiny_torchvision as tiny


def rigged(folder: Path, position: int) -> Labeller:
    """A classifier that is sure of one class."""
    return Labeller(f"{tiny.LABELLER}={tiny.save_labeller(folder / 'rigged.pth', position)}", device="cpu", precision=torch.float32)


@pytest.mark.parametrize(("position", "name"), [(134, "crane"), (517, "crane"), (281, "tabby"), (999, "toilet tissue")])
def test_labels_go_by_position(tmp_path: Path, position: int, name: str) -> None:
    """The name is that of the class's position: two of ImageNet's names stand there twice."""
    labeller = rigged(tmp_path, position)
    (labels,) = labeller.labels([labeller.prepare(Image.new("RGB", (300, 200)))])
    assert labels[0].name.startswith(name)
    assert imagenet_names()[position] == labels[0].name
    assert labels[0].probability > 0.99


def test_pictures_are_prepared_as_the_weights_ask(tmp_path: Path) -> None:
    """The shorter side at 256, the middle 224 × 224, scaled to 0…1, less ImageNet's mean, over its standard deviation."""
    ramp = Image.fromarray(np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3)).copy())
    prepared = rigged(tmp_path, 0).prepare(ramp)
    middle = np.asarray(ramp)[16:240, 16:240].transpose(2, 0, 1) / 255
    mean, std = (np.array(values)[:, None, None] for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    assert prepared == pytest.approx((middle - mean) / std, abs=1e-5)


def test_the_labels_of_a_description_are_replaced(tmp_path: Path, sample_photos: Path) -> None:
    """The caption stays, the labels are the classifier's, and the name says whose."""
    captioner = Captioner(device="cpu", beam_size=1, precision="float32")
    both = WithLabels(captioner, rigged(tmp_path, 817))
    with Image.open(sample_photos / "cat.jpg") as photo:
        (described,) = both.describe([both.prepare(photo)])
        (plain,) = captioner.describe([captioner.prepare(photo)])
    assert described.caption == plain.caption
    assert [label.name for label in described.labels] == ["sports car"]
    assert both.name.startswith(f"{captioner.name}+{tiny.LABELLER}-")


def test_every_classifier_has_the_classes_of_imagenet() -> None:
    """So labels mean the same whichever network gave them; and each can be named."""
    names = models.list_models(module=models)
    assert {"alexnet", "resnet50", "convnext_tiny", *HOW_TRAINED} <= set(names)
    assert {tuple(models.get_model_weights(name).DEFAULT.meta["categories"]) for name in names} == {imagenet_names()}


@pytest.mark.parametrize("given", ["", "alexnt", "ssdlite320_mobilenet_v3_large", "../alexnet", "alexnet=nowhere.pth"])
def test_an_unknown_classifier_is_a_line(given: str) -> None:
    """It names what was given, and what is near it."""
    with pytest.raises(UsageError, match="--labeller"):
        Labeller(given, device="cpu")
