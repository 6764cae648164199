"""ImageNet labels from a classifier of torchvision's, AlexNet or a better one, in place of the captioner's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torchvision import models

from igsearch.captioner import pretrained
from igsearch.captioner.device import choose_device, choose_precision
from igsearch.captioner.labels import top_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from igsearch.records import Describer, Description, Label, Prepared

CHUNK = {"cpu": 8, "cuda": 128, "mps": 32}
"""Photos per forward pass."""

HOW_TRAINED = {"googlenet": {"transform_input": True, "init_weights": False}, "inception_v3": {"transform_input": True, "init_weights": False}}
"""Settings that go with the published weights where they are not the network's defaults."""


class Labeller:
    """A classification network of torchvision's on one device, with the transforms that its weights ask for.

    `given` is NAME or NAME=FILE, the latter with weights of one's own. Raises UsageError if there is no such classifier, CheckpointError if its weights are
    damaged, OfflineError if they cannot be fetched, DeviceError if the device is not there.
    """

    def __init__(self, given: str, *, device: str = "auto", precision: torch.dtype | None = None) -> None:
        self.device = choose_device(device)
        self.precision = precision or choose_precision(self.device)
        weights, name, path = pretrained.choose(given, option="--labeller", module=models)
        network = models.get_model(name, weights=None, **HOW_TRAINED.get(name, {}))
        self.name = f"{name}-{pretrained.load_into(network, path)}"
        self._network = network.eval().requires_grad_(False).to(device=self.device, dtype=self.precision)
        self._transforms = weights.transforms()
        self.min_side = max(self._transforms.resize_size)
        self._names: Sequence[str] = weights.meta["categories"]

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """An RGB picture as the classifier takes it: (3, S, S), normalised."""
        prepared: NDArray[np.float32] = self._transforms(image).numpy()
        return prepared

    @torch.inference_mode()
    def labels(self, pixels: Sequence[NDArray[np.float32]]) -> list[tuple[Label, ...]]:
        """The likeliest labels of prepared pictures, best first."""
        step = CHUNK[self.device.type]
        found: list[tuple[Label, ...]] = []
        for first in range(0, len(pixels), step):
            stacked = torch.from_numpy(np.stack(pixels[first : first + step])).to(device=self.device, dtype=self.precision)
            found += top_labels(self._network(stacked).float().cpu().numpy(), names=self._names)
        return found


class WithLabels:
    """A captioner whose labels are a classifier's. Satisfies `records.Describer`."""

    def __init__(self, describer: Describer, labeller: Labeller) -> None:
        self._describer, self._labeller = describer, labeller
        self.name = f"{describer.name}+{labeller.name}"

    @property
    def min_side(self) -> int | None:
        """What the more demanding of the two asks for."""
        wanted = self._describer.min_side
        return None if wanted is None else max(wanted, self._labeller.min_side)

    def prepare(self, image: Image.Image) -> Prepared:
        """What the two of them take."""
        return self._describer.prepare(image), self._labeller.prepare(image)

    def describe(self, pixels: Sequence[Prepared]) -> list[Description]:
        """Describe prepared pictures, in order."""
        described = self._describer.describe([for_captioner for for_captioner, _ in pixels])
        found = self._labeller.labels([for_labeller for _, for_labeller in pixels])
        return [replace(one, labels=labels) for one, labels in zip(described, found, strict=True)]
