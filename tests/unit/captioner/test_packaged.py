"""The checkpoint that ships is the one whose numbers are published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igsearch.captioner import checkpoint

REPOSITORY = Path(__file__).resolve().parents[3]
N_PHOTOS = {"flickr8k": 1000, "coco": 1500, "indoor": 200, "web": 932}
MAX_BYTES = 45_000_000


@pytest.mark.parametrize("name", N_PHOTOS)
def test_the_recorded_scores_are_of_these_weights(name: str) -> None:
    """The SHA-256 in the record of `training.evaluate` is that of the packaged weights; the numbers that the checkpoint carries are the record's."""
    record = json.loads((REPOSITORY / "benchmarks" / "results" / f"captions-{name}-val.json").read_text(encoding="utf-8"))
    origin = json.loads((checkpoint.packaged() / "ORIGIN.json").read_text(encoding="utf-8"))
    assert record["weights_sha256"] == checkpoint.verify(checkpoint.packaged())[checkpoint.WEIGHTS]
    assert origin["val"][record["dataset"].removesuffix(".json.gz")] == record["scores"]
    assert record["n_photos"] == N_PHOTOS[name]


def test_the_packaged_captioner_is_small() -> None:
    """All its files together have at most 45 MB."""
    assert sum(file.stat().st_size for file in checkpoint.packaged().iterdir()) <= MAX_BYTES
