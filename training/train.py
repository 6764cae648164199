"""Train by cross-entropy on cached features; with --finetune the encoder's upper stages learn along, with --contrast the heads for photos and sentences.

    python -m training.train --config training/configs/joint.toml --data DIR --cache DIR --init RUN/last.pt --out DIR

A step takes a portion of every set, each photo in one of its cached views. Start tokens tell the sets apart. Every epoch is judged by greedy captions of the
validation sets and saved as `epoch<n>.pt`; `best.pt` is the one with the highest mean CIDEr over the sets with human captions.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.efficientnet import HEAD_CHANNELS
from training.batches import Batch, Dealer, cached_sets, vocabulary
from training.learning import Learner, Networks, common_options, cosine, parse
from training.processes import Processes
from training.run import Run, load_run
from training.sets import load_set

N_OTHER_TEXTS = 1024
"""Sentences of other photos that a photo's own is told apart from, beside those of its batch."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    common_options(parser)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--annotation-dim", type=int, default=512)
    parser.add_argument("--attention-dim", type=int, default=256)
    parser.add_argument("--embed-dim", type=int, default=512)
    parser.add_argument("--decoder-dim", type=int, default=768)
    parser.set_defaults(lr=8e-4, dropout=0.5, input_dropout=0.3, ema=0.998, clip=2.0)
    return parse(parser)


class CrossEntropy:
    """The objective: the next word of every caption, labels that stay true, and photos near their sentences.

    `sentences` (S, 512) are the vectors of all texts, in the order in which the batches count them; `kinds` (S,) is the same number for equal texts.
    """

    def __init__(self, args: argparse.Namespace, networks: Networks, dealer: Dealer, sentences: Tensor | None, kinds: Tensor | None) -> None:
        self.args, self.networks, self.dealer, self.sentences, self.kinds = args, networks, dealer, sentences, kinds

    def __call__(self, rng: random.Random) -> dict[str, float]:
        """Gradients of one batch."""
        networks, batch = self.networks, self.dealer.deal()
        networks.decoder.train()
        with networks.machine.autocast():
            feature_map = networks.look(batch.features)
            caption, n_words = networks.caption_loss(feature_map, batch, self.args.smoothing)
            drift = networks.drift(feature_map, batch.features)
            contrast = self.contrast(feature_map, batch, rng) if self.args.contrast else feature_map.new_zeros(())
        (caption + self.args.keep_labels * drift + self.args.contrast * contrast).backward()
        return {"loss": caption.item(), "drift": drift.item(), "contrast": contrast.item(), "words": n_words}

    def contrast(self, feature_map: Tensor, batch: Batch, rng: random.Random) -> Tensor:
        """The contrastive loss of a batch against its own sentences and some of others. Raises ValueError without sentence vectors."""
        if self.sentences is None or self.kinds is None or self.networks.heads is None:
            raise ValueError("--contrast needs the sentence vectors of training.sentences")
        others = torch.tensor(rng.sample(range(len(self.sentences)), min(N_OTHER_TEXTS, len(self.sentences))))
        texts = torch.cat([batch.texts, others])
        same = self.kinds[batch.texts].unsqueeze(1) == self.kinds[texts]
        device = self.networks.machine.device
        return self.networks.heads.loss(feature_map, self.sentences[texts].float().to(device), same.to(device))


def sentence_vectors(args: argparse.Namespace, names: list[str]) -> tuple[Tensor, Tensor]:
    """The vectors (S, 512) of all texts of the training sets and which of them are the same text (S,)."""
    vectors = torch.from_numpy(np.concatenate([np.load(args.cache / f"{name}.sentences.npy") for name in names]))
    numbers: dict[str, int] = {}
    kinds = [numbers.setdefault(text, len(numbers)) for name in names for example in load_set(args.data, name) for text in example.texts]
    if len(kinds) != len(vectors):
        raise ValueError(f"there are {len(vectors)} sentence vectors for {len(kinds)} texts: run training.sentences again")
    return vectors, torch.tensor(kinds)


def training_vocabulary(data: Path, names: list[str], min_count: int) -> list[str]:
    """The words of the captions of some sets."""
    return vocabulary([reference for name in names for example in load_set(data, name) for reference in example.references], min_count)


def main() -> None:
    """Train as the command line says."""
    args = arguments()
    run = Run(args)
    torch.manual_seed(args.seed)
    rng = random.Random(f"{args.seed} {Processes.join().rank}")
    names = [portion.name for portion in args.portions]
    saved = load_run(args.init) if args.init else None
    words = saved["words"] if saved else training_vocabulary(args.data, names, args.min_count)
    sizes = (len(words), HEAD_CHANNELS, args.attention_dim, args.embed_dim, args.decoder_dim, args.annotation_dim)
    config = DecoderConfig(**saved["config"]) if saved else DecoderConfig(*sizes, deep_output=True)
    cached = cached_sets(args.data, args.cache, [*names, *args.validate], words)
    networks = Networks.of(args, saved, config)
    sentences, kinds = sentence_vectors(args, names) if args.contrast else (None, None)
    objective = CrossEntropy(args, networks, Dealer(cached, args.portions, rng), sentences, kinds)
    Learner(args, networks, cosine, weight_decay=1e-2).train(run, objective, cached, words, rng)


if __name__ == "__main__":
    main()
