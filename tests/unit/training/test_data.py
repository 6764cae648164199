"""Karpathy's JSON and the words of captions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from training.data import Example, frequent_words, read_karpathy, words


def entry(filename: str, split: str, *captions: str) -> dict[str, object]:
    """One photo of the JSON."""
    return {"filename": filename, "split": split, "sentences": [{"raw": one, "tokens": one.split()} for one in captions]}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with three empty pictures."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("one.jpg", "two.webp", "three.png"):
        (folder / name).touch()
    return folder


@pytest.fixture
def entries() -> list[dict[str, object]]:
    """Three photos in two splits; all call themselves .jpg, and one has a caption without a word."""
    return [entry("one.jpg", "train", "a dog", "a cat"), entry("two.jpg", "val", "two birds"), entry("three.jpg", "val", "three boats", "")]


@pytest.mark.parametrize("name", ["set.json", "set.json.gz"])
def test_photos_are_found_by_name_or_by_stem(tmp_path: Path, images: Path, entries: list[dict[str, object]], name: str) -> None:
    """A photo whose extension is not the JSON's is found by its stem, in a plain or a compressed JSON; captions without words are left out."""
    text = json.dumps({"images": entries})
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert read_karpathy(tmp_path / name, images, style="flickr8k") == [
        Example(images / "one.jpg", (("a", "dog"), ("a", "cat")), "flickr8k"),
        Example(images / "two.webp", (("two", "birds"),), "flickr8k"),
        Example(images / "three.png", (("three", "boats"),), "flickr8k"),
    ]


def test_a_picture_of_the_very_name_goes_before_one_of_the_same_stem(tmp_path: Path, images: Path, entries: list[dict[str, object]]) -> None:
    """Where both one.jpg and one.webp lie, the JSON's one.jpg is taken."""
    (images / "one.webp").touch()
    (tmp_path / "set.json").write_text(json.dumps({"images": entries}))
    assert read_karpathy(tmp_path / "set.json", images, style="web")[0].path == images / "one.jpg"


@pytest.mark.parametrize(("split", "names"), [("train", ["one.jpg"]), ("val", ["two.webp", "three.png"]), ("test", [])])
def test_a_split_is_read_alone(tmp_path: Path, images: Path, entries: list[dict[str, object]], split: str, names: list[str]) -> None:
    """Asked for a split, only its photos are read, in the JSON's order."""
    (tmp_path / "set.json").write_text(json.dumps({"images": entries}))
    assert [example.path.name for example in read_karpathy(tmp_path / "set.json", images, style="web", split=split)] == names


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("A dog runs .", ["a", "dog", "runs"]),
        ("The boy's T-shirt, No. 7!", ["the", "boy", "s", "t", "shirt", "no", "7"]),
        ("", []),
        (" ... ", []),
    ],
    ids=["plain", "apostrophe, hyphen, number", "empty", "no word"],
)
def test_words_are_lower_case_letters_and_digits(raw: str, expected: list[str]) -> None:
    """Punctuation separates words and is dropped, and a possessive becomes a word of its own."""
    assert words(raw) == expected


@pytest.mark.parametrize(("caption", "mirrored"), [("a dog on the left", False), ("turning right", False), ("brightly leftover bread", True)])
def test_captions_that_name_a_side_forbid_mirroring(caption: str, mirrored: bool) -> None:
    """A photo may be flipped unless one of its captions has the word left or right."""
    assert Example(Path("x"), (("a", "dog"), tuple(caption.split())), "web").may_be_mirrored is mirrored


def test_frequent_words_come_first() -> None:
    """Words seen often enough stand by falling frequency, ties by alphabet."""
    captions = [["a", "dog", "and", "a", "cat"], ["a", "cat", "and", "a", "bird"]]
    assert frequent_words(captions, min_count=2) == ["a", "and", "cat"]
