"""Turn a checkpoint into a run to go on from, with a place for every word and start token that new captions bring.

    python -m training.grow src/igsearch/assets --data DIR --out start.pt [--sets flickr8k-train coco-train …] [--min-count 5]

Words that the checkpoint knows keep what it learned of them, also where they are rare now. A new one starts as the mean of the rarest known words, a new start
token as `<start>`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from igsearch.captioner import checkpoint
from training.batches import vocabulary
from training.run import SavedRun
from training.sets import TRAIN, load_set

N_RARE = 500
"""How many of the least frequent known words a new word starts as the mean of."""
SPREAD = 0.02
"""Standard deviation by which new word vectors differ, so that they can part."""


def grown_rows(old: Tensor, known: list[str], words: list[str], generator: torch.Generator) -> Tensor:
    """Rows (or numbers) per word for `words` from those of `known`, which stand by falling frequency."""
    positions = {word: row for row, word in enumerate(known)}
    plain = [row for row, word in enumerate(known) if not word.startswith("<")]
    fresh = old[plain[-N_RARE:]].mean(0)
    rows = []
    for word in words:
        if word in positions:
            rows.append(old[positions[word]])
        elif word.startswith("<start"):
            rows.append(old[positions["<start>"]])
        else:
            rows.append(fresh + (SPREAD * torch.randn(fresh.shape, generator=generator) if fresh.ndim else 0))
    return torch.stack(rows)


def grown(loaded: checkpoint.Checkpoint, captions: Sequence[Sequence[str]], texts: Sequence[str], min_count: int) -> SavedRun:
    """A checkpoint that also knows the words of `captions` seen often enough and all of `texts`; what weighed its styles is left out."""
    known = list(loaded.vocabulary.words)
    wanted = dict.fromkeys([*vocabulary(captions, min_count), *(word for text in texts for word in text.split())])
    plain = [word for word in dict.fromkeys([*known, *wanted]) if not word.startswith("<")]
    special = [word for word in dict.fromkeys([*wanted, *known]) if word.startswith("<")]
    words = ["<pad>", *plain, *(word for word in special if word != "<pad>")]
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
    generator = torch.Generator().manual_seed(0)
    for name, tensor in loaded.weights.items():
        part, _, key = name.partition(".")
        if key in ("embedding.weight", "fc.weight", "fc.bias"):
            parts[part][key] = grown_rows(tensor.float(), known, words, generator)
        elif not key.startswith("style."):
            parts[part][key] = tensor.float()
    config = asdict(replace(loaded.config.decoder, vocabulary_size=len(words), n_styles=None))
    return SavedRun(words=words, config=config, encoder=parts["encoder"], decoder=parts["decoder"], heads={}, row={"grown_from": loaded.digest})


def main() -> None:
    """Write the run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=TRAIN, default=TRAIN)
    parser.add_argument("--min-count", type=int, default=5)
    args = parser.parse_args()
    examples = [example for name in args.sets for example in load_set(args.data, name)]
    captions = [reference for example in examples for reference in example.references]
    labels = sorted({example.label.replace("-", " ") for example in examples if example.label})
    saved = grown(checkpoint.load(args.checkpoint), captions, labels, args.min_count)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(saved, args.out)
    print(f"{len(saved['words'])} words in {args.out}")


if __name__ == "__main__":
    main()
