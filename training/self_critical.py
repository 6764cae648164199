"""Self-critical training on CIDEr (Rennie et al. 2017), after cross-entropy.

    python -m training.self_critical --data DIR --cache DIR --init RUN/best.pt --out DIR [--epochs 6] [--samples 5] [--finetune]

Five sentences are sampled per Flickr8k photo; each is worth its CIDEr-D less the mean of its siblings (Luo 2020, "A better variant of self-critical sequence
training"). `<end>` counts as a word, so that stopping in mid-sentence costs. The web photos go on by cross-entropy, lest their words be forgotten: their one
machine-written reference is too thin for a reward. With --finetune the encoder's upper stages learn along.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from training.backbone import pretrained_lite2
from training.batches import MAX_WORDS, Batch, CachedSet, cached_sets, load_examples, make_batch
from training.finetune import learning_parts, upper
from training.reward import CiderReward
from training.run import AveragedWeights, Run, SavedRun, load_run
from training.train import label_drift, teacher_forced
from training.validation import unspoken, validate

if TYPE_CHECKING:
    from igsearch.captioner.encoder import EfficientNetLite


@torch.no_grad()
def sample(decoder: AttentionDecoder, feature_map: Tensor, *, start: int, end: int, n_samples: int, banned: list[int]) -> Tensor:
    """Sentences drawn from the model: ids (N, G, ≤ MAX_WORDS + 1) that begin with `start` and are 0 after `end`."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, n_samples)
    words = torch.full((len(feature_map), n_samples), start)
    spoken, alive = [words], torch.ones_like(words, dtype=torch.bool)
    for _ in range(MAX_WORDS):
        embedded = decoder.embed(words)
        step = decoder.step(embedded, state, annotations)
        state = step.state
        logits = decoder.logits(embedded, state.hidden, step.context).float()
        logits[..., banned] = -math.inf
        words = torch.multinomial(logits.softmax(2).flatten(0, 1), 1).view_as(words) * alive
        spoken.append(words)
        alive = alive & (words != end)
        if not bool(alive.any()):
            break
    return torch.stack(spoken, 2)


def as_batch(features: Tensor, ids: Tensor) -> tuple[Batch, Tensor]:
    """Sampled ids (N, G, T + 1) as a batch for teacher forcing, photos by falling length, and that order (N,)."""
    lengths = (ids[..., 1:] > 0).sum(2).amax(1)
    order = lengths.argsort(descending=True)
    return Batch(features[order], ids[order], lengths[order].tolist()), order


def word_lists(ids: Tensor, words: list[str]) -> list[list[str]]:
    """Rows of ids as words, `<end>` included, start and padding not."""
    return [[words[i] for i in row[1:] if i] for row in ids.tolist()]


def policy_loss(decoder: AttentionDecoder, feature_map: Tensor, ids: Tensor, advantage: Tensor, banned: list[int]) -> Tensor:
    """Minus the mean over words of advantage × log-probability, for sampled ids (N, G, T + 1) and advantages (N, G)."""
    batch, order = as_batch(feature_map, ids)
    logits, targets = teacher_forced(decoder, batch.features, batch)
    logits = logits.float()
    logits[:, banned] = -math.inf
    logprobs = -F.cross_entropy(logits, targets, reduction="none")
    ordered = advantage[order]
    worth = torch.cat([ordered[: batch.active(t)][batch.words[: batch.active(t), :, t + 1] > 0] for t in range(batch.lengths[0])])
    return -(worth * logprobs).mean()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=60)
    parser.add_argument("--web-batch", type=int, default=60)
    parser.add_argument("--web-weight", type=float, default=0.3)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--input-dropout", type=float, default=0.15)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--finetune", action="store_true")
    parser.add_argument("--encoder-lr", type=float, default=1e-5)
    parser.add_argument("--keep-labels", type=float, default=0.2, help="weight of the penalty that keeps the ImageNet labels true")
    parser.add_argument("--ema", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.samples < 2:
        parser.error("--samples must be 2 or more: a sentence is compared with its siblings")
    return args


def load_networks(saved: SavedRun, args: argparse.Namespace) -> tuple[EfficientNetLite, AttentionDecoder]:
    """The encoder of a saved run, frozen and in bfloat16 unless its upper stages are to learn, and its decoder, ready to learn."""
    encoder = pretrained_lite2().requires_grad_(False).to(memory_format=torch.channels_last)
    encoder.load_state_dict(saved["encoder"])
    if args.finetune:
        for part in learning_parts(encoder):
            part.requires_grad_(True)
    else:
        encoder.bfloat16()
    decoder = AttentionDecoder(DecoderConfig(**saved["config"]), dropout=args.dropout, input_dropout=args.input_dropout)
    decoder.load_state_dict(saved["decoder"])
    return encoder, decoder


def ramp(n_steps: int, step: int) -> float:
    """Share of the learning rate at a step: a linear rise over 20 steps, and a linear fall to 10 %."""
    return min(1.0, (step + 1) / 20) * (0.1 + 0.9 * (1 - step / n_steps))


@dataclass(frozen=True, slots=True)
class Learner:
    """The networks, what they learn from, and what changes them."""

    args: argparse.Namespace
    encoder: EfficientNetLite
    decoder: AttentionDecoder
    teacher: EfficientNetLite
    learned: list[nn.Parameter]
    words: list[str]
    flickr: CachedSet
    web: CachedSet
    reward: CiderReward
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    average: AveragedWeights

    @classmethod
    def of(cls, args: argparse.Namespace, saved: SavedRun, flickr: CachedSet, web: CachedSet) -> Learner:
        """The networks of a saved run; the reward's corpus is the training photos' captions, `<end>` included."""
        encoder, decoder = load_networks(saved, args)
        teacher = pretrained_lite2().requires_grad_(False).bfloat16().to(memory_format=torch.channels_last)
        seeing = [p for p in encoder.parameters() if p.requires_grad]
        learned = [*decoder.parameters(), *seeing]
        reward = CiderReward([[[*reference, "<end>"] for reference in e.references] for e in flickr.examples])
        optimiser = torch.optim.Adam([{"params": list(decoder.parameters()), "lr": args.lr}, {"params": seeing, "lr": args.encoder_lr}], fused=True)
        n_steps = max(1, args.epochs * (len(flickr.examples) // args.batch_size))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: ramp(n_steps, step))
        return cls(args, encoder, decoder, teacher, learned, saved["words"], flickr, web, reward, optimiser, schedule, AveragedWeights(learned, args.ema))

    def look(self, features: Tensor) -> Tensor:
        """The feature map, through which the encoder learns only where that is asked for."""
        with torch.set_grad_enabled(self.args.finetune):
            return upper(self.encoder, features)

    def criticise(self, positions: list[int], rng: random.Random) -> float:
        """Gradients from sampled sentences of Flickr8k photos; the sentences' mean reward."""
        n_samples, banned = self.args.samples, unspoken(self.words)
        start, end = self.words.index("<start>"), self.words.index("<end>")
        self.decoder.eval()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            feature_map = self.look(self.flickr.features(positions, rng))
            sampled = sample(self.decoder, feature_map, start=start, end=end, n_samples=n_samples, banned=banned)
            said = word_lists(sampled.flatten(0, 1), self.words)
            scores = torch.tensor([self.reward(positions[row // n_samples], sentence) for row, sentence in enumerate(said)]).view(-1, n_samples)
            advantage = scores - (scores.sum(1, keepdim=True) - scores) / (n_samples - 1)
            self.decoder.train()
            policy_loss(self.decoder, feature_map, sampled, advantage, banned).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return float(scores.mean())

    def remember(self, rng: random.Random) -> None:
        """Gradients from the captions of some web photos."""
        self.decoder.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            batch = make_batch(self.web, rng.sample(range(len(self.web.examples)), self.args.web_batch), rng)
            feature_map = self.look(batch.features)
            logits, targets = teacher_forced(self.decoder, feature_map, batch)
            loss = self.args.web_weight * F.cross_entropy(logits.float(), targets, label_smoothing=0.1)
            kept = self.args.keep_labels * label_drift(self.encoder, self.teacher, feature_map, batch.features) if self.args.finetune else 0.0
        (loss + kept).backward()

    def epoch(self, number: int, rng: random.Random) -> float:
        """See every Flickr8k photo once, but for those that fill no batch; the mean reward."""
        started, total, count, size = time.monotonic(), 0.0, 0, self.args.batch_size
        order = list(range(len(self.flickr.examples)))
        rng.shuffle(order)
        for count, first in enumerate(range(0, len(order) - size + 1, size), start=1):
            self.optimiser.zero_grad(set_to_none=True)
            total += self.criticise(order[first : first + size], rng)
            self.remember(rng)
            nn.utils.clip_grad_norm_(self.learned, 1.0)
            self.optimiser.step()
            self.schedule.step()
            self.average.update()
            if count % 20 == 0:
                print(f"epoch {number} batch {count}: reward {total / count:.3f}, {count * size / (time.monotonic() - started):.1f} photos/s", flush=True)
        return total / max(1, count)


def main() -> None:
    """Train as the command line says."""
    args = arguments()
    run = Run(args)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    saved = load_run(args.init)
    cached = cached_sets(load_examples(args.data), args.cache, saved["words"])
    learner = Learner.of(args, saved, cached["flickr8k-train"], cached["web-photos-train"])
    for epoch in range(1, args.epochs + 1):
        started = time.monotonic()
        row: dict[str, Any] = {"epoch": epoch, "reward": learner.epoch(epoch, rng), "train_s": time.monotonic() - started}
        with learner.average.applied():
            row |= validate(learner.decoder, learner.encoder, cached, saved["words"])
            run.save(row, saved["words"], learner.decoder, learner.encoder.state_dict() if args.finetune else saved["encoder"])


if __name__ == "__main__":
    main()
