"""A checkpoint's networks in torch: on CUDA, MPS or a CPU, whatever its encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from igsearch.captioner import checkpoint
from igsearch.captioner.decoder import Annotations, AttentionDecoder, State
from igsearch.captioner.decoding import Seen, Words
from igsearch.captioner.device import choose_device, choose_precision
from igsearch.captioner.efficientnet import VARIANTS
from igsearch.captioner.encoder import EfficientNetLite
from igsearch.captioner.resnet import BLOCKS, ResNetEncoder
from igsearch.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igsearch.captioner.checkpoint import Checkpoint

ENCODER_CHUNK = {"cpu": 8, "cuda": 128, "mps": 32}
"""Photos per forward pass of the encoder. On a CPU larger chunks fall out of the cache and are three times slower."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TorchEngine:
    """Satisfies `engine.Engine`. Raises CheckpointError, DeviceError or UsageError."""

    name = "torch"
    n_at_once = 1

    def __init__(self, folder: Path, banned: Sequence[int] = (), *, device: str = "auto", precision: str | None = None) -> None:
        self._where = choose_device(device)
        loaded = checkpoint.load(folder)
        self._number = choose_number(precision, self._where, is_half=loaded.is_half)
        self.device, self.precision = self._where.type, str(self._number).removeprefix("torch.")
        self.config, self._banned = loaded.config, banned
        self.encoder, self.decoder = build(loaded, self._where, self._number)

    @torch.inference_mode()
    def look(self, pixels: Sequence[NDArray[np.uint8]]) -> Seen:
        """Look at prepared pictures, each (S, S, 3)."""
        step = ENCODER_CHUNK[self.device]
        feature_map = torch.cat([self.encoder(self.normalised(pixels[first : first + step])) for first in range(0, len(pixels), step)])
        logits = self.encoder.classify(feature_map)
        if self.config.grid:
            feature_map = F.adaptive_avg_pool2d(feature_map, self.config.grid)
        height, width = feature_map.shape[2:]
        speaker = TorchSpeaker(self.decoder, self.decoder.annotate(feature_map), self._banned)
        return Seen(None if logits is None else as_array(logits), (height, width), speaker)

    def normalised(self, pixels: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Pictures as the network takes them: (N, 3, S, S), channels last in memory."""
        stacked = torch.from_numpy(np.stack(pixels)).to(self._where)
        mean, std = (torch.tensor(values, device=self._where) for values in (self.config.preprocessing.mean, self.config.preprocessing.std))
        scaled = (stacked.to(torch.float32) / 255 - mean) / std
        return scaled.to(self._number).permute(0, 3, 1, 2)


class TorchSpeaker:
    """A decoder of torch's in front of photos. Satisfies `decoding.Speaker`."""

    @torch.inference_mode()
    def __init__(self, decoder: AttentionDecoder, annotations: Annotations, banned: Sequence[int] = ()) -> None:
        self._decoder, self._annotations = decoder, annotations
        self._state = decoder.start(annotations, 1)
        self._banned = torch.tensor(list(banned), dtype=torch.long, device=annotations.values.device)

    @torch.inference_mode()
    def styles(self, n_styles: int) -> NDArray[np.float32]:
        """The log-probability of every style for every photo."""
        return as_array(self._decoder.style_logprobs(self._annotations, n_styles))

    @torch.inference_mode()
    def say(self, photos: NDArray[np.int64], parents: NDArray[np.int64], words: NDArray[np.int64], n_best: int) -> Words:
        """Read a word a sentence and score the next ones."""
        rows, slots, read = (torch.from_numpy(index).to(self._banned.device) for index in (photos, parents, words))
        if len(rows) < len(self._annotations.values):
            self._annotations = self._annotations.photos(rows)
        state = State(*(one[rows.unsqueeze(1), slots] for one in self._state))
        embedded = self._decoder.embed(read)
        step = self._decoder.step(embedded, state, self._annotations)
        self._state = step.state
        logits = self._decoder.logits(embedded, step.state.hidden, step.context).float()
        logits[..., self._banned] = -torch.inf
        logprobs, ids = torch.log_softmax(logits, dim=2).topk(min(n_best, logits.shape[2]), dim=2)
        return Words(as_array(logprobs), ids.cpu().numpy(), as_array(step.alpha))


def as_array(values: Tensor) -> NDArray[np.float32]:
    """Numbers in the computer's own memory."""
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array


def choose_number(precision: str | None, device: torch.device, *, is_half: bool) -> torch.dtype:
    """What to compute in: what is asked for, else what suits the device where the weights were rounded. Raises UsageError."""
    if precision is None:
        return choose_precision(device) if is_half else torch.float32
    if precision not in PRECISIONS:
        raise UsageError(f"torch does not compute in {precision!r} here: use one of {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def build(loaded: Checkpoint, device: torch.device, precision: torch.dtype) -> tuple[EfficientNetLite | ResNetEncoder, AttentionDecoder]:
    """The networks with a checkpoint's weights, ready to run. Raises CheckpointError if names or shapes differ, or a weight is not finite."""
    with torch.device("meta"):  # nothing is initialised only to be overwritten, and no memory is taken before the shapes are known to be right
        encoder, decoder = build_encoder(loaded.config.encoder), AttentionDecoder(loaded.config.decoder)
    networks = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    try:
        networks.load_state_dict(loaded.weights, assign=True)
    except RuntimeError as err:
        raise CheckpointError(checkpoint.OTHER_SHAPES) from err
    if not all(bool(weight.isfinite().all()) for weight in loaded.weights.values()):
        raise CheckpointError(checkpoint.NOT_NUMBERS)
    networks.eval().requires_grad_(False).to(device=device, dtype=precision)
    encoder.to(memory_format=torch.channels_last)
    return encoder, decoder


def build_encoder(name: str) -> EfficientNetLite | ResNetEncoder:
    """An encoder by its name in a configuration. Raises CheckpointError for one this igsearch does not have."""
    if name in VARIANTS:
        return EfficientNetLite(name)
    if name in BLOCKS:
        return ResNetEncoder(name)
    raise CheckpointError(f"the checkpoint wants the encoder {name!r}, which this igsearch does not have: upgrade igsearch")
