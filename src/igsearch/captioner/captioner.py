"""The captioner as the rest of igsearch sees it: pictures in, descriptions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from igsearch.captioner import checkpoint
from igsearch.captioner.attention import Look
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.decoding import Sentence, beam_search
from igsearch.captioner.device import choose_device, choose_precision
from igsearch.captioner.encoder import VARIANTS, EfficientNetLite
from igsearch.captioner.labels import top_labels
from igsearch.captioner.resnet import BLOCKS, ResNetEncoder
from igsearch.captioner.vocabulary import END, is_special
from igsearch.errors import CheckpointError
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
        self.device = choose_device(device)
        loaded = checkpoint.load(folder or checkpoint.packaged())
        self.precision = precision or (choose_precision(self.device) if loaded.is_half else torch.float32)
        self.config, self.vocabulary, self.digest = loaded.config, loaded.vocabulary, loaded.digest
        self.beam_size = beam_size or loaded.config.search.beam_size
        self.name = checkpoint.captioner_name(loaded.config, loaded.digest, beam_size)
        self.encoder, self.decoder = build(loaded, self.device, self.precision)

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
        described: list[Description] = []
        if pixels:
            feature_map, logits = self._encode(pixels)
            all_labels = [()] * len(pixels) if logits is None else top_labels(logits)
            for sentences, labels in zip(self._search(feature_map), all_labels, strict=True):
                best, *others = self._hypotheses(sentences)
                described.append(Description(best.caption, best.logprob, tuple(others), labels))
        return described

    def _hypotheses(self, sentences: list[Sentence]) -> list[Hypothesis]:
        """Sentences in words, in order, of two that read alike the first. Raises CheckpointError if there are none."""
        if not sentences:
            raise CheckpointError(f"the captioner {self.config.name!r} computes what is no number: its weights are damaged; convert or install it again")
        spoken = [Hypothesis(self.vocabulary.sentence(one.ids), one.logprob) for one in sentences]
        return list({one.caption: one for one in reversed(spoken)}.values())[::-1]

    def attend(self, pixels: NDArray[np.uint8]) -> list[Look]:
        """The best sentence for one prepared picture, word by word, each with its attention over the grid."""
        feature_map, _ = self._encode([pixels])
        best = self._search(feature_map, with_attention=True)[0][0]
        height, width = feature_map.shape[2:]
        if best.alpha is None:
            return []
        words = (self.vocabulary.words[position] for position in best.ids)
        grids = best.alpha.float().reshape(-1, height, width).numpy()
        return [Look(word, grid) for word, grid in zip(words, grids, strict=True) if not is_special(word)]

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
    def _encode(self, pixels: Sequence[NDArray[np.uint8]]) -> tuple[Tensor, Tensor | None]:
        """Feature map (N, C, H, W) and ImageNet logits (N, 1000), where the encoder gives any, of prepared pictures."""
        step = ENCODER_CHUNK[self.device.type]
        maps = [self.encoder(self.normalised(pixels[first : first + step])) for first in range(0, len(pixels), step)]
        feature_map = torch.cat(maps)
        logits = self.encoder.classify(feature_map)
        return (F.adaptive_avg_pool2d(feature_map, self.config.grid) if self.config.grid else feature_map), logits

    def normalised(self, pixels: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Pictures as the network takes them: (N, 3, S, S), channels last in memory."""
        stacked = torch.from_numpy(np.stack(pixels)).to(self.device)
        mean, std = (torch.tensor(values, device=self.device) for values in (self.config.preprocessing.mean, self.config.preprocessing.std))
        scaled = (stacked.to(torch.float32) / 255 - mean) / std
        return scaled.to(self.precision).permute(0, 3, 1, 2)


def build(loaded: Checkpoint, device: torch.device, precision: torch.dtype) -> tuple[EfficientNetLite | ResNetEncoder, AttentionDecoder]:
    """The networks with a checkpoint's weights, ready to run. Raises CheckpointError if names or shapes differ, or a weight is not finite."""
    with torch.device("meta"):  # nothing is initialised only to be overwritten, and no memory is taken before the shapes are known to be right
        encoder, decoder = build_encoder(loaded.config.encoder), AttentionDecoder(loaded.config.decoder)
    networks = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    try:
        networks.load_state_dict(loaded.weights, assign=True)
    except RuntimeError as err:
        raise CheckpointError("the checkpoint's weights do not have the shapes its configuration says: it is damaged or of another kind") from err
    if not all(bool(weight.isfinite().all()) for weight in loaded.weights.values()):
        raise CheckpointError("some of the checkpoint's weights are not numbers: it is damaged")
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
