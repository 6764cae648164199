"""What a checkpoint says of where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.origin import origin, settings

RECORD = {"weights_sha256": "abc", "dataset": "dataset_coco40k_val.json.gz", "scores": {"CIDEr": 1.0}}


def run_folder(folder: Path) -> Path:
    """A run with a record, and the file that would have its weights."""
    for name in (folder, folder.parent / "joint"):
        name.mkdir()
        (name / "run.json").write_text("{}", encoding="utf-8")
    arguments = {"data": "/somewhere/data", "init": str(folder.parent / "joint" / "epoch4.pt"), "portions": [["coco-train", 4, 1]], "lr": 0.1, "clip": None}
    record = {"arguments": arguments, "datasets": {"d": "1"}, "versions": {"torch": "2"}}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder / "last.pt"


def test_settings_say_what_and_not_where(tmp_path: Path) -> None:
    """No path of the machine remains; portions read as on the command line."""
    record = json.loads((run_folder(tmp_path / "reward").parent / "run.json").read_text(encoding="utf-8"))
    assert settings(record) == {"init": "joint/epoch4.pt", "portions": ["coco-train=4x1"], "lr": 0.1}


def test_the_origin_names_every_run_as_often_as_it_counts(tmp_path: Path) -> None:
    """The mixture, the data, the versions and the scores of the records."""
    last = run_folder(tmp_path / "reward")
    found = origin("x", [last, last], "before", "abc", [RECORD])
    assert found["weights"].startswith("mean of 2 × reward/last.pt, and")
    assert (found["datasets_sha256"], found["versions"], found["val"]) == ({"d": "1"}, {"torch": "2"}, {"dataset_coco40k_val": {"CIDEr": 1.0}})
    assert list(found["runs"]) == ["reward"]
    assert str(tmp_path) not in json.dumps(found)


def test_what_was_no_run_is_named_alone() -> None:
    """The file that training.grow wrote lies in a folder whose name says nothing."""
    assert settings({"arguments": {"init": "/somewhere/start.pt"}}) == {"init": "start.pt"}


def test_a_record_of_other_weights_is_refused(tmp_path: Path) -> None:
    """Scores that other weights earned are not written into a checkpoint."""
    with pytest.raises(ValueError, match=r"dataset_coco40k_val\.json\.gz is of other weights"):
        origin("x", [run_folder(tmp_path / "reward")], "before", "another", [RECORD])
