"""How well a run's contrastive heads find photos: recall@k of captions as queries, R-precision of labels.

    python -m training.recall A/best.pt+B/best.pt:2 --data DIR --cache DIR [--sets coco-val …] [--json OUT]

Every caption of a validation set asks for its photo among all of the set (R@1, 5, 10, in per cent). A label asks for its photos among all labelled ones: how
many of the R likeliest are right, where R is how many there are. Photos and texts come from the caches of `training.cache_features` and `training.sentences`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from igsearch.captioner.efficientnet import HEAD_CHANNELS
from training.batches import cached_sets
from training.contrast import Heads
from training.run import load_run, mixture
from training.sets import CAPTIONED_VAL, SETS, VAL
from training.sweep import feature_maps, parse_mixture

if TYPE_CHECKING:
    from torch import Tensor

    from training.batches import CachedSet
    from training.run import SavedRun

KS = (1, 5, 10)


def recalls(similarity: Tensor, photo: Tensor) -> dict[str, float]:
    """R@k in per cent of Q queries (Q, N), whose photos are (Q,). Of equally near photos the wanted one counts as the last."""
    rank = (similarity >= similarity.gather(1, photo.unsqueeze(1))).sum(1)
    return {f"R@{k}": round(100 * float((rank <= k).float().mean()), 1) for k in KS}


def r_precision(similarity: Tensor, right: Tensor) -> float:
    """Mean over Q queries (Q, N) of the share of right photos (Q, N, boolean) among as many nearest ones as there are right ones, in per cent."""
    shares = [float(row[one.topk(int(row.sum())).indices].float().mean()) for one, row in zip(similarity, right, strict=True)]
    return 100 * sum(shares) / len(shares)


@torch.inference_mode()
def vectors(saved: SavedRun, one: CachedSet, sentences: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors of a set's photos (N, D) and of its texts (M, D)."""
    heads = Heads(HEAD_CHANNELS)
    heads.load_state_dict(saved["heads"])
    heads.eval()
    maps = feature_maps(saved, one, None)
    images = torch.cat([heads.image(chunk.float()) for chunk in torch.split(maps, 64)])
    return images, heads.text(sentences.float())


def main() -> None:
    """Print the figures of every set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mixture", metavar="MIXTURE", help="as for training.sweep")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=VAL, default=[*CAPTIONED_VAL, "labelled-val"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    saved = mixture([load_run(file) for file in parse_mixture(args.mixture)])
    found: dict[str, dict[str, float]] = {}
    for name, one in cached_sets(args.data, args.cache, args.sets, saved["words"]).items():
        images, texts = vectors(saved, one, torch.from_numpy(np.load(args.cache / f"{name}.sentences.npy")))
        rows = [range(group.start - one.first_text, group.stop - one.first_text) for group in one.texts]
        if SETS[name].style:
            queries = torch.tensor([row for group in rows for row in group])
            photo = torch.tensor([number for number, group in enumerate(rows) for _ in group])
            found[name] = recalls(texts[queries] @ images.T, photo)
        else:
            labels = sorted({str(example.label) for example in one.examples})
            right = torch.tensor([[example.label == label for example in one.examples] for label in labels])
            queries = torch.tensor([next(rows[number][0] for number, example in enumerate(one.examples) if example.label == label) for label in labels])
            found[name] = {"R-precision": round(r_precision(texts[queries] @ images.T, right), 1)}
        print(json.dumps({name: found[name]}), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
