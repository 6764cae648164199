"""Whether captions stay as good in other engines and precisions: the same photos described by each, scored against the same references.

    python -m training.engines --dataset X.json[.gz] --images DIR [--limit N] [--json OUT]

For each way to compute: BLEU-4, CIDEr and their fellows times 100, in how many photos the caption is that of float32, and how far the log-probabilities of
those lie apart. A way is as good as another where BLEU-4 and CIDEr are at most 0.2 lower.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch import images
from igsearch.captioner.captioner import Captioner
from training.data import Example, read_karpathy
from training.metrics import caption_scores

if TYPE_CHECKING:
    from igsearch.records import Description

WAYS = (("onnx", "float32"), ("onnx", "int8"), ("torch", "bfloat16"))
"""Engine and precision; all are compared with the first."""


def described(captioner: Captioner, examples: list[Example], batch_size: int = 32) -> list[Description]:
    """One description per example."""
    found: list[Description] = []
    for first in range(0, len(examples), batch_size):
        found += captioner.describe([captioner.prepare(images.decode(one.path.read_bytes())) for one in examples[first : first + batch_size]])
    return found


def main() -> None:
    """Describe with each, score and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    examples = read_karpathy(args.dataset, args.images, style="any")[: args.limit]
    report: dict[str, object] = {"dataset": args.dataset.name, "n_photos": len(examples)}
    exact: list[Description] = []
    for engine, precision in WAYS:
        found = described(Captioner(device="cpu", engine=engine, precision=precision), examples)
        exact = exact or found
        scores = caption_scores([one.caption.split() for one in found], [one.references for one in examples])
        apart = [abs((one.logprob or 0) - (other.logprob or 0)) for one, other in zip(found, exact, strict=True) if one.caption == other.caption]
        report[f"{engine} {precision}"] = {name: round(value, 2) for name, value in scores.items()} | {
            "same captions, %": round(100 * len(apart) / len(examples), 1),
            "log-probabilities apart, mean": round(sum(apart) / max(len(apart), 1), 4),
        }
        print(json.dumps(report, indent=2), flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
