"""How good the decoder is between epochs: greedy captions of the validation sets, from cached features."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.batches import MAX_WORDS, START, CachedSet
from training.metrics import caption_scores

if TYPE_CHECKING:
    from igsearch.captioner.decoder import AttentionDecoder
    from igsearch.captioner.encoder import EfficientNetLite


def unspoken(words: list[str]) -> list[int]:
    """Ids of the special tokens that no caption contains: all but `<end>`."""
    return [words.index(word) for word in ("<pad>", "<unk>", *START.values())]


@torch.inference_mode()
def greedy(decoder: AttentionDecoder, feature_map: Tensor, *, start: int, banned: list[int]) -> Tensor:
    """Most probable word after most probable word: ids (N, MAX_WORDS)."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, 1)
    words = torch.full((len(feature_map), 1), start)
    out = []
    for _ in range(MAX_WORDS):
        embedded = decoder.embed(words)
        step = decoder.step(embedded, state, annotations)
        state = step.state
        logits = decoder.logits(embedded, state.hidden, step.context)
        logits[..., banned] = -math.inf
        words = logits.argmax(2)
        out.append(words)
    return torch.cat(out, 1)


def sentences(ids: Tensor, words: list[str], end: int) -> list[list[str]]:
    """Rows of ids to lists of words, cut before `<end>`."""
    return [[words[i] for i in (row[: row.index(end)] if end in row else row)] for row in ids.tolist()]


def evaluate(decoder: AttentionDecoder, encoder: EfficientNetLite, one: CachedSet, words: list[str], *, limit: int = 1000) -> dict[str, float]:
    """Scores of greedy captions of a cached set against their references. Leaves the decoder in training mode."""
    decoder.eval()
    start, end, banned = words.index(START[one.examples[0].style]), words.index("<end>"), unspoken(words)
    hypotheses = []
    count = min(limit, len(one.examples))
    for first in range(0, count, 100):
        positions = list(range(first, min(first + 100, count)))
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            feature_map = encoder.upper(one.features(positions, random.Random(0), views=range(1)))
            hypotheses += sentences(greedy(decoder, feature_map, start=start, banned=banned), words, end)
    decoder.train()
    return caption_scores(hypotheses, [e.references for e in one.examples[:count]])


def validate(decoder: AttentionDecoder, encoder: EfficientNetLite, sets: dict[str, CachedSet], words: list[str]) -> dict[str, dict[str, float]]:
    """Scores on both validation sets."""
    return {name: evaluate(decoder, encoder, sets[validation], words) for name, validation in (("flickr8k", "flickr8k-val"), ("web", "web-photos-val"))}
