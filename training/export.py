"""Turn a training run's `best.pt` into the checkpoint that ships: float16 safetensors, config, vocabulary, sums.

python -m training.export RUN/best.pt --out src/igsearch/assets --name lite2-sat
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from igsearch.captioner import checkpoint
from igsearch.captioner.config import CaptionerConfig, Preprocessing, Search
from igsearch.captioner.decoder import DecoderConfig
from igsearch.captioner.vocabulary import Vocabulary
from training.cache_features import MEAN, SIZE, STD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--length-penalty", type=float, default=0.0)
    args = parser.parse_args()
    saved = torch.load(args.run, weights_only=True, map_location="cpu")
    config = CaptionerConfig(
        name=args.name,
        encoder="efficientnet_lite2",
        decoder=DecoderConfig(**saved["config"]),
        preprocessing=Preprocessing(SIZE, (MEAN,) * 3, (STD,) * 3),
        search=Search(start="<start>", length_penalty=args.length_penalty, max_words=30),
    )
    weights = {f"{part}.{key}": tensor for part in ("encoder", "decoder") for key, tensor in saved[part].items()}
    checkpoint.save(args.out, config, Vocabulary(tuple(saved["words"])), weights)


if __name__ == "__main__":
    main()
