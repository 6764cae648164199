"""The four sets that training knows: where each lies below the data folder, its split and the style of its captions."""

from __future__ import annotations

from pathlib import Path

from training.data import Example, read_karpathy

SETS = {
    "flickr8k-train": ("dataset_flickr8k_train.json.gz", "flickr8k/images", "flickr8k"),
    "flickr8k-val": ("dataset_flickr8k_val.json.gz", "flickr8k/images", "flickr8k"),
    "web-photos-train": ("dataset_web-photos_train.json.gz", "web-photos/images", "web"),
    "web-photos-val": ("dataset_web-photos_val.json.gz", "web-photos/images", "web"),
}


def load_set(data: Path, name: str) -> list[Example]:
    """The examples of one set. `data` holds the JSON files and the unpacked `flickr8k/images` and `web-photos/images`."""
    dataset, images, style = SETS[name]
    return read_karpathy(data / dataset, data / images, style=style)
