"""How good the decoder is between epochs: greedy captions of the validation sets, from cached features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.batches import MAX_WORDS, START, CachedSet
from training.metrics import caption_scores

if TYPE_CHECKING:
    from igsearch.captioner.decoder import AttentionDecoder
    from training.learning import Networks


def unspoken(words: list[str]) -> list[int]:
    """Ids of the special tokens that no caption contains: all but `<end>`."""
    return [words.index(word) for word in ("<pad>", "<unk>", *START.values())]


@torch.inference_mode()
def greedy(decoder: AttentionDecoder, feature_map: Tensor, *, start: int, banned: list[int], forced: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Most probable word after most probable word, the first ones those of `forced` (N, F) if given: ids and log-probabilities (N, MAX_WORDS)."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, 1)
    words = torch.full((len(feature_map), 1), start, device=feature_map.device)
    out, likelihoods = [], []
    for position in range(MAX_WORDS):
        embedded = decoder.embed(words)
        step = decoder.step(embedded, state, annotations)
        state = step.state
        logits = decoder.logits(embedded, state.hidden, step.context).float()
        logits[..., banned] = -math.inf
        words = forced[:, position : position + 1] if forced is not None and position < forced.shape[1] else logits.argmax(2)
        out.append(words)
        likelihoods.append(logits.log_softmax(2).gather(2, words.unsqueeze(2)).squeeze(2))
    return torch.cat(out, 1), torch.cat(likelihoods, 1)


def sentences(ids: Tensor, words: list[str], end: int) -> list[list[str]]:
    """Rows of ids to lists of words, cut before `<end>`."""
    return [[words[i] for i in (row[: row.index(end)] if end in row else row)] for row in ids.tolist()]


def evaluate(networks: Networks, one: CachedSet, words: list[str], *, limit: int = 1000) -> dict[str, float]:
    """Scores of greedy captions of a cached set against their references. Leaves the decoder in training mode."""
    networks.decoder.eval()
    start, end, banned = words.index(START[one.examples[0].style]), words.index("<end>"), unspoken(words)
    hypotheses = []
    count = min(limit, len(one))
    for first in range(0, count, 100):
        with torch.inference_mode(), networks.machine.autocast():
            feature_map = networks.look(one.features(range(first, min(first + 100, count))))
            hypotheses += sentences(greedy(networks.decoder, feature_map, start=start, banned=banned)[0], words, end)
    networks.decoder.train()
    return caption_scores(hypotheses, [e.references for e in one.examples[:count]])


def validate(networks: Networks, sets: dict[str, CachedSet], words: list[str], *, limit: int = 1000) -> dict[str, dict[str, float]]:
    """Scores on each validation set."""
    return {name: {key: round(value, 2) for key, value in evaluate(networks, one, words, limit=limit).items()} for name, one in sets.items()}
