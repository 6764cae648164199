"""Train the decoder by cross-entropy on cached features; with --finetune the encoder's upper stages learn along.

    python -m training.train --data DIR --cache DIR --out DIR [--epochs 8] [--init RUN/best.pt] [--finetune]

One epoch sees every photo once, in one of its cached views, with all its captions. The start token tells the two sets apart. Every epoch is evaluated on
Flickr8k val (and a part of web val) and saved; `best.pt` is the one with the highest CIDEr on Flickr8k val.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.encoder import HEAD_CHANNELS, EfficientNetLite
from training.backbone import pretrained_lite2
from training.batches import Batch, CachedSet, batches, cached_sets, load_examples, vocabulary
from training.finetune import learning_parts, upper
from training.run import AveragedWeights, Run, SavedRun, load_run
from training.validation import validate


def teacher_forced(decoder: AttentionDecoder, feature_map: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (M, V) and targets (M,) of all M words of a batch, word by word, within that photo by photo."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, batch.words.shape[1])
    embedded = decoder.embed(batch.words)
    hidden, contexts, read, targets = [], [], [], []
    for t in range(batch.lengths[0]):
        active = batch.active(t)
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


def label_drift(encoder: EfficientNetLite, teacher: EfficientNetLite, feature_map: Tensor, features: Tensor) -> Tensor:
    """How far the ImageNet labels of the fine-tuned encoder have moved from the original's: Kullback-Leibler divergence per photo, over every fourth photo."""
    with torch.no_grad():
        original = teacher.classify(teacher.upper(features[::4])).float().log_softmax(1)
    ours = encoder.classify(feature_map[::4]).float().log_softmax(1)
    return F.kl_div(ours, original, log_target=True, reduction="batchmean")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
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
    return parser.parse_args()


def build_decoder(args: argparse.Namespace, n_words: int, saved: SavedRun | None) -> AttentionDecoder:
    """The decoder of a saved run, or a new one of the sizes asked for."""
    if saved:
        config = DecoderConfig(**saved["config"])
    else:
        config = DecoderConfig(n_words, HEAD_CHANNELS, args.attention_dim, args.embed_dim, args.decoder_dim, args.annotation_dim, deep_output=True)
    decoder = AttentionDecoder(config, dropout=args.dropout, input_dropout=args.input_dropout)
    if saved:
        decoder.load_state_dict(saved["decoder"])
    else:
        nn.init.uniform_(decoder.embedding.weight, -0.1, 0.1)
    return decoder


def build_encoder(saved: SavedRun | None) -> EfficientNetLite:
    """The encoder of a saved run, or the one that ImageNet made; nothing of it learns yet."""
    encoder = pretrained_lite2().to(memory_format=torch.channels_last)
    if saved:
        encoder.load_state_dict(saved["encoder"])
    return encoder.requires_grad_(False)


def cosine(n_steps: int, step: int) -> float:
    """Share of the learning rate at a step: a linear rise over a tenth of the steps (300 at most), then a half cosine down to 2 %."""
    warm = max(1, min(300, n_steps // 10))
    return min(1.0, (step + 1) / warm) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / n_steps))))


@dataclass(frozen=True, slots=True)
class Learner:
    """The networks, and what changes them. `teacher` is the encoder as ImageNet made it."""

    args: argparse.Namespace
    encoder: EfficientNetLite
    decoder: AttentionDecoder
    teacher: EfficientNetLite
    learned: list[nn.Parameter]
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    average: AveragedWeights

    @classmethod
    def of(cls, args: argparse.Namespace, encoder: EfficientNetLite, decoder: AttentionDecoder, n_steps: int) -> Learner:
        """With --finetune, the upper stages of the encoder learn too; else it runs in bfloat16."""
        if args.finetune:
            for part in learning_parts(encoder):
                part.requires_grad_(True)
        else:
            encoder.bfloat16()
        teacher = pretrained_lite2().requires_grad_(False).bfloat16().to(memory_format=torch.channels_last)
        upper = [p for p in encoder.parameters() if p.requires_grad]
        learned = [*decoder.parameters(), *upper]
        groups = [{"params": list(decoder.parameters()), "lr": args.lr}, {"params": upper, "lr": args.encoder_lr}]
        optimiser = torch.optim.AdamW(groups, weight_decay=1e-2, betas=(0.9, 0.98), fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: cosine(n_steps, step))
        return cls(args, encoder, decoder, teacher, learned, optimiser, schedule, AveragedWeights(learned, args.ema))

    def step(self, batch: Batch) -> tuple[float, int]:
        """Learn from one batch; its cross-entropy and number of words."""
        args = self.args
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.set_grad_enabled(args.finetune):
                feature_map = upper(self.encoder, batch.features)
            logits, targets = teacher_forced(self.decoder, feature_map, batch)
            loss = F.cross_entropy(logits.float(), targets, label_smoothing=args.smoothing)
            kept = args.keep_labels * label_drift(self.encoder, self.teacher, feature_map, batch.features) if args.finetune else 0.0
        (loss + kept).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self.learned, 2.0)
        self.optimiser.step()
        self.schedule.step()
        self.average.update()
        return loss.item(), len(targets)

    def epoch(self, number: int, sets: list[CachedSet], rng: random.Random) -> float:
        """See every photo once; the mean loss of a batch."""
        started, total, count, tokens = time.monotonic(), 0.0, 0, 0
        self.decoder.train()
        for count, batch in enumerate(batches(sets, self.args.batch_size, rng, [1.0, self.args.keep_web]), start=1):
            loss, n_words = self.step(batch)
            total, tokens = total + loss, tokens + n_words
            if count % 50 == 0:
                print(f"epoch {number} batch {count}: loss {total / count:.3f}, {tokens / (time.monotonic() - started):.0f} words/s", flush=True)
        return total / count


def main() -> None:
    """Train as the command line says."""
    args = arguments()
    run = Run(args)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    examples = load_examples(args.data)
    saved = load_run(args.init) if args.init else None
    words = saved["words"] if saved else vocabulary(examples["flickr8k-train"] + examples["web-photos-train"], args.min_count)
    cached = cached_sets(examples, args.cache, words)
    train_sets = [cached["flickr8k-train"], cached["web-photos-train"]]
    encoder, decoder = build_encoder(saved), build_decoder(args, len(words), saved)
    frozen = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    n_captions = sum(share * sum(map(len, one.captions)) for one, share in zip(train_sets, (1.0, args.keep_web), strict=True))
    learner = Learner.of(args, encoder, decoder, max(1, int(args.epochs * n_captions / args.batch_size)))
    run.log({"args": {name: str(value) for name, value in vars(args).items()}, "parameters": sum(p.numel() for p in decoder.parameters())})
    for epoch in range(1, args.epochs + 1):
        started = time.monotonic()
        row: dict[str, Any] = {"epoch": epoch, "loss": learner.epoch(epoch, train_sets, rng), "train_s": time.monotonic() - started}
        with learner.average.applied():
            row |= validate(decoder, encoder, cached, words)
            run.save(row, words, decoder, encoder.state_dict() if args.finetune else frozen)


if __name__ == "__main__":
    main()
