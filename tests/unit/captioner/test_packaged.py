"""The checkpoint that ships is the one whose numbers are published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igsearch.captioner import checkpoint

REPOSITORY = Path(__file__).resolve().parents[3]
RECORDS = {name: REPOSITORY / "benchmarks" / "results" / f"captions-{name}-val.json" for name in ("flickr8k", "web")}
MAX_BYTES = 60_000_000


@pytest.mark.parametrize("name", RECORDS)
def test_the_recorded_scores_are_of_these_weights(name: str) -> None:
    """The SHA-256 in the record of `training.evaluate` is that of the packaged weights; the numbers that the checkpoint carries are the record's."""
    record = json.loads(RECORDS[name].read_text(encoding="utf-8"))
    origin = json.loads((checkpoint.packaged() / "ORIGIN.json").read_text(encoding="utf-8"))
    assert record["weights_sha256"] == checkpoint.verify(checkpoint.packaged())[checkpoint.WEIGHTS]
    assert origin["val"][record["dataset"].removesuffix(".json.gz")] == record["scores"]
    assert record["n_photos"] == 1000


def test_the_packaged_captioner_is_small() -> None:
    """All its files together have at most 60 MB."""
    assert sum(file.stat().st_size for file in checkpoint.packaged().iterdir()) <= MAX_BYTES
