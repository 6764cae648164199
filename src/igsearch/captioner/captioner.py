"""The captioner as the rest of igsearch sees it: pictures in, descriptions out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from igsearch.captioner import checkpoint
from igsearch.captioner.attention import Look
from igsearch.captioner.decoding import Sentence, Speaker, beam_search
from igsearch.captioner.engine import Engine, choose_engine, open_engine
from igsearch.captioner.labels import top_labels
from igsearch.captioner.vocabulary import END, is_special
from igsearch.errors import CheckpointError
from igsearch.records import Description, Hypothesis

if TYPE_CHECKING:
    from numpy.typing import NDArray

Item = TypeVar("Item")

SAFE_DEVICES = ("auto", "cpu")
"""What there is on every machine. Of any other device torch, which takes seconds to import, has to say whether it is there."""


class Captioner:
    """The packaged network, or another checkpoint of its kind. Satisfies `records.Describer`.

    The checkpoint is verified at once; its network is loaded when the first picture comes, for half of the runs, such as those that find nothing new, never
    have one, unless the device is to be looked for. `engine` is one of `engine.ENGINES`; `precision` is what it computes in, its own choice for None.

    Raises CheckpointError if the checkpoint is damaged, DeviceError if the device is not there, UsageError for a beam narrower than one or an engine that does
    not suit; or when the first picture comes if only the weights can tell.
    """

    def __init__(
        self, folder: Path | None = None, *, device: str = "auto", beam_size: int | None = None, engine: str = "auto", precision: str | None = None
    ) -> None:
        self._folder, self._device, self._engine, self._precision = folder or checkpoint.packaged(), device, engine, precision
        self.config, self.vocabulary, self.digest = checkpoint.read(self._folder)
        self.name = checkpoint.captioner_name(self.config, self.digest, beam_size)
        self.beam_size = beam_size or self.config.search.beam_size
        self._loaded: Engine | None = None
        self._loading = threading.Lock()
        if engine != "auto":
            choose_engine(engine, self.config, device)
        if device not in SAFE_DEVICES:
            self.engine  # noqa: B018 - it is loaded now

    @property
    def engine(self) -> Engine:
        """The networks, loaded once, whichever of several threads comes first."""
        with self._loading:
            if self._loaded is None:
                banned = () if self.config.search.speaks_special else self.vocabulary.unspoken
                self._loaded = open_engine(self._folder, self.config, banned, engine=self._engine, device=self._device, precision=self._precision)
            return self._loaded

    @property
    def min_side(self) -> int | None:
        """The network's own size; None for one that is to see exactly what Pillow makes of the whole picture."""
        preprocessing = self.config.preprocessing
        return None if preprocessing.reducing_gap is None else preprocessing.size

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture squashed to the network's size: (S, S, 3)."""
        wanted = self.config.preprocessing
        method = Image.Resampling[wanted.interpolation.upper()]
        return np.asarray(image.resize((wanted.size, wanted.size), method, reducing_gap=wanted.reducing_gap))

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """Describe prepared pictures, in order."""
        groups = evenly(pixels, self.engine.n_at_once) if pixels else []
        if len(groups) < 2:
            return self._describe(pixels) if pixels else []
        with ThreadPoolExecutor(len(groups)) as threads:
            return list(chain.from_iterable(threads.map(self._describe, groups)))

    def _describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """Describe prepared pictures together."""
        seen = self.engine.look(pixels)
        all_labels = [()] * len(pixels) if seen.logits is None else top_labels(seen.logits)
        described: list[Description] = []
        for sentences, labels in zip(self._search(seen.speaker), all_labels, strict=True):
            best, *others = self._hypotheses(sentences)
            described.append(Description(best.caption, best.logprob, tuple(others), labels))
        return described

    def _hypotheses(self, sentences: list[Sentence]) -> list[Hypothesis]:
        """Sentences in words, in order, of two that read alike the first. Raises CheckpointError if there are none."""
        if not sentences:
            raise CheckpointError(f"the captioner {self.config.name!r} computes what is no number: its weights are damaged; convert or install it again")
        spoken = [Hypothesis(self.vocabulary.sentence(one.ids), one.logprob) for one in sentences]
        return first_of_each(spoken, lambda one: one.caption)

    def attend(self, pixels: NDArray[np.uint8]) -> list[Look]:
        """The best sentence for one prepared picture, word by word, each with its attention over the grid."""
        seen = self.engine.look([pixels])
        best = self._search(seen.speaker, with_attention=True)[0][0]
        if best.alpha is None:
            return []
        words = (self.vocabulary.words[position] for position in best.ids)
        return [Look(word, grid) for word, grid in zip(words, best.alpha.reshape(-1, *seen.grid), strict=True) if not is_special(word)]

    def _search(self, speaker: Speaker, *, with_attention: bool = False) -> list[list[Sentence]]:
        """Each photo's sentences, best first, none twice: two start tokens can lead to the same one."""
        search = self.config.search
        found = beam_search(
            speaker,
            starts=[self.vocabulary.id(start) for start in search.starts],
            end=self.vocabulary.id(END),
            beam_size=self.beam_size,
            max_words=search.max_words,
            length_penalty=search.length_penalty,
            with_attention=with_attention,
        )
        return [first_of_each(group, lambda one: one.ids) for group in found]


def evenly(pixels: Sequence[NDArray[np.uint8]], n_groups: int) -> list[Sequence[NDArray[np.uint8]]]:
    """The pictures in order, in at most so many groups, none larger than another by more than one."""
    n_groups = min(n_groups, len(pixels))
    ends = [len(pixels) * (position + 1) // n_groups for position in range(n_groups)]
    return [pixels[first:end] for first, end in zip([0, *ends], ends, strict=False)]


def first_of_each(items: Sequence[Item], key: Callable[[Item], Hashable]) -> list[Item]:
    """The items in order, of those with one key the first: where the best sentence is found twice, its better place is the one that counts."""
    found: dict[Hashable, Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())
