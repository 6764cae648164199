"""The sets that training knows: where each lies below the data folder, and the style of its captions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from training.data import Example, read_karpathy


class Source(NamedTuple):
    """A Karpathy JSON, the folder of its photos, both below the data folder, and the style of its captions, "" where it has labels instead."""

    dataset: str
    images: str
    style: str


SETS = {
    "flickr8k-train": Source("dataset_flickr8k_train.json.gz", "flickr8k/images", "flickr8k"),
    "coco-train": Source("dataset_coco40k_train.json.gz", "coco/images", "coco"),
    "indoor-train": Source("dataset_coco-indoor_train.json.gz", "coco-indoor/images", "coco"),
    "web-train": Source("dataset_web-photos_train.json.gz", "web-photos/images", "web"),
    "labelled-train": Source("dataset_labelled_train.json.gz", "labelled/images", ""),
    "flickr8k-val": Source("dataset_flickr8k_val.json.gz", "flickr8k/images", "flickr8k"),
    "coco-val": Source("dataset_coco40k_val.json.gz", "coco/images", "coco"),
    "indoor-val": Source("dataset_coco-indoor_val.json.gz", "coco-indoor/images", "coco"),
    "web-val": Source("dataset_web-photos_val.json.gz", "web-photos/images", "web"),
    "labelled-val": Source("dataset_labelled_val.json.gz", "labelled/images", ""),
}
TRAIN, VAL = ([name for name in SETS if name.endswith(end)] for end in ("-train", "-val"))
CAPTIONED, CAPTIONED_VAL = ([name for name in names if SETS[name].style] for names in (TRAIN, VAL))
LABEL_CAPTIONS = "label_captions.json"
"""Where `training.label_captions` leaves the captions of labelled photos, below the data folder."""


def load_set(data: Path, name: str) -> list[Example]:
    """The examples of one set. `data` holds the JSON files and the unpacked folders of photos."""
    source = SETS[name]
    examples = read_karpathy(data / source.dataset, data / source.images, style=source.style)
    return examples if source.style else with_label_captions(data / LABEL_CAPTIONS, examples)


def with_label_captions(file: Path, examples: list[Example]) -> list[Example]:
    """Labelled photos with the captions that were made for them, in the style of the web's; as they are if none were made."""
    made: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return [replace(one, references=(tuple(made[one.path.name]),), style="web") if one.path.name in made else one for one in examples]
