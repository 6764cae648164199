"""Score mixtures of training runs under several settings of the beam search, from cached features: how the packaged checkpoint was chosen.

    python -m training.sweep --data DIR --cache DIR RUN/best.pt A/best.pt:3+B/best.pt:2 … [--length-penalty 0.8 1.0] [--starts all own] [--json OUT]

A mixture is the mean of the runs' weights, each counted as often as the number after its colon says. One line for each mixture, length penalty and choice of
start tokens: BLEU-4 and CIDEr of every validation set with captions, and how many different words are used.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.decoding import Sentence, beam_search
from igsearch.captioner.torch_engine import TorchSpeaker
from training.backbone import pretrained_lite2
from training.batches import START, CachedSet, cached_sets
from training.metrics import caption_scores
from training.run import SavedRun, load_run, mixture
from training.sets import CAPTIONED, CAPTIONED_VAL, SETS
from training.styles import with_styles
from training.validation import unspoken

if TYPE_CHECKING:
    from torch import Tensor

STARTS = {"all": list(START.values()), "human": [START["flickr8k"], START["coco"]]} | {style: [start] for style, start in START.items()}
"""Choices of start tokens; "own", beside them, is that of each set's own style."""
MAX_WORDS = 30


def parse_mixture(text: str) -> list[Path]:
    """`a.pt:3+b.pt` as the files to average, a run that counts three times named three times."""
    parts = [part.partition(":") for part in text.split("+")]
    return [Path(file) for file, _, times in parts for _ in range(int(times or 1))]


@torch.inference_mode()
def feature_maps(saved: SavedRun, one: CachedSet, limit: int | None) -> Tensor:
    """The feature maps (N, 1280, 9, 9) of the first photos of a validation set, bfloat16."""
    n_photos = min(limit or len(one), len(one))
    encoder = pretrained_lite2()
    encoder.load_state_dict(saved["encoder"])
    encoder.bfloat16().to(memory_format=torch.channels_last)
    chunks = [range(first, min(first + 50, n_photos)) for first in range(0, n_photos, 50)]
    return torch.cat([encoder.upper(one.features(chunk)) for chunk in chunks])


@torch.inference_mode()
def search(saved: SavedRun, maps: Tensor, *, starts: list[str], beam_size: int, length_penalty: float) -> list[list[Sentence]]:
    """The sentences of every photo, best first."""
    words = saved["words"]
    decoder = AttentionDecoder(DecoderConfig(**saved["config"]))
    decoder.load_state_dict(saved["decoder"])
    decoder.eval().bfloat16()
    found: list[list[Sentence]] = []
    for first in range(0, len(maps), 32):
        chunk = maps[first : first + 32]
        found += beam_search(
            TorchSpeaker(decoder, decoder.annotate(chunk), unspoken(words)), starts=[words.index(start) for start in starts], end=words.index("<end>"),
            beam_size=beam_size, max_words=MAX_WORDS, length_penalty=length_penalty,
        )  # fmt: skip
    return found


def spoken(sentence: Sentence, words: list[str]) -> list[str]:
    """A sentence's words, `<end>` left out."""
    return [words[i] for i in sentence.ids if words[i] != "<end>"]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mixtures", nargs="+", metavar="MIXTURE")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--beam-size", type=int, default=5)
    parser.add_argument("--length-penalty", type=float, nargs="+", default=[1.0])
    parser.add_argument("--starts", nargs="+", choices=["own", *STARTS], default=["all"])
    parser.add_argument("--sets", nargs="+", choices=CAPTIONED_VAL, default=CAPTIONED_VAL)
    parser.add_argument("--limit", type=int, help="photos of each set")
    parser.add_argument("--styles", action="store_true", help="teach each mixture which of all start tokens suits a photo")
    parser.add_argument("--json", type=Path, help="add one JSON object a line here")
    return parser.parse_args()


def main() -> None:
    """Print a line for every combination."""
    args = arguments()
    for text in args.mixtures:
        saved = mixture([load_run(file) for file in parse_mixture(text)])
        cached = cached_sets(args.data, args.cache, [*args.sets, *(CAPTIONED if args.styles else ())], saved["words"])
        styled = with_styles(saved, cached) if args.styles else saved
        maps = {name: feature_maps(saved, cached[name], args.limit) for name in args.sets}
        for starts, length_penalty in [(starts, penalty) for starts in args.starts for penalty in args.length_penalty]:
            row: dict[str, object] = {"mixture": text, "starts": starts, "length_penalty": length_penalty, "beam_size": args.beam_size, "styles": args.styles}
            for name in args.sets:
                one, tokens = cached[name], [START[SETS[name].style]] if starts == "own" else STARTS[starts]
                found = search(styled if starts == "all" else saved, maps[name], starts=tokens, beam_size=args.beam_size, length_penalty=length_penalty)
                said = [spoken(sentences[0], saved["words"]) for sentences in found]
                scores = caption_scores(said, [example.references for example in one.examples[: len(said)]])
                row[name] = {key: round(scores[key], 1) for key in ("BLEU-4", "CIDEr")} | {"words_used": len({w for words in said for w in words})}
            print(json.dumps(row), flush=True)
            if args.json:
                with args.json.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
