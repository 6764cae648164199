"""The ladder of ranking steps: recall@k when people's own captions are the queries.

    python benchmarks/recall.py --dataset X.json[.gz] --images DIR [--json OUT]

Every photo of a Karpathy-style JSON is described by the packaged captioner and indexed; every human caption is a query, and the photo it was written for is the
one to find. The hard case for a text index: the query has some twelve words of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from igsearch import images
from igsearch.captioner.captioner import Captioner
from igsearch.ranking import words

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from typing import TYPE_CHECKING

from training.data import Example, read_karpathy

if TYPE_CHECKING:
    from igsearch.records import Description

KS = (1, 5, 10, 50)


@dataclass(frozen=True, slots=True)
class Step:
    """A way to rank: how texts become terms, and which text stands for a photo."""

    name: str
    analyser: str
    text_of: Callable[[Description], str]


def caption(description: Description) -> str:
    """The best caption alone."""
    return description.caption


def with_alternatives(description: Description) -> str:
    """The best caption twice, and the runners-up."""
    return " ".join([description.caption, description.caption, *(one.caption for one in description.alternatives)])


def with_labels(description: Description) -> str:
    """All captions and the ImageNet labels."""
    return " ".join([with_alternatives(description), *(label.name for label in description.labels)])


STEPS = (
    Step("seed: cosine TF-IDF over the caption", "seed", caption),
    Step("+ stems", "stemmed", caption),
    Step("+ runner-up captions", "stemmed", with_alternatives),
    Step("+ ImageNet labels", "stemmed", with_labels),
)


def described(captioner: Captioner, examples: list[Example], batch_size: int = 32) -> Iterator[Description]:
    """One description per example."""
    for first in range(0, len(examples), batch_size):
        batch = examples[first : first + batch_size]
        yield from captioner.describe([captioner.prepare(images.decode(one.path.read_bytes())) for one in batch])


def recalls(step: Step, descriptions: list[Description], examples: list[Example]) -> dict[str, float]:
    """Recall@k in percent, and the median rank (unfound photos rank last)."""
    index = words.fit_texts(((number, step.text_of(one)) for number, one in enumerate(descriptions)), analyser=step.analyser)
    ranks = []
    for number, example in enumerate(examples):
        for reference in example.references:
            found = np.flatnonzero(index.query(" ".join(reference)).rowids == number)
            ranks.append(int(found[0]) + 1 if len(found) else len(descriptions))
    at = np.asarray(ranks)
    return {f"R@{k}": round(100 * float((at <= k).mean()), 2) for k in KS} | {"median rank": float(np.median(at))}


def main() -> None:
    """Climb the ladder and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    examples = read_karpathy(args.dataset, args.images, style="any")
    captioner = Captioner(args.checkpoint)
    descriptions = list(described(captioner, examples))
    ladder = {step.name: recalls(step, descriptions, examples) for step in STEPS}
    report = {
        "captioner": captioner.name,
        "dataset": args.dataset.name,
        "photos": len(examples),
        "queries": sum(len(e.references) for e in examples),
        "ladder": ladder,
    }
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
