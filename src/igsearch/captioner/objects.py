"""Which things are in a photo, and how many: a detector of torchvision's, trained on the 80 kinds of COCO, beside any captioner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models

from igsearch.captioner import pretrained
from igsearch.captioner.device import choose_device
from igsearch.records import Describer, Description, DetectedObject, Prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_DETECTOR = "ssdlite320_mobilenet_v3_large"
"""Box mAP 21.3 on COCO from a file of 13 MB. fasterrcnn_mobilenet_v3_large_320_fpn has 22.8, but takes twice the time and 74 MB; the large ones, with
mAP of 40 and more, take seconds a photo without a GPU."""

MIN_SCORE = 0.5
"""A box below it is more often wrong than right."""

CHUNK = {"cpu": 4, "cuda": 32, "mps": 8}
"""Photos per forward pass."""

TRAINED_WITHOUT_EPSILON = frozenset({"fasterrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn"})
"""Their published weights were made with batch normalisation that adds nothing to the variance."""


class Detector:
    """A detection network of torchvision's on one device, in float32: boxes are a matter of pixels.

    `given` is NAME or NAME=FILE, the latter with weights of one's own. Raises UsageError if there is no such detector, CheckpointError if its weights are
    damaged, OfflineError if they cannot be fetched, DeviceError if the device is not there.
    """

    def __init__(self, given: str | None = None, *, device: str = "auto") -> None:
        self.device = choose_device(device)
        weights, name, path = pretrained.choose(given or DEFAULT_DETECTOR, option="--detector", module=models.detection)
        network = models.get_model(name, weights=None, weights_backbone=None)
        self.name = f"{name}-{pretrained.load_into(network, path)}"
        if name in TRAINED_WITHOUT_EPSILON:
            drop_epsilon(network)
        self._network = network.eval().requires_grad_(False).to(self.device)
        self._kinds: Sequence[str] = weights.meta["categories"]
        self.min_side: int = max(network.transform.min_size)
        self._longest = max(network.transform.max_size, 2 * max(network.transform.min_size))

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture, no larger than the network makes use of: (H, W, 3)."""
        small = image.copy()
        small.thumbnail((self._longest, self._longest), Image.Resampling.BICUBIC)
        return np.array(small)

    @torch.inference_mode()
    def detect(self, pixels: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedObject, ...]]:
        """What is in each of the prepared pictures, the surest kind first."""
        step = CHUNK[self.device.type]
        found: list[tuple[DetectedObject, ...]] = []
        for first in range(0, len(pixels), step):
            tensors = [torch.from_numpy(one).to(self.device).permute(2, 0, 1).float() / 255 for one in pixels[first : first + step]]
            found += [self._counted(boxes) for boxes in self._network(tensors)]
        return found

    def _counted(self, boxes: dict[str, Tensor]) -> tuple[DetectedObject, ...]:
        kinds = (self._kinds[position] for position in boxes["labels"].tolist())
        return counted(zip(kinds, boxes["scores"].tolist(), strict=True))


class WithObjects:
    """A captioner whose descriptions also say which objects are in the photo. Satisfies `records.Describer`."""

    def __init__(self, describer: Describer, detector: Detector) -> None:
        self._describer, self._detector = describer, detector
        self.name = f"{describer.name}+{detector.name}"

    @property
    def min_side(self) -> int | None:
        """What the more demanding of the two asks for."""
        wanted = self._describer.min_side
        return None if wanted is None else max(wanted, self._detector.min_side)

    def prepare(self, image: Image.Image) -> Prepared:
        """What the two of them take."""
        return self._describer.prepare(image), self._detector.prepare(image)

    def describe(self, pixels: Sequence[Prepared]) -> list[Description]:
        """Describe prepared pictures, in order."""
        described = self._describer.describe([for_captioner for for_captioner, _ in pixels])
        found = self._detector.detect([for_detector for _, for_detector in pixels])
        return [replace(one, objects=objects) for one, objects in zip(described, found, strict=True)]


def counted(boxes: Iterable[tuple[str, float]]) -> tuple[DetectedObject, ...]:
    """Boxes (kind, score) as one object a kind: how many there are, and the best score; those under `MIN_SCORE` are left out, the surest come first."""
    scores: dict[str, list[float]] = {}
    for kind, score in boxes:
        if score >= MIN_SCORE and kind not in {"__background__", "N/A"}:
            scores.setdefault(kind, []).append(score)
    found = (DetectedObject(kind, len(each), max(each)) for kind, each in scores.items())
    return tuple(sorted(found, key=lambda one: (-(one.score or 0.0), one.name)))


def drop_epsilon(network: nn.Module) -> None:
    """Normalise by the variance alone."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
