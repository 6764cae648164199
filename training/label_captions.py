"""Captions for the labelled photos: short ones that name the thing, gone on with only where a trained decoder is sure of what follows.

    python -m training.label_captions RUN/last.pt --data DIR --cache DIR [--show 1]

Writes `DIR/label_captions.json`, file name to words, which `training.sets` reads as captions in the style of the web's. A label has a few beginnings that
suit its kind (a dish lies on a plate, a game is played by somebody); the one that the decoder finds the likeliest is kept. They are there so that it learns
when to say the label, and are no human's.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from training.batches import START, cached_sets
from training.learning import build_encoder
from training.run import load_run
from training.sets import LABEL_CAPTIONS
from training.validation import greedy, sentences, unspoken

if TYPE_CHECKING:
    from torch import Tensor

    from igsearch.captioner.encoder import EfficientNetLite

KINDS = Path(__file__).parent / "configs" / "label_captions.toml"
SURE = -0.8
"""Mean log-probability of the words after the beginning from which on they are kept."""


def beginnings(label: str, kinds: list[dict[str, list[str]]]) -> list[str]:
    """How a caption of a photo of `label` may begin: as its kind says, else with an article."""
    spoken = label.replace("-", " ")
    forms = next((kind["beginnings"] for kind in kinds if label in kind["labels"]), [])
    article = "an" if spoken[0] in "aeiou" else "a"
    return [form.format(spoken) for form in forms or (f"{article} {{}}",)]


def spans(ids: Tensor, end: int, n_forced: int) -> tuple[Tensor, Tensor]:
    """Which of the words (N, T) are the beginning's, and which follow it up to `<end>`, both as 0 and 1."""
    before_end = ((ids == end).long().cumsum(1) - (ids == end).long() == 0).float()
    beginning = (torch.arange(ids.shape[1]) < n_forced).float().expand_as(before_end)
    return beginning, before_end * (1 - beginning)


@torch.inference_mode()
def captions_of(decoder: AttentionDecoder, feature_map: Tensor, texts: list[str], words: list[str]) -> list[list[str]]:
    """A caption for each photo (N, C, H, W), beginning with one of `texts`. Raises ValueError if the decoder lacks a word of each of them."""
    ids, end, banned = {word: number for number, word in enumerate(words)}, words.index("<end>"), unspoken(words)
    best: list[tuple[float, list[str]]] = [(float("-inf"), []) for _ in feature_map]
    for text in texts:
        beginning = text.split()
        if not set(beginning) <= ids.keys():
            continue
        forced = torch.tensor([[ids[word] for word in beginning]]).expand(len(feature_map), -1)
        said, likelihoods = greedy(decoder, feature_map, start=ids[START["web"]], banned=banned, forced=forced)
        first, rest = spans(said, end, len(beginning))
        scores, sure = ((likelihoods * part).sum(1) / part.sum(1) for part in (first, rest))
        for row, (score, sureness, caption) in enumerate(zip(scores.tolist(), sure.tolist(), sentences(said, words, end), strict=True)):
            best[row] = max(best[row], (score, caption if sureness >= SURE else beginning), key=lambda pair: pair[0])
    if not all(caption for _, caption in best):
        raise ValueError(f"the decoder does not know the words of {texts}: make room for them with training.grow")
    return [caption for _, caption in best]


def networks(run: Path) -> tuple[EfficientNetLite, AttentionDecoder, list[str]]:
    """The encoder and decoder of a run, in bfloat16, and its words."""
    saved = load_run(run)
    decoder = AttentionDecoder(DecoderConfig(**saved["config"]))
    decoder.load_state_dict(saved["decoder"])
    return build_encoder(saved).bfloat16(), decoder.eval().bfloat16(), saved["words"]


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--show", type=int, help="print the captions of so many photos of each label, and write nothing")
    args = parser.parse_args()
    encoder, decoder, words = networks(args.run)
    one = cached_sets(args.data, args.cache, ["labelled-train"], words)["labelled-train"]
    by_label: dict[str, list[int]] = {}
    for position, example in enumerate(one.examples):
        by_label.setdefault(str(example.label), []).append(position)
    kinds: list[dict[str, list[str]]] = tomllib.loads(KINDS.read_text(encoding="utf-8"))["kinds"]
    found: dict[str, list[str]] = {}
    for label, positions in by_label.items():
        shown = positions[: args.show]
        with torch.inference_mode():
            feature_map = encoder.upper(one.features(shown))
        captions = captions_of(decoder, feature_map, beginnings(label, kinds), words)
        found |= {one.examples[position].path.name: caption for position, caption in zip(shown, captions, strict=True)}
        if args.show:
            print("\n".join(f"{label}: {' '.join(caption)}" for caption in captions), flush=True)
    if not args.show:
        (args.data / LABEL_CAPTIONS).write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
