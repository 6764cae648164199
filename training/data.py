"""Karpathy-style caption sets: the JSON, the photos beside it, and the vocabulary that their captions make."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MENTIONS_A_SIDE = re.compile(r"\b(left|right)\b")


@dataclass(frozen=True, slots=True)
class Example:
    """A photo and what people (or, for the web set, a machine) said of it, or the one thing that it is known to show."""

    path: Path
    references: tuple[tuple[str, ...], ...]
    style: str
    label: str | None = None

    @property
    def may_be_mirrored(self) -> bool:
        """Whether its captions stay true when the photo is flipped left to right."""
        return not any(MENTIONS_A_SIDE.search(" ".join(tokens)) for tokens in self.references)

    @property
    def texts(self) -> list[str]:
        """What a person might ask for and mean this photo: its captions, or its label alone and in a phrase."""
        return [self.label, f"a photo of {self.label}"] if self.label else [" ".join(tokens) for tokens in self.references]


def words(raw: str) -> list[str]:
    """Lower-case words of letters and digits, an inner apostrophe or hyphen kept out: Karpathy's convention."""
    return re.findall(r"[a-z0-9]+", raw.lower().replace("'s", " s"))


def read_karpathy(dataset: Path, images: Path, *, style: str, split: str | None = None) -> list[Example]:
    """The examples of a Karpathy JSON (`.json` or `.json.gz`), photos looked up in `images` by file name or, failing that, by stem."""
    opener = gzip.open if dataset.suffix == ".gz" else open
    with opener(dataset, "rt", encoding="utf-8") as file:
        entries = json.load(file)["images"]
    by_stem = {path.stem: path for path in images.iterdir()}
    examples = []
    for entry in entries:
        if split is not None and entry.get("split") != split:
            continue
        exact = images / entry["filename"]
        path = exact if exact.exists() else by_stem[Path(entry["filename"]).stem]
        references = tuple(tuple(sentence["tokens"]) for sentence in entry["sentences"] if sentence["tokens"])
        examples.append(Example(path, references, style, entry.get("label")))
    return examples


def frequent_words(captions: Iterable[Sequence[str]], *, min_count: int) -> list[str]:
    """Words seen at least `min_count` times, most frequent first, ties in alphabetical order."""
    counts = Counter(word for caption in captions for word in caption)
    kept = [word for word, count in counts.items() if count >= min_count]
    return sorted(kept, key=lambda word: (-counts[word], word))
