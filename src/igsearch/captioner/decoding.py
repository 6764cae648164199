"""Beam search over the sentences of many photos at once. No I/O, no network, no vocabulary: ids in, ids out, in numpy, whichever library says the words.

With `length_penalty=0` and nothing banned this is the search of the sgrvinod tutorial: hypotheses that end are set aside and leave the beam one narrower,
the winner is the finished one with the greatest sum of log-probabilities, and at most 51 words are tried. Letters in shapes: N photos, K hypotheses of each, B
continuations of each of those, P grid cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

Number = TypeVar("Number", bound=np.generic)


class Words(NamedTuple):
    """The likeliest next words of every hypothesis: log-probabilities and ids (N, K, B), best first, and where each looked, (N, K, P), summing to 1."""

    logprobs: Floats
    ids: Ids
    alpha: Floats


class Speaker(Protocol):
    """A decoder that looks at N photos and goes on with K sentences of each, one word at a time."""

    def styles(self, n_styles: int) -> Floats:
        """How likely a caption of each style is for each photo: log-probabilities (N, n_styles), zeros where the decoder does not weigh styles."""

    def say(self, photos: Ids, parents: Ids, words: Ids, n_best: int) -> Words:
        """Read the last word of every hypothesis and tell the `n_best` likeliest next ones.

        photos (N') are those, by position at the last call, that are still described; hypothesis k of each is the child of slot parents[:, k], words (N', K)
        its last word. Before the first call every photo has the one slot 0.
        """


class Seen(NamedTuple):
    """What an encoder made of N photos: ImageNet logits (N, 1000) where it gives any, the grid's height and width, and the decoder that looks at them."""

    logits: Floats | None
    grid: tuple[int, int]
    speaker: Speaker


@dataclass(frozen=True, slots=True)
class Sentence:
    """Word ids without the start token (with the end token if it was reached), the summed log-probability, and per word the attention over the P cells.

    `alpha` is (len(ids), P) if attention was asked for, else None.
    """

    ids: tuple[int, ...]
    logprob: float
    alpha: Floats | None = None

    def score(self, length_penalty: float) -> float:
        """Log-probability over ((5 + length) / 6) ** length_penalty (Wu et al. 2016, equation 14)."""
        return self.logprob / math.pow((5 + len(self.ids)) / 6, length_penalty)


@dataclass(slots=True)
class Beams:
    """The living hypotheses of the photos still being described. An empty slot stands at -inf.

    `photos` (N) are the photos' numbers, `width` (N) how many more sentences each may bring; `logprobs`, `parents` (slots at the step before) and `words`,
    (N, K), are the hypotheses' last step, `history` (N, K, T) and `alphas` (N, K, T, P) all their steps.
    """

    photos: Ids
    width: Ids
    logprobs: Floats
    parents: Ids
    words: Ids
    history: Ids
    alphas: Floats | None = None

    def keep(self, rows: Ids) -> None:
        """Drop every photo but those in `rows`."""
        self.photos, self.width, self.parents = self.photos[rows], self.width[rows], self.parents[rows]
        self.logprobs, self.words, self.history = self.logprobs[rows], self.words[rows], self.history[rows]
        self.alphas = None if self.alphas is None else self.alphas[rows]


def pick(values: NDArray[Number], slots: Ids) -> NDArray[Number]:
    """values[n, slots[n, k]] for values (N, K, …) and slots (N, K)."""
    return values[np.arange(len(values))[:, None], slots]


def begin(likelihoods: Floats, starts: Sequence[int], beam_size: int) -> Beams:
    """Hypotheses of a start token each, the likelier ones by likelihoods (N, starts) if the beam is narrower."""
    n_photos = len(likelihoods)
    styles = np.argsort(-likelihoods, axis=1, kind="stable")[:, :beam_size]
    return Beams(
        photos=np.arange(n_photos),
        width=np.full(n_photos, beam_size),
        logprobs=np.take_along_axis(likelihoods, styles, axis=1),
        parents=np.zeros_like(styles),
        words=np.asarray(starts)[styles],
        history=np.empty((n_photos, styles.shape[1], 0), dtype=np.int64),
    )


def best_continuations(logprobs: Floats, scores: Floats, at_most: int) -> tuple[Floats, Ids, Ids]:
    """The likeliest continuations, at most `at_most`, of each photo's hypotheses.

    logprobs (N, K) so far and scores (N, K, B) of next words give the new sums, their parent slots and which of the B it was, each (N, K'), best first; what is
    no number comes last.
    """
    sums = (logprobs[:, :, None] + scores).reshape(len(logprobs), -1)
    order = np.argsort(-sums, axis=1, kind="stable")[:, :at_most]
    return np.take_along_axis(sums, order, axis=1), order // scores.shape[2], order % scores.shape[2]


def advance(speaker: Speaker, beams: Beams, rows: Ids, *, with_attention: bool) -> None:
    """Read the last words, look at the photos, and go on to the likeliest continuations; `rows` (N) are the photos' positions at the step before."""
    n_living = int(beams.width.max())
    said = speaker.say(rows, beams.parents, beams.words, n_living)
    beams.logprobs, beams.parents, nth = best_continuations(beams.logprobs, said.logprobs, n_living)
    beams.logprobs[np.arange(beams.logprobs.shape[1]) >= beams.width[:, None]] = -np.inf
    beams.words = np.take_along_axis(pick(said.ids, beams.parents), nth[:, :, None], axis=2)[:, :, 0]
    beams.history = np.concatenate([pick(beams.history, beams.parents), beams.words[:, :, None]], axis=2)
    if with_attention:
        alpha = said.alpha[:, :, None] if beams.alphas is None else np.concatenate([beams.alphas, said.alpha[:, :, None]], axis=2)
        beams.alphas = pick(alpha, beams.parents)


def set_aside(beams: Beams, ended: NDArray[np.bool_], found: list[list[Sentence]]) -> None:
    """Move the hypotheses marked in `ended` (N, K) to `found` and narrow their photos' beams."""
    for row, slot in np.argwhere(ended).tolist():
        found[beams.photos[row]].append(sentence(beams, row, slot))
    beams.logprobs[ended] = -np.inf
    beams.width = beams.width - ended.sum(axis=1)


def sentence(beams: Beams, row: int, slot: int) -> Sentence:
    """One hypothesis as it stands."""
    alpha = None if beams.alphas is None else beams.alphas[row, slot]
    return Sentence(tuple(beams.history[row, slot].tolist()), float(beams.logprobs[row, slot]), alpha)


def beam_search(
    speaker: Speaker,
    *,
    starts: Sequence[int],
    end: int,
    beam_size: int = 5,
    max_words: int = 50,
    length_penalty: float = 0.0,
    with_attention: bool = False,
) -> list[list[Sentence]]:
    """Describe the photos that `speaker` looks at: for each, its finished sentences, best first by `Sentence.score`.

    The beam begins with the tokens `starts`, whose continuations compete for its places; each brings the log-probability of its style for the photo. A beam
    narrower than that begins with the likeliest ones. At most `max_words` + 1 words are tried. A photo for which nothing ended gets its best unfinished
    sentence alone.
    """
    beams = begin(speaker.styles(len(starts)), starts, beam_size)
    found: list[list[Sentence]] = [[] for _ in beams.photos]
    rows = beams.photos
    for _ in range(max_words + 1 if found else 0):
        advance(speaker, beams, rows, with_attention=with_attention)
        ended = (beams.words == end) & np.isfinite(beams.logprobs)
        set_aside(beams, ended, found)
        rows = np.flatnonzero(beams.width > 0)
        beams.keep(rows)
        if not len(rows):
            break
    for row, photo in enumerate(beams.photos):
        living = np.where(np.isfinite(beams.logprobs[row]), beams.logprobs[row], -np.inf)
        if not found[photo] and np.isfinite(living).any():
            found[photo].append(sentence(beams, row, int(living.argmax())))
    return [sorted(group, key=lambda one: -one.score(length_penalty)) for group in found]
