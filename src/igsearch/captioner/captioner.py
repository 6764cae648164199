"""The captioner as the rest of igsearch sees it: pictures in, descriptions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from igsearch.captioner import checkpoint
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.decoding import Sentence, beam_search
from igsearch.captioner.device import choose_device, choose_precision
from igsearch.captioner.encoder import VARIANTS, EfficientNetLite
from igsearch.captioner.labels import top_labels
from igsearch.captioner.vocabulary import END
from igsearch.errors import CheckpointError, UsageError
from igsearch.records import Description, Hypothesis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igsearch.captioner.checkpoint import Checkpoint

ENCODER_CHUNK = {"cpu": 8, "cuda": 128, "mps": 32}
"""Photos per forward pass of the encoder. On a CPU larger chunks fall out of the cache and are three times slower."""


class Captioner:
    """The packaged network (or another checkpoint of its kind) on one device. Satisfies `records.Describer`.

    Raises CheckpointError if the checkpoint is damaged, DeviceError if the device is not there, UsageError for a beam narrower than one.
    """

    def __init__(self, folder: Path | None = None, *, device: str = "auto", beam_size: int | None = None, precision: torch.dtype | None = None) -> None:
        if beam_size is not None and beam_size < 1:
            raise UsageError(f"a beam of {beam_size} holds nothing: use --beam-size 1 or more")
        self.device = choose_device(device)
        self.precision = precision or choose_precision(self.device)
        loaded = checkpoint.load(folder or checkpoint.packaged())
        self.config, self.vocabulary = loaded.config, loaded.vocabulary
        self.beam_size = beam_size or loaded.config.search.beam_size
        self.name = f"{loaded.config.name}-{loaded.digest[:8]}-beam{self.beam_size}"
        self.encoder, self.decoder = build(loaded, self.device, self.precision)

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture squashed to the network's size: (S, S, 3)."""
        size = self.config.preprocessing.size
        method = Image.Resampling[self.config.preprocessing.interpolation.upper()]
        return np.asarray(image.resize((size, size), method, reducing_gap=3.0))

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """Describe prepared pictures, in order."""
        described: list[Description] = []
        if pixels:
            feature_map, logits = self._encode(pixels)
            for sentences, labels in zip(self._search(feature_map), top_labels(logits), strict=True):
                hypotheses = [Hypothesis(self.vocabulary.sentence(one.ids), one.logprob) for one in sentences]
                best, others = hypotheses[0], tuple(hypotheses[1:])
                described.append(Description(best.caption, best.logprob, others, labels))
        return described

    def _search(self, feature_map: Tensor, *, with_attention: bool = False) -> list[list[Sentence]]:
        """Each photo's sentences, best first, none twice: two start tokens can lead to the same one."""
        search = self.config.search
        found = beam_search(
            self.decoder,
            self.decoder.annotate(feature_map),
            starts=[self.vocabulary.id(start) for start in search.starts],
            end=self.vocabulary.id(END),
            beam_size=self.beam_size,
            max_words=search.max_words,
            length_penalty=search.length_penalty,
            banned=() if search.speaks_special else self.vocabulary.unspoken,
            with_attention=with_attention,
        )
        return [list({one.ids: one for one in reversed(group)}.values())[::-1] for group in found]

    @torch.inference_mode()
    def _encode(self, pixels: Sequence[NDArray[np.uint8]]) -> tuple[Tensor, Tensor]:
        """Feature map (N, C, H, W) and ImageNet logits (N, 1000) of prepared pictures."""
        step = ENCODER_CHUNK[self.device.type]
        maps = [self.encoder(self.normalised(pixels[first : first + step])) for first in range(0, len(pixels), step)]
        feature_map = torch.cat(maps)
        return feature_map, self.encoder.classify(feature_map)

    def normalised(self, pixels: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Pictures as the network takes them: (N, 3, S, S), channels last in memory."""
        stacked = torch.from_numpy(np.stack(pixels)).to(self.device)
        mean, std = (torch.tensor(values, device=self.device) for values in (self.config.preprocessing.mean, self.config.preprocessing.std))
        scaled = (stacked.to(torch.float32) / 255 - mean) / std
        return scaled.to(self.precision).permute(0, 3, 1, 2)


def build(loaded: Checkpoint, device: torch.device, precision: torch.dtype) -> tuple[EfficientNetLite, AttentionDecoder]:
    """The networks with a checkpoint's weights, ready to run. Raises CheckpointError if names or shapes differ."""
    if loaded.config.encoder not in VARIANTS:
        raise CheckpointError(f"the checkpoint wants the encoder {loaded.config.encoder!r}, which this igsearch does not have: upgrade igsearch")
    networks = torch.nn.ModuleDict({"encoder": EfficientNetLite(loaded.config.encoder), "decoder": AttentionDecoder(loaded.config.decoder)})
    try:
        networks.load_state_dict(loaded.weights)
    except RuntimeError as err:
        raise CheckpointError("the checkpoint's weights do not have the shapes its configuration says: it is damaged or of another kind") from err
    networks.eval().requires_grad_(False).to(device=device, dtype=precision)
    networks["encoder"].to(memory_format=torch.channels_last)
    encoder, decoder = networks["encoder"], networks["decoder"]
    if not isinstance(encoder, EfficientNetLite) or not isinstance(decoder, AttentionDecoder):
        raise CheckpointError("the checkpoint holds other networks than an encoder and a decoder")
    return encoder, decoder
