"""A captioner whose network is loaded only when the first picture comes: half of the runs, such as those that find nothing new, never have one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igsearch.captioner import checkpoint

if TYPE_CHECKING:
    from PIL import Image

    from igsearch.captioner.captioner import Captioner
    from igsearch.records import Description

SAFE_DEVICES = ("auto", "cpu")
"""What there is on every machine. Of any other device torch, which takes two seconds to import, has to say whether it is there."""


class LateCaptioner:
    """The captioner of a checkpoint, which is verified at once and loaded late. Satisfies `records.Describer`; its name is the captioner's.

    Raises CheckpointError and UsageError as `Captioner` does, or when the first picture comes if only the weights can tell.
    """

    def __init__(self, folder: Path, *, device: str = "auto", beam_size: int | None = None) -> None:
        self._folder, self._device, self._beam_size = folder, device, beam_size
        config, _, digest = checkpoint.read(folder)
        self.name = checkpoint.captioner_name(config, digest, beam_size)
        self._loaded: Captioner | None = None
        self._loading = threading.Lock()

    @property
    def min_side(self) -> int | None:
        """The captioner's."""
        return self._captioner().min_side

    def prepare(self, image: Image.Image) -> Any:  # noqa: ANN401 - whatever the captioner takes
        """As the captioner does."""
        return self._captioner().prepare(image)

    def describe(self, pixels: Sequence[Any]) -> list[Description]:
        """As the captioner does."""
        return self._captioner().describe(pixels) if pixels else []

    def _captioner(self) -> Captioner:
        """The captioner, loaded once, whichever of several threads comes first."""
        with self._loading:
            if self._loaded is None:
                from igsearch.captioner.captioner import Captioner

                self._loaded = Captioner(self._folder, device=self._device, beam_size=self._beam_size)
            return self._loaded
