"""From cached features and captions to the batches that a step learns from."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.data import Example, frequent_words
from training.sets import SETS, load_set

MAX_WORDS = 22
START = {"flickr8k": "<start>", "coco": "<start:coco>", "web": "<start:web>"}
"""The start token of each style of caption, in the order in which a checkpoint lists them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """N photos and R captions of theirs, captions by falling length.

    Lower-half features (N, 120, 17, 17); per caption the position of its photo (R,), its word ids (R, T + 1), 0 after the end, and how many follow the start.
    `texts` is per photo the row of a sentence vector that says what it shows, (N,), -1 for none.
    """

    features: Tensor
    photos: Tensor
    words: Tensor
    lengths: list[int]
    texts: Tensor

    def active(self, t: int) -> int:
        """How many captions have a word to predict at step `t`."""
        return sum(length > t for length in self.lengths)


class Portion(NamedTuple):
    """What a step takes of a set: so many photos, and of each at most so many of its captions."""

    name: str
    n_photos: int
    n_captions: int

    @classmethod
    def parse(cls, text: str) -> Portion:
        """`coco-train=64x1`."""
        name, _, sizes = text.partition("=")
        n_photos, _, n_captions = sizes.partition("x")
        if name not in SETS or not n_photos.isdigit() or not n_captions.isdigit():
            raise argparse.ArgumentTypeError(f"{text!r} is not a portion such as coco-train=64x1; the sets are {', '.join(SETS)}")
        return cls(name, int(n_photos), int(n_captions))


def vocabulary(captions: Sequence[Sequence[str]], min_count: int) -> list[str]:
    """`<pad>` at 0, words by falling frequency, then `<unk>`, the start tokens and `<end>`."""
    return ["<pad>", *frequent_words(captions, min_count=min_count), "<unk>", *START.values(), "<end>"]


class CachedSet:
    """Examples with their cached views and encoded captions. Raises ValueError if the cache is of another number of photos.

    `first_text` is the row of the first photo's first text among the sentence vectors of all sets, which follow each other in the order of the photos.
    """

    def __init__(
        self, examples: list[Example], views: list[Path], word_ids: dict[str, int], *, dropped: frozenset[str] = frozenset(), first_text: int = 0
    ) -> None:
        self.views = [np.load(view, mmap_mode="r") for view in views]
        for view, features in zip(views, self.views, strict=True):
            if len(features) != len(examples):
                raise ValueError(f"{view} holds {len(features)} photos, its set {len(examples)}: delete it and run training.cache_features again")
        self.rows = [row for row, example in enumerate(examples) if example.path.name not in dropped]
        self.examples = [examples[row] for row in self.rows]
        unknown, end = word_ids["<unk>"], word_ids["<end>"]
        self.captions = [
            [[word_ids[START[e.style]], *(word_ids.get(word, unknown) for word in reference[:MAX_WORDS]), end] for reference in e.references]
            for e in self.examples
        ]
        self.first_text = first_text
        firsts = np.cumsum([first_text, *(len(example.texts) for example in examples)])
        self.n_texts = int(firsts[-1]) - first_text
        self.texts = [range(firsts[row], firsts[row + 1]) for row in self.rows]

    def __len__(self) -> int:
        return len(self.examples)

    def features(self, positions: Sequence[int], rng: random.Random | None = None) -> Tensor:
        """Lower-half features (N, 120, 17, 17) bfloat16 of photos, each in a view drawn at random; without `rng` in the unaltered one."""
        picked = np.stack([(rng.choice(self.views) if rng else self.views[0])[self.rows[p]] for p in positions])
        return torch.from_numpy(picked).view(torch.bfloat16).permute(0, 3, 1, 2)


def dropped_photos(data: Path) -> dict[str, frozenset[str]]:
    """Per set the file names that `training.duplicates` told to leave out; nothing if it was not run."""
    file = data / "duplicates.json"
    lists: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {name: frozenset(names) for name, names in lists.items()}


def cached_sets(data: Path, cache: Path, names: Sequence[str], words: list[str]) -> dict[str, CachedSet]:
    """Each set with the views that `training.cache_features` left in `cache`, without the photos that `training.duplicates` told to leave out."""
    ids, dropped, first_text = {word: position for position, word in enumerate(words)}, dropped_photos(data), 0
    sets: dict[str, CachedSet] = {}
    for name in names:
        views = [cache / f"{name}.0.npy", *sorted(cache.glob(f"{name}.[1-9].npy"))]
        sets[name] = CachedSet(load_set(data, name), views, ids, dropped=dropped.get(name, frozenset()), first_text=first_text)
        first_text += sets[name].n_texts
    return sets


def make_batch(parts: Sequence[tuple[CachedSet, Sequence[int]]], rng: random.Random, n_captions: Sequence[int]) -> Batch:
    """Photos of several sets by their positions, each with at most so many of its captions, drawn at random."""
    photos = [(one, p, limit) for (one, positions), limit in zip(parts, n_captions, strict=True) for p in positions]
    captions = [
        (caption, number)
        for number, (one, p, limit) in enumerate(photos)
        for caption in (one.captions[p] if len(one.captions[p]) <= limit else rng.sample(one.captions[p], limit))
    ]
    captions.sort(key=lambda pair: -len(pair[0]))
    words = torch.zeros(len(captions), len(captions[0][0]) if captions else 1, dtype=torch.long)
    for row, (caption, _) in enumerate(captions):
        words[row, : len(caption)] = torch.tensor(caption)
    return Batch(
        features=torch.cat([one.features(positions, rng) for one, positions in parts if len(positions)]),
        photos=torch.tensor([number for _, number in captions], dtype=torch.long),
        words=words,
        lengths=[len(caption) - 1 for caption, _ in captions],
        texts=torch.tensor([rng.choice(one.texts[p]) if len(one.texts[p]) else -1 for one, p, _ in photos]),
    )


class Dealer:
    """Deals batches of fixed portions; every set is shuffled anew each time that it has been dealt out."""

    def __init__(self, sets: dict[str, CachedSet], portions: Sequence[Portion], rng: random.Random) -> None:
        self.sets, self.portions, self.rng = sets, portions, rng
        self._decks: dict[str, list[int]] = {portion.name: [] for portion in portions}

    def positions(self, portion: Portion) -> list[int]:
        """The next photos of a set."""
        deck, size = self._decks[portion.name], min(portion.n_photos, len(self.sets[portion.name]))
        if len(deck) < size:
            deck[:] = range(len(self.sets[portion.name]))
            self.rng.shuffle(deck)
        drawn = deck[-size:] if size else []
        del deck[len(deck) - size :]
        return drawn

    def deal(self) -> Batch:
        """The next batch."""
        parts = [(self.sets[portion.name], self.positions(portion)) for portion in self.portions]
        return make_batch(parts, self.rng, [portion.n_captions for portion in self.portions])
