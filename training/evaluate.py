"""Caption every photo of a Karpathy-style JSON with a checkpoint and score the captions.

    python -m training.evaluate --dataset X.json[.gz] --images DIR [--split val] [--checkpoint DIR] [--beam-size 5] [--json OUT] [--captions OUT.jsonl]

Prints BLEU-1 to 4, METEOR (where Java is), ROUGE-L and CIDEr times 100, the number of different words used, the mean caption length, and photos per second
(decoding of the picture included).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from pathlib import Path

from igsearch import images
from igsearch.captioner.captioner import Captioner
from training.data import Example, read_karpathy
from training.metrics import caption_scores, meteor_score


def describe_all(captioner: Captioner, examples: list[Example], batch_size: int) -> tuple[list[str], float]:
    """One caption per example, and photos per second."""
    captions: list[str] = []
    started = time.monotonic()
    for first in range(0, len(examples), batch_size):
        batch = examples[first : first + batch_size]
        prepared = [captioner.prepare(images.decode(example.path.read_bytes())) for example in batch]
        captions += [description.caption for description in captioner.describe(prepared)]
    return captions, len(examples) / (time.monotonic() - started)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--split", help="only the entries of this split")
    parser.add_argument("--checkpoint", type=Path, help="default: the packaged one")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--beam-size", type=int)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path, help="write the scores here")
    parser.add_argument("--captions", type=Path, help="write file name and caption of every photo here, one JSON object a line")
    return parser.parse_args()


def report_on(captioner: Captioner, dataset: str, examples: list[Example], captions: list[str], rate: float) -> dict[str, object]:
    """Scores of the captions, how varied and long they are, and what made them how fast."""
    said = [caption.split() for caption in captions]
    references = [example.references for example in examples]
    scores = caption_scores(said, references)
    if shutil.which("java"):
        scores["METEOR"] = meteor_score(said, references)
    return {
        "captioner": captioner.name,
        "weights_sha256": captioner.digest,
        "dataset": dataset,
        "n_photos": len(examples),
        "beam_size": captioner.beam_size,
        "precision": captioner.engine.precision,
        "scores": {name: round(value, 2) for name, value in scores.items()},
        "words_used": len({word for words in said for word in words}),
        "different_captions": len(set(captions)),
        "mean_length": round(sum(map(len, said)) / len(said), 2),
        "photos_per_second": round(rate, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {captioner.engine.name} on {captioner.engine.device}",
    }


def main() -> None:
    """Caption, score and report."""
    args = arguments()
    examples = read_karpathy(args.dataset, args.images, style="flickr8k", split=args.split)[: args.limit]
    captioner = Captioner(args.checkpoint, device=args.device, beam_size=args.beam_size)
    captions, rate = describe_all(captioner, examples, args.batch_size)
    report = report_on(captioner, args.dataset.name, examples, captions, rate)
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if args.captions:
        lines = (json.dumps({"file": e.path.name, "caption": c}) + "\n" for e, c in zip(examples, captions, strict=True))
        args.captions.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
