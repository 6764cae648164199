"""Photos and captions that are in the data twice."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from training import duplicates
from training.data import Example
from training.duplicates import MOST_BITS, fingerprint, like_an_earlier_one, nearest, reads_like, runs, said_too_often
from training.sets import SETS, load_set


def picture(seed: int) -> Image.Image:
    """A picture of soft blobs, like no other seed's."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)


def test_a_copy_is_near_and_another_photo_far(tmp_path: Path) -> None:
    """A smaller, brighter, compressed copy has nearly the fingerprint of its original; of unlike photos about half of the bits differ."""
    for seed in range(3):
        picture(seed).save(tmp_path / f"{seed}.png")
    copy = ImageEnhance.Brightness(picture(0).resize((200, 150))).enhance(1.1)
    copy.save(tmp_path / "copy.jpg", quality=70)
    prints = np.stack([fingerprint(tmp_path / name) for name in ("0.png", "1.png", "2.png", "copy.jpg")])
    assert nearest(prints[3:], prints[:3])[0] <= MOST_BITS
    assert nearest(prints[1:2], prints[2:])[0] > 3 * MOST_BITS
    assert like_an_earlier_one(prints) == [False, False, False, True]
    assert nearest(prints[:1], prints[:0])[0] > 256


def test_captions_that_share_most_words_read_alike() -> None:
    """One other word among many is alike; another sentence is not, nor the same words in another order."""
    known = [runs(("the", "building", "where", "the", "hotel", "is", "located"))]
    asked = ["the building where the hotel is found", "located is hotel the where building the", "a dog on the beach"]
    assert reads_like([runs(tuple(one.split())) for one in asked], known) == [True, False, False]


def test_a_caption_may_be_said_twice() -> None:
    """The third photo with the same lone caption is one too many; photos with several captions or none are not counted."""
    stock, lone = (("the", "hotel"),), (("a", "dog"),)
    examples = [Example(Path("x"), references, "web") for references in (stock, lone, stock, stock, stock * 2, (), ())]
    assert said_too_often(examples) == [False, False, False, True, False, False, False]


def test_what_is_twice_is_left_out(tmp_path: Path) -> None:
    """A training photo that is in a validation set is left out of training; one of web val that is in web train, or reads like it, is left out of web val."""
    rng = random.Random(0)
    for name, (dataset, images, style) in SETS.items():
        (tmp_path / images).mkdir(parents=True, exist_ok=True)
        entries = []
        for number in range(2):
            picture(rng.randrange(10**6)).save(tmp_path / images / f"{name}-{number}.png")
            entries.append({"filename": f"{name}-{number}.png", "sentences": [{"tokens": [name, str(number), "seen"]}] if style else []})
        if name == "web-val":
            entries[1]["sentences"] = [{"tokens": ["web-train", "0", "seen"]}]
        (tmp_path / dataset).write_bytes(gzip.compress(json.dumps({"images": entries}).encode()))
    (tmp_path / "flickr8k/images/flickr8k-train-1.png").write_bytes((tmp_path / "coco/images/coco-val-0.png").read_bytes())
    found = duplicates.superfluous({name: load_set(tmp_path, name) for name in SETS})
    assert found == {
        "flickr8k-train": ["flickr8k-train-1.png"], "coco-train": [], "indoor-train": [], "web-train": [], "labelled-train": [], "web-val": ["web-val-1.png"],
    }  # fmt: skip
