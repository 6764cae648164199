"""Beam search over the sentences of many photos at once. No I/O, no vocabulary: ids in, ids out.

With `length_penalty=0` and nothing banned this is the search of the sgrvinod tutorial: hypotheses that end are set aside and leave the beam one narrower,
the winner is the finished one with the greatest sum of log-probabilities, and at most 51 words are tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from igsearch.captioner.decoder import Annotations, AttentionDecoder, State


@dataclass(frozen=True, slots=True)
class Sentence:
    """Word ids without the start token (with the end token if it was reached), the summed log-probability, and per word the attention over the P cells.

    `alpha` is (len(ids), P) if attention was asked for, else None.
    """

    ids: tuple[int, ...]
    logprob: float
    alpha: Tensor | None = None

    def score(self, length_penalty: float) -> float:
        """Log-probability over ((5 + length) / 6) ** length_penalty (Wu et al. 2016, equation 14)."""
        return self.logprob / math.pow((5 + len(self.ids)) / 6, length_penalty)


@dataclass(slots=True)
class Beams:
    """The living hypotheses of the photos still being described; the rest of a narrowed beam stands at -inf."""

    photos: list[int]
    width: Tensor
    logprobs: Tensor
    words: Tensor
    state: State
    annotations: Annotations
    history: Tensor
    alphas: list[Tensor] = field(default_factory=list)

    def keep(self, rows: Tensor) -> None:
        """Drop every photo but those in `rows`."""
        self.photos = [self.photos[row] for row in rows.tolist()]
        self.width, self.logprobs, self.words = self.width[rows], self.logprobs[rows], self.words[rows]
        self.state, self.annotations, self.history = self.state.photos(rows), self.annotations.photos(rows), self.history[rows]
        self.alphas = [alpha[rows] for alpha in self.alphas]

    def reorder(self, parents: Tensor) -> None:
        """Make slot k of every photo the child of slot `parents[:, k]`."""
        self.state = State(pick(self.state.hidden, parents), pick(self.state.cell, parents))
        self.history = pick(self.history, parents)
        self.alphas = [pick(alpha, parents) for alpha in self.alphas]


def pick(values: Tensor, slots: Tensor) -> Tensor:
    """values[n, slots[n, k]] for values (N, K, …) and slots (N, K)."""
    return values[torch.arange(len(values), device=values.device).unsqueeze(1), slots]


def begin(decoder: AttentionDecoder, annotations: Annotations, *, starts: Sequence[int], beam_size: int) -> Beams:
    """Every photo with `beam_size` slots: the first ones hold the start tokens, the likeliest for the photo before others, and the rest nothing yet."""
    n_photos, device = len(annotations.values), annotations.values.device
    logprobs = torch.full((n_photos, beam_size), -math.inf, device=device)
    words = torch.full((n_photos, beam_size), starts[0], device=device)
    n_begun = min(len(starts), beam_size)
    likelihoods, styles = decoder.style_logprobs(annotations, len(starts)).sort(dim=1, descending=True, stable=True)
    logprobs[:, :n_begun] = likelihoods[:, :n_begun]
    words[:, :n_begun] = torch.tensor(starts, device=device)[styles[:, :n_begun]]
    return Beams(
        photos=list(range(n_photos)),
        width=torch.full((n_photos,), beam_size, device=device),
        logprobs=logprobs,
        words=words,
        state=decoder.start(annotations, beam_size),
        annotations=annotations,
        history=torch.empty(n_photos, beam_size, 0, dtype=torch.long, device=device),
    )


def best_continuations(logprobs: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The K likeliest one-word continuations of each photo's K hypotheses.

    logprobs (N, K) so far and scores (N, K, V) of the next word give the new sums, their parent slots and their words, each (N, K), best first.
    """
    _, beam_size, n_words = scores.shape
    per_slot, words = scores.topk(min(beam_size, n_words), dim=2)
    sums, position = (logprobs.unsqueeze(2) + per_slot).flatten(1).topk(beam_size, dim=1)
    return sums, position // per_slot.shape[2], words.flatten(1).gather(1, position)


def advance(decoder: AttentionDecoder, beams: Beams, *, banned: Tensor, with_attention: bool) -> None:
    """Read the last words, look at the photo, and go on to the likeliest continuations."""
    embedded = decoder.embed(beams.words)
    step = decoder.step(embedded, beams.state, beams.annotations)
    logits = decoder.logits(embedded, step.state.hidden, step.context).float()
    logits[..., banned] = -math.inf
    beams.state = step.state
    if with_attention:
        beams.alphas.append(step.alpha)
    beams.logprobs, parents, beams.words = best_continuations(beams.logprobs, torch.log_softmax(logits, dim=2))
    slots = torch.arange(beams.logprobs.shape[1], device=parents.device)
    beams.logprobs = beams.logprobs.masked_fill(slots >= beams.width.unsqueeze(1), -math.inf)
    beams.reorder(parents)
    beams.history = torch.cat([beams.history, beams.words.unsqueeze(2)], dim=2)


def set_aside(beams: Beams, ended: Tensor, found: list[list[Sentence]]) -> None:
    """Move the hypotheses marked in `ended` (N, K) to `found` and narrow their photos' beams."""
    for row, slot in ended.nonzero().tolist():
        found[beams.photos[row]].append(sentence(beams, row, slot))
    beams.logprobs = beams.logprobs.masked_fill(ended, -math.inf)
    beams.width = beams.width - ended.sum(dim=1)


def sentence(beams: Beams, row: int, slot: int) -> Sentence:
    """One hypothesis as it stands."""
    alpha = torch.stack([alpha[row, slot] for alpha in beams.alphas]).cpu() if beams.alphas else None
    return Sentence(tuple(beams.history[row, slot].tolist()), float(beams.logprobs[row, slot]), alpha)


@torch.inference_mode()
def beam_search(
    decoder: AttentionDecoder,
    annotations: Annotations,
    *,
    starts: Sequence[int],
    end: int,
    beam_size: int = 5,
    max_words: int = 50,
    length_penalty: float = 0.0,
    banned: Sequence[int] = (),
    with_attention: bool = False,
) -> list[list[Sentence]]:
    """Describe N photos: for each, its finished sentences, best first by `Sentence.score`.

    The beam begins with the tokens `starts`, whose continuations compete for its places; each brings the log-probability of its style for the photo. A beam
    narrower than that begins with the likeliest ones. At most `max_words` + 1 words are tried. A photo for which nothing ended gets its best unfinished
    sentence alone.
    """
    if not len(annotations.values):
        return []
    beams = begin(decoder, annotations, starts=starts, beam_size=beam_size)
    not_allowed = torch.tensor(list(banned), dtype=torch.long, device=annotations.values.device)
    found: list[list[Sentence]] = [[] for _ in beams.photos]
    for _ in range(max_words + 1):
        advance(decoder, beams, banned=not_allowed, with_attention=with_attention)
        ended = (beams.words == end) & beams.logprobs.isfinite()
        if bool(ended.any()):
            set_aside(beams, ended, found)
            alive = (beams.width > 0).nonzero().squeeze(1)
            if not len(alive):
                break
            beams.keep(alive)
    for row, photo in enumerate(beams.photos):
        if not found[photo] and beams.logprobs[row].isfinite().any():
            found[photo].append(sentence(beams, row, int(beams.logprobs[row].argmax())))
    return [sorted(group, key=lambda one: -one.score(length_penalty)) for group in found]
