"""A checkpoint's networks in ONNX Runtime, on a CPU: no torch, and a good rate on one that has no bfloat16."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from igsearch.captioner import checkpoint, graphs
from igsearch.captioner.decoding import Seen, Words
from igsearch.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igsearch.captioner.config import CaptionerConfig

PRECISIONS = {"float32": graphs.Graph, "int8": graphs.QuantisedGraph}
"""What the decoder multiplies in: int8 unless asked otherwise, where the weights were rounded already. The encoder's numbers are always float32."""

SILENT = 4
"""Nothing but what ends the process: what goes wrong is raised."""


class OnnxEngine:
    """Satisfies `engine.Engine`. A call keeps one processor busy, and is good for as many at the same time as there are: photos need not wait for each other.

    Raises CheckpointError or UsageError.
    """

    name, device = "onnx", "cpu"

    def __init__(self, folder: Path, config: CaptionerConfig, banned: Sequence[int] = (), *, precision: str | None = None) -> None:
        weights = sound_weights(folder, config)
        self.precision = precision or ("int8" if all(weight.itemsize <= 2 for weight in weights.values()) else "float32")
        if self.precision not in PRECISIONS:
            raise UsageError(f"ONNX Runtime does not compute in {precision!r} here: use one of {', '.join(PRECISIONS)}")
        self.n_at_once = n_processors()
        wide = {name: weight.astype(np.float32) for name, weight in weights.items()}
        self._looking = session(graphs.looking(config, wide))
        self._saying = session(graphs.saying(config.decoder, wide, banned, PRECISIONS[self.precision]()))

    def look(self, pixels: Sequence[NDArray[np.uint8]]) -> Seen:
        """Look at prepared pictures, each (S, S, 3), one by one: together they would fall out of the cache."""
        names = [output.name for output in self._looking.get_outputs()]
        found = zip(*(self._looking.run(names, {"pixels": one[None]}) for one in pixels), strict=True)
        seen = {name: np.concatenate(values) for name, values in zip(names, found, strict=True)}
        side = round(seen["values"].shape[1] ** 0.5)
        return Seen(seen["logits"], (side, side), OnnxSpeaker(self._saying, seen))


class OnnxSpeaker:
    """The decoder in front of photos. Satisfies `decoding.Speaker`."""

    def __init__(self, saying: onnxruntime.InferenceSession, seen: Mapping[str, NDArray[np.float32]]) -> None:
        self._saying, self._styles = saying, seen.get("styles")
        self._values, self._keys = seen["values"], seen["keys"]
        self._hidden, self._cell = seen["hidden"][:, None], seen["cell"][:, None]

    def styles(self, n_styles: int) -> NDArray[np.float32]:
        """The log-probability of every style for every photo."""
        return np.zeros((len(self._values), n_styles), dtype=np.float32) if self._styles is None else self._styles

    def say(self, photos: NDArray[np.int64], parents: NDArray[np.int64], words: NDArray[np.int64], n_best: int) -> Words:
        """Read a word a sentence and score the next ones."""
        if len(photos) < len(self._values):
            self._values, self._keys = self._values[photos], self._keys[photos]
        state = {"hidden": self._hidden[photos[:, None], parents], "cell": self._cell[photos[:, None], parents]}
        given = {"words": words, "values": self._values, "keys": self._keys, "n_best": np.asarray([n_best])}
        logprobs, ids, alpha, self._hidden, self._cell = self._saying.run(None, state | given)
        return Words(logprobs, ids, alpha)


def session(model: graphs.Model, *, n_threads: int = 1) -> onnxruntime.InferenceSession:
    """A graph ready to run, each time on so many processors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.log_severity_level = SILENT
    options.add_external_initializers(list(model.weights), [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in model.weights.values()])
    return onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])


def sound_weights(folder: Path, config: CaptionerConfig) -> dict[str, NDArray[np.floating]]:
    """A checkpoint's weights. Raises CheckpointError if names or shapes are not the configuration's, or a weight is not finite."""
    weights = checkpoint.arrays(folder)
    if {name: weight.shape for name, weight in weights.items()} != graphs.shapes(config):
        raise CheckpointError(checkpoint.OTHER_SHAPES)
    if not all(np.isfinite(weight).all() for weight in weights.values()):
        raise CheckpointError(checkpoint.NOT_NUMBERS)
    return weights


def n_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
