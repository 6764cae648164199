"""How far the packaged encoder's ImageNet labels are still those of the network it was fine-tuned from.

python -m training.label_agreement --dataset X.json[.gz] --images DIR [--limit 1000] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from igsearch import images
from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import Captioner
from igsearch.captioner.torch_engine import TorchEngine
from training.backbone import pretrained_lite2
from training.data import read_karpathy

if TYPE_CHECKING:
    from torch import Tensor

    from igsearch.captioner.encoder import EfficientNetLite
    from igsearch.captioner.resnet import ResNetEncoder


def probabilities(network: EfficientNetLite | ResNetEncoder, pixels: Tensor) -> Tensor:
    """The 1000 class probabilities of one prepared photo. Raises ValueError for an encoder without a classifier."""
    logits = network.classify(network(pixels))
    if logits is None:
        raise ValueError("this captioner's encoder knows no labels")
    return logits.softmax(1)[0]


@torch.inference_mode()
def main() -> None:
    """Label every photo with both, and print how often they agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    examples = read_karpathy(args.dataset, args.images, style="any")[: args.limit]
    captioner = Captioner()
    engine = TorchEngine(checkpoint.packaged(), device="cpu", precision="float32")
    original = pretrained_lite2().to(memory_format=torch.channels_last)
    same_first, first_in_five, kept = 0, 0, 0.0
    for example in examples:
        pixels = engine.normalised([captioner.prepare(images.decode(example.path.read_bytes()))])
        ours, theirs = probabilities(engine.encoder, pixels), probabilities(original, pixels)
        same_first += int(ours.argmax() == theirs.argmax())
        first_in_five += int(theirs.argmax() in ours.topk(5).indices)
        kept += float(torch.minimum(ours, theirs).sum())
    n = len(examples)
    report = {
        "captioner": captioner.name,
        "dataset": args.dataset.name,
        "n_photos": n,
        "same likeliest label, %": round(100 * same_first / n, 1),
        "original's likeliest among ours' five, %": round(100 * first_in_five / n, 1),
        "probability in common, %": round(100 * kept / n, 1),
    }
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
