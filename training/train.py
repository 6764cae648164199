"""Train the decoder by cross-entropy on cached features; with --finetune the encoder's upper stages learn along.

    python -m training.train --data DIR --cache DIR --out DIR [--epochs 8] [--init RUN/best.pt] [--finetune]

One epoch sees every photo once, in one of its cached views, with all its captions. The start token tells the two sets apart. Every epoch is evaluated on Flickr8k
val (and a part of web val) and saved; `best.pt` is the one with the highest CIDEr on Flickr8k val.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from igsearch.captioner.decoder import AttentionDecoder, DecoderConfig
from igsearch.captioner.encoder import HEAD_CHANNELS, EfficientNetLite
from training.backbone import pretrained_lite2
from training.data import Example, frequent_words
from training.metrics import caption_scores
from training.sets import load_set

MAX_WORDS = 22
START = {"flickr8k": "<start>", "web": "<start:web>"}


@dataclass(frozen=True, slots=True)
class Batch:
    """Lower-half features (N, 120, 17, 17) of photos with G captions each: word ids (N, G, T + 1), 0 after the end, photos by falling length of the longest caption."""

    features: Tensor
    words: Tensor
    lengths: list[int]


def vocabulary(examples: list[Example], min_count: int) -> list[str]:
    """`<pad>` at 0, words by falling frequency, then `<unk>`, the start tokens and `<end>`."""
    captions = [reference for example in examples for reference in example.references]
    return ["<pad>", *frequent_words(captions, min_count=min_count), "<unk>", *START.values(), "<end>"]


class CachedSet:
    """Examples with their cached views and encoded captions."""

    def __init__(self, examples: list[Example], cache: Path, word_ids: dict[str, int], *, max_words: int = MAX_WORDS) -> None:
        self.examples = examples
        self.views = np.load(cache, mmap_mode="r")
        unknown, end = word_ids["<unk>"], word_ids["<end>"]
        self.captions = [[[word_ids[START[e.style]], *(word_ids.get(w, unknown) for w in r[:max_words]), end] for r in e.references] for e in examples]

    def features(self, positions: list[int], rng: random.Random, *, views: range) -> Tensor:
        """Lower-half features (N, 120, 17, 17) bfloat16 of photos, each in a view drawn at random."""
        picked = np.stack([self.views[p, rng.choice(views)] for p in positions])
        return torch.from_numpy(picked).view(torch.bfloat16).permute(0, 3, 1, 2)


def batches(sets: list[CachedSet], n_captions: int, rng: random.Random, keep: list[float]) -> Iterator[Batch]:
    """One epoch in steps of about `n_captions` captions, each from one set: few photos with five captions, or many with one."""
    chunks = []
    for one, share in zip(sets, keep, strict=True):
        order = [p for p in range(len(one.examples)) if rng.random() < share]
        rng.shuffle(order)
        size = max(1, n_captions // max(1, round(sum(map(len, one.captions)) / len(one.captions))))
        chunks += [(one, order[first : first + size]) for first in range(0, len(order), size)]
    rng.shuffle(chunks)
    for one, positions in chunks:
        yield make_batch(one, positions, rng)


def make_batch(one: CachedSet, positions: list[int], rng: random.Random) -> Batch:
    """The chosen photos of one set with all their captions."""
    n_captions = max(len(one.captions[p]) for p in positions)
    positions = sorted(positions, key=lambda p: -max(map(len, one.captions[p])))
    longest = max(map(len, one.captions[positions[0]]))
    words = torch.zeros(len(positions), n_captions, longest, dtype=torch.long)
    for row, p in enumerate(positions):
        for column, caption in enumerate(one.captions[p]):
            words[row, column, : len(caption)] = torch.tensor(caption)
    lengths = [max(map(len, one.captions[p])) - 1 for p in positions]
    return Batch(one.features(positions, rng, views=range(one.views.shape[1])), words, lengths)


def teacher_forced(decoder: AttentionDecoder, feature_map: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (M, V) and targets (M,) of all M words of a batch."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, batch.words.shape[1])
    embedded = decoder.embed(batch.words)
    hidden, contexts, read, targets = [], [], [], []
    for t in range(batch.lengths[0]):
        active = sum(length > t for length in batch.lengths)
        if active < len(state.hidden):
            annotations, state = annotations.photos(slice(active)), state.photos(slice(active))
        out = decoder.step(embedded[:active, :, t], state, annotations)
        state = out.state
        spoken = batch.words[:active, :, t + 1] > 0
        hidden.append(state.hidden[spoken])
        contexts.append(out.context[spoken])
        read.append(embedded[:active, :, t][spoken])
        targets.append(batch.words[:active, :, t + 1][spoken])
    return decoder.logits(torch.cat(read), torch.cat(hidden), torch.cat(contexts)), torch.cat(targets)


@torch.inference_mode()
def greedy(decoder: AttentionDecoder, feature_map: Tensor, start: int, end: int, banned: list[int]) -> Tensor:
    """Most probable word after most probable word: ids (N, MAX_WORDS)."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, 1)
    words = torch.full((len(feature_map), 1), start)
    out = []
    for _ in range(MAX_WORDS):
        embedded = decoder.embed(words)
        step = decoder.step(embedded, state, annotations)
        state = step.state
        logits = decoder.logits(embedded, state.hidden, step.context)
        logits[..., banned] = -math.inf
        words = logits.argmax(2)
        out.append(words)
    return torch.cat(out, 1)


def sentences(ids: Tensor, words: list[str], end: int) -> list[list[str]]:
    """Rows of ids to lists of words, cut before `<end>`."""
    out = []
    for row in ids.tolist():
        out.append([words[i] for i in (row[: row.index(end)] if end in row else row)])
    return out


def evaluate(decoder: AttentionDecoder, encoder: EfficientNetLite, one: CachedSet, words: list[str], *, limit: int = 1000) -> dict[str, float]:
    """Greedy captions of a cached set against their references."""
    decoder.eval()
    ids = {word: position for position, word in enumerate(words)}
    start, end = ids[START[one.examples[0].style]], ids["<end>"]
    banned = [ids[w] for w in ("<pad>", "<unk>", *START.values())]
    hypotheses = []
    count = min(limit, len(one.examples))
    for first in range(0, count, 100):
        positions = list(range(first, min(first + 100, count)))
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            feature_map = encoder.upper(one.features(positions, random.Random(0), views=range(1)))
            hypotheses += sentences(greedy(decoder, feature_map, start, end, banned), words, end)
    decoder.train()
    return caption_scores(hypotheses, [e.references for e in one.examples[:count]])


def label_drift(encoder: EfficientNetLite, teacher: EfficientNetLite, feature_map: Tensor, features: Tensor) -> Tensor:
    """How far the ImageNet labels of the fine-tuned encoder have moved from the original's: Kullback-Leibler divergence per photo."""
    with torch.no_grad():
        original = teacher.classify(teacher.upper(features)).float().log_softmax(1)
    ours = encoder.classify(feature_map).float().log_softmax(1)
    return F.kl_div(ours, original, log_target=True, reduction="batchmean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=120, help="captions per step")
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--encoder-lr", type=float, default=2e-5)
    parser.add_argument("--finetune", action="store_true")
    parser.add_argument("--keep-labels", type=float, default=0.2, help="weight of the penalty that keeps the ImageNet labels true")
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--input-dropout", type=float, default=0.3)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--keep-web", type=float, default=1.0, help="share of the web photos that an epoch sees")
    parser.add_argument("--annotation-dim", type=int, default=512)
    parser.add_argument("--attention-dim", type=int, default=256)
    parser.add_argument("--embed-dim", type=int, default=512)
    parser.add_argument("--decoder-dim", type=int, default=768)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)

    examples = {name: load_set(args.data, name) for name in ("flickr8k-train", "web-photos-train", "flickr8k-val", "web-photos-val")}
    saved = torch.load(args.init, weights_only=True) if args.init else None
    words = saved["words"] if saved else vocabulary(examples["flickr8k-train"] + examples["web-photos-train"], args.min_count)
    ids = {word: position for position, word in enumerate(words)}
    cached = {name: CachedSet(part, args.cache / f"{name}.npy", ids) for name, part in examples.items()}
    train_sets = [cached["flickr8k-train"], cached["web-photos-train"]]
    config = (
        DecoderConfig(**saved["config"])
        if saved
        else DecoderConfig(len(words), HEAD_CHANNELS, args.attention_dim, args.embed_dim, args.decoder_dim, args.annotation_dim, deep_output=True)
    )
    encoder = pretrained_lite2().to(memory_format=torch.channels_last)
    decoder = AttentionDecoder(config, dropout=args.dropout, input_dropout=args.input_dropout)
    if saved:
        decoder.load_state_dict(saved["decoder"])
        encoder.load_state_dict(saved["encoder"])
    else:
        torch.nn.init.uniform_(decoder.embedding.weight, -0.1, 0.1)
    if not args.finetune:
        encoder.requires_grad_(False)
        encoder.bfloat16()
    else:
        encoder.requires_grad_(False)
        for part in (*list(encoder.stages)[5:], encoder.head):
            part.requires_grad_(True)
    teacher = pretrained_lite2().requires_grad_(False).bfloat16().to(memory_format=torch.channels_last)
    upper = [p for p in encoder.parameters() if p.requires_grad]
    learned = [*decoder.parameters(), *upper]
    optimiser = torch.optim.AdamW(
        [{"params": decoder.parameters(), "lr": args.lr}, {"params": upper, "lr": args.encoder_lr}], weight_decay=1e-2, betas=(0.9, 0.98)
    )
    n_captions = sum(share * sum(map(len, one.captions)) for one, share in zip(train_sets, (1.0, args.keep_web), strict=True))
    n_steps = int(args.epochs * n_captions / args.batch_size)
    warm = min(300, n_steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / warm) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, s / n_steps))))
    )
    average = [p.detach().clone() for p in learned]
    best, step = -1.0, 0
    log = (args.out / "log.jsonl").open("a", encoding="utf-8")
    log.write(json.dumps({"args": {k: str(v) for k, v in vars(args).items()}, "parameters": sum(p.numel() for p in decoder.parameters())}) + "\n")
    for epoch in range(1, args.epochs + 1):
        started, total, count, tokens = time.monotonic(), 0.0, 0, 0
        decoder.train()
        for batch in batches(train_sets, args.batch_size, rng, [1.0, args.keep_web]):
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                with torch.set_grad_enabled(args.finetune):
                    feature_map = encoder.upper(batch.features)
                logits, targets = teacher_forced(decoder, feature_map, batch)
                loss = F.cross_entropy(logits.float(), targets, label_smoothing=args.smoothing)
                kept = args.keep_labels * label_drift(encoder, teacher, feature_map, batch.features) if args.finetune else 0.0
            (loss + kept).backward()
            step_loss, n_words = loss.item(), len(targets)
            torch.nn.utils.clip_grad_norm_(learned, 2.0)
            optimiser.step()
            schedule.step()
            step += 1
            decay = min(args.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(average, [p.detach() for p in learned], 1 - decay)
            total, count, tokens = total + step_loss, count + 1, tokens + n_words
            if count % 50 == 0:
                print(f"epoch {epoch} batch {count}: loss {total / count:.3f}, {tokens / (time.monotonic() - started):.0f} words/s", flush=True)
        raw = [p.detach().clone() for p in learned]
        with torch.no_grad():
            torch._foreach_copy_(learned, average)
        trained = time.monotonic() - started
        encoder_eval = encoder
        row = {
            "epoch": epoch,
            "loss": total / count,
            "train_s": trained,
            "flickr8k": evaluate(decoder, encoder_eval, cached["flickr8k-val"], words),
            "web": evaluate(decoder, encoder_eval, cached["web-photos-val"], words),
        }
        print(json.dumps(row), flush=True)
        log.write(json.dumps(row) + "\n")
        log.flush()
        state = {
            "words": words,
            "config": asdict(config),
            "decoder": decoder.state_dict(),
            "encoder": encoder.float().state_dict() if args.finetune else pretrained_lite2().state_dict(),
            "row": row,
        }
        torch.save(state, args.out / "last.pt")
        if row["flickr8k"]["CIDEr"] > best:
            best = row["flickr8k"]["CIDEr"]
            torch.save(state, args.out / "best.pt")
        with torch.no_grad():
            torch._foreach_copy_(learned, raw)


if __name__ == "__main__":
    main()
