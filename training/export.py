"""Turn the `best.pt` of one or more training runs into the checkpoint that ships: float16 safetensors, config, vocabulary, sums.

    python -m training.export RUN/best.pt [OTHER/best.pt …] --out src/igsearch/assets --name lite2-sat [--length-penalty 1.0]

The weights of several runs are averaged: between the model that cross-entropy gave and the one that self-critical training made of it lies one that is better
than both. A run named twice counts twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from igsearch.captioner import checkpoint
from igsearch.captioner.config import CaptionerConfig, DecoderConfig, Preprocessing, Search
from igsearch.captioner.vocabulary import Vocabulary
from training.batches import START, cached_sets
from training.cache_features import MEAN, SIZE, STD
from training.run import PARTS, load_run, mixture
from training.sets import CAPTIONED
from training.styles import with_styles


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--starts", nargs="+", default=list(START.values()), help="start tokens whose sentences compete")
    parser.add_argument("--length-penalty", type=float, default=0.0)
    parser.add_argument("--data", type=Path, help="with --cache: teach the decoder which start token suits a photo")
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    saved = mixture([load_run(path) for path in args.runs])
    if args.data and args.cache:
        saved = with_styles(saved, cached_sets(args.data, args.cache, CAPTIONED, saved["words"]))
    config = CaptionerConfig(
        name=args.name,
        encoder="efficientnet_lite2",
        decoder=DecoderConfig(**saved["config"]),
        preprocessing=Preprocessing(SIZE, (MEAN, MEAN, MEAN), (STD, STD, STD)),
        search=Search(starts=tuple(args.starts), length_penalty=args.length_penalty, max_words=30),
    )
    weights = {f"{part}.{key}": tensor for part in PARTS[:2] for key, tensor in saved[part].items()}
    checkpoint.save(args.out, config, Vocabulary(tuple(saved["words"])), weights)


if __name__ == "__main__":
    main()
