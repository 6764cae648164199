"""What both trainings share: a run's folder, and the exponential average of the weights that is evaluated and saved in place of the weights themselves.

A folder holds `run.json` (what the run depends on), `log.jsonl` (one row an epoch), `epoch<n>.pt`, `last.pt` and `best.pt` (highest mean CIDEr over the
validation sets with human captions).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from training.sets import SETS

HUMAN = {"flickr8k", "coco"}
"""The styles of captions that people wrote."""

if TYPE_CHECKING:
    from training.learning import Networks


class SavedRun(TypedDict):
    """A `.pt` file: vocabulary, the fields of `DecoderConfig`, the weights of the networks (`heads` may be empty), and the row of the log that they earned."""

    words: list[str]
    config: dict[str, Any]
    decoder: dict[str, Tensor]
    encoder: dict[str, Tensor]
    heads: dict[str, Tensor]
    row: dict[str, Any]


PARTS: tuple[Literal["encoder"], Literal["decoder"], Literal["heads"]] = ("encoder", "decoder", "heads")


def load_run(file: Path) -> SavedRun:
    """Read a `last.pt` or `best.pt`."""
    saved: SavedRun = torch.load(file, weights_only=True, map_location="cpu")
    return saved


def mixture(runs: list[SavedRun]) -> SavedRun:
    """The mean of several runs' weights (Wortsman et al. 2022, "Model soups"), in float32; a run given twice counts twice. The rest is the first one's."""
    first = runs[0]
    shared = {part: [key for key in first[part] if all(key in run[part] for run in runs)] for part in PARTS}  # a run may have no heads
    encoder, decoder, heads = ({key: torch.stack([run[part][key].float() for run in runs]).mean(0) for key in shared[part]} for part in PARTS)
    return SavedRun(words=first["words"], config=first["config"], decoder=decoder, encoder=encoder, heads=heads, row=first["row"])


def provenance(args: argparse.Namespace) -> dict[str, Any]:
    """What a run depends on: its arguments and seed, the caption sets by SHA-256, and the versions that did the arithmetic."""
    datasets = sorted({source.dataset for source in SETS.values() if (args.data / source.dataset).exists()})
    return {
        "arguments": {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()},
        "seed": args.seed,
        "datasets": {name: hashlib.sha256((args.data / name).read_bytes()).hexdigest() for name in datasets},
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


class Run:
    """The folder that a training writes to."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.folder: Path = args.out
        self.best = -1.0
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "run.json").write_text(json.dumps(provenance(args), indent=2) + "\n", encoding="utf-8")

    def log(self, row: Mapping[str, object]) -> None:
        """Add a line to `log.jsonl`."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")

    def save(self, row: dict[str, Any], words: list[str], networks: Networks) -> None:
        """Print and log an epoch's row and write its file; `best.pt` too if no epoch of this run did better on the human captions of the validation sets."""
        print(json.dumps(row), flush=True)
        self.log(row)
        weights = networks.state()
        state = SavedRun(
            words=words,
            config=asdict(networks.decoder.config),
            encoder=weights["encoder"],
            decoder=weights["decoder"],
            heads=weights["heads"],
            row=row,
        )
        file = self.folder / f"epoch{row['epoch']}.pt"
        torch.save(state, file)
        shutil.copyfile(file, self.folder / "last.pt")
        human = [scores["CIDEr"] for name, scores in row["val"].items() if SETS[name].style in HUMAN]
        if sum(human) > self.best:
            self.best = sum(human)
            shutil.copyfile(file, self.folder / "best.pt")


class AveragedWeights:
    """An exponential average of parameters. In the first steps its memory is shorter than `decay` says, so that it soon forgets where they began."""

    def __init__(self, parameters: list[nn.Parameter], decay: float) -> None:
        self.parameters, self.decay, self.step = parameters, decay, 0
        self.average = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are after a step."""
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the parameters hold their average; afterwards what was learned, so that training goes on from there."""
        learned = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            torch._foreach_copy_([*self.parameters], self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_([*self.parameters], learned)
