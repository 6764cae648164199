"""Find photos that are in the data twice, so that nothing is judged by what it learned by heart.

    python -m training.duplicates --data DIR

Writes `DIR/duplicates.json`, which the other scripts read: per set the file names to leave out. Of a training set: photos that look like one of any
validation set, or like an earlier one of their own set, and captions that a machine has said `MOST_OFTEN` times already. Of web val: photos that look like,
or whose caption reads like, one of web train. And `dataset_web-photos_val-cleaned.json.gz`, web val without those, for `training.evaluate`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.sets import SETS, TRAIN, VAL, load_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.data import Example

SIDE = 16
MOST_BITS = 26
"""Two photos whose fingerprints of `SIDE` × `SIDE` bits differ in no more than these, a tenth, are one; of two unlike photos about half differ."""
MOST_OFTEN = 2
LIKE = 0.6
"""Two captions that share this part of their runs of one and two words read alike."""


def fingerprint(path: Path) -> NDArray[np.uint64]:
    """Which of each two neighbours in a row is the brighter one, in a small grey picture: `SIDE`² bits as uint64 (dHash)."""
    with Image.open(path) as file:
        file.draft("L", (SIDE * 4, SIDE * 4))
        small = np.asarray(file.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX, reducing_gap=2.0), dtype=np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)


def nearest(prints: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits each print (N, W) differs from the nearest of the others (M, W), (N,); more than all bits if there are none."""
    return np.array([int(np.bitwise_count(others ^ one).sum(1).min(initial=SIDE * SIDE + 1)) for one in prints], dtype=np.int64)


def like_an_earlier_one(prints: NDArray[np.uint64]) -> list[bool]:
    """Whether each print (N, W) is near one before it."""
    return [bool((np.bitwise_count(prints[:row] ^ prints[row]).sum(1) <= MOST_BITS).any()) for row in range(len(prints))]


def runs(tokens: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """The words and pairs of neighbouring words of a caption."""
    return frozenset([*((token,) for token in tokens), *pairwise(tokens)])


def reads_like(captions: list[frozenset[tuple[str, ...]]], others: list[frozenset[tuple[str, ...]]]) -> list[bool]:
    """Whether each caption shares most of its runs with one of the others."""
    return [any(len(one & other) >= LIKE * len(one | other) for other in others) for one in captions]


def said_too_often(examples: list[Example]) -> list[bool]:
    """Whether a photo's only caption was that of `MOST_OFTEN` photos before."""
    seen: Counter[tuple[str, ...]] = Counter()
    often = []
    for example in examples:
        caption = example.references[0] if len(example.references) == 1 else ()
        often.append(bool(caption) and seen[caption] >= MOST_OFTEN)
        seen[caption] += 1
    return often


def superfluous(sets: dict[str, list[Example]]) -> dict[str, list[str]]:
    """Per set the names of the photos to leave out."""
    prints = {name: np.stack([fingerprint(example.path) for example in examples]) for name, examples in sets.items()}
    validation = np.concatenate([prints[name] for name in VAL])
    out: dict[str, list[str]] = {}
    for name in TRAIN:
        seen_in_val = nearest(prints[name], validation) <= MOST_BITS
        stock = said_too_often(sets[name]) if SETS[name].style == "web" else [False] * len(sets[name])
        reasons = zip(sets[name], seen_in_val, like_an_earlier_one(prints[name]), stock, strict=True)
        out[name] = [example.path.name for example, *why in reasons if any(why)]
    known = [runs(example.references[0]) for example in sets["web-train"]]
    alike = reads_like([runs(example.references[0]) for example in sets["web-val"]], known)
    seen = nearest(prints["web-val"], prints["web-train"]) <= MOST_BITS
    out["web-val"] = [example.path.name for example, *why in zip(sets["web-val"], alike, seen, strict=True) if any(why)]
    return out


def main() -> None:
    """Write both files and say how many photos each set loses."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    found = superfluous({name: load_set(args.data, name) for name in SETS})
    (args.data / "duplicates.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print({name: len(names) for name, names in found.items()})
    source = args.data / SETS["web-val"].dataset
    entries = json.loads(gzip.decompress(source.read_bytes()))["images"]
    kept = [entry for entry in entries if Path(entry["filename"]).name not in set(found["web-val"])]
    cleaned = source.with_name(source.name.replace("_val", "_val-cleaned"))
    cleaned.write_bytes(gzip.compress(json.dumps({"images": kept}).encode(), mtime=0))


if __name__ == "__main__":
    main()
