"""From cached features and captions to the batches that a step learns from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data import Example, frequent_words
from training.sets import load_set

MAX_WORDS = 22
START = {"flickr8k": "<start>", "web": "<start:web>"}


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos with G captions each, by falling length of the longest caption.

    Lower-half features (N, 120, 17, 17), word ids (N, G, T + 1) that are 0 after the end, and per photo the words of its longest caption, `<end>` counted.
    """

    features: Tensor
    words: Tensor
    lengths: list[int]

    def active(self, t: int) -> int:
        """How many photos have a caption with a word at step `t`."""
        return sum(length > t for length in self.lengths)


def vocabulary(examples: list[Example], min_count: int) -> list[str]:
    """`<pad>` at 0, words by falling frequency, then `<unk>`, the start tokens and `<end>`."""
    captions = [reference for example in examples for reference in example.references]
    return ["<pad>", *frequent_words(captions, min_count=min_count), "<unk>", *START.values(), "<end>"]


class CachedSet:
    """Examples with their cached views and encoded captions. Raises ValueError if the cache is of another number of photos."""

    def __init__(self, examples: list[Example], cache: Path, word_ids: dict[str, int], *, max_words: int = MAX_WORDS) -> None:
        self.examples = examples
        self.views = np.load(cache, mmap_mode="r")
        if len(self.views) != len(examples):
            raise ValueError(f"{cache} holds {len(self.views)} photos, its set {len(examples)}: delete it and run training.cache_features again")
        unknown, end = word_ids["<unk>"], word_ids["<end>"]
        self.captions = [[[word_ids[START[e.style]], *(word_ids.get(w, unknown) for w in r[:max_words]), end] for r in e.references] for e in examples]

    def features(self, positions: list[int], rng: random.Random, *, views: range | None = None) -> Tensor:
        """Lower-half features (N, 120, 17, 17) bfloat16 of photos, each in a view drawn at random from `views`, by default from all."""
        choice = views or range(self.views.shape[1])
        picked = np.stack([self.views[p, rng.choice(choice)] for p in positions])
        return torch.from_numpy(picked).view(torch.bfloat16).permute(0, 3, 1, 2)


def cached_sets(examples: dict[str, list[Example]], cache: Path, words: list[str]) -> dict[str, CachedSet]:
    """Each set with the features that `training.cache_features` left in `cache`."""
    ids = {word: position for position, word in enumerate(words)}
    return {name: CachedSet(part, cache / f"{name}.npy", ids) for name, part in examples.items()}


def load_examples(data: Path) -> dict[str, list[Example]]:
    """The examples of every set that training learns from or is judged by."""
    return {name: load_set(data, name) for name in ("flickr8k-train", "web-photos-train", "flickr8k-val", "web-photos-val")}


def batches(sets: list[CachedSet], n_captions: int, rng: random.Random, keep: list[float]) -> Iterator[Batch]:
    """One epoch in steps of about `n_captions` captions, each from one set: few photos with five captions, or many with one."""
    chunks = []
    for one, share in zip(sets, keep, strict=True):
        order = [p for p in range(len(one.examples)) if rng.random() < share]
        rng.shuffle(order)
        size = max(1, n_captions // max(1, round(sum(map(len, one.captions)) / len(one.captions))))
        chunks += [(one, order[first : first + size]) for first in range(0, len(order), size)]
    rng.shuffle(chunks)
    for one, positions in chunks:
        yield make_batch(one, positions, rng)


def make_batch(one: CachedSet, positions: list[int], rng: random.Random) -> Batch:
    """The chosen photos of one set with all their captions."""
    n_captions = max(len(one.captions[p]) for p in positions)
    positions = sorted(positions, key=lambda p: -max(map(len, one.captions[p])))
    longest = max(map(len, one.captions[positions[0]]))
    words = torch.zeros(len(positions), n_captions, longest, dtype=torch.long)
    for row, p in enumerate(positions):
        for column, caption in enumerate(one.captions[p]):
            words[row, column, : len(caption)] = torch.tensor(caption)
    lengths = [max(map(len, one.captions[p])) - 1 for p in positions]
    return Batch(one.features(positions, rng), words, lengths)
