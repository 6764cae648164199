"""Self-critical training on CIDEr (Rennie et al. 2017), after cross-entropy.

    python -m training.self_critical --data DIR --cache DIR --init RUN/best.pt --out DIR [--epochs 6] [--samples 5]

Five sentences are sampled per Flickr8k photo; each is worth its CIDEr-D less the mean of its siblings (Luo 2020, "A better variant of self-critical sequence
training"). `<end>` counts as a word, so that stopping in mid-sentence costs. The web photos go on by cross-entropy, lest their words be forgotten: their one
machine-written reference is too thin for a reward.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from igsearch.captioner.decoder import AttentionDecoder, DecoderConfig
from training.backbone import pretrained_lite2
from training.reward import CiderReward
from training.sets import load_set
from training.train import MAX_WORDS, START, Batch, CachedSet, evaluate, make_batch, teacher_forced


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
    worth = torch.cat(
        [
            advantage[order][:active].unsqueeze(2).expand(-1, -1, 1)[..., 0][batch.words[:active, :, t + 1] > 0]
            for t in range(batch.lengths[0])
            for active in [sum(length > t for length in batch.lengths)]
        ]
    )
    return -(worth * logprobs).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=60)
    parser.add_argument("--web-batch", type=int, default=60)
    parser.add_argument("--web-weight", type=float, default=0.3)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--ema", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    saved = torch.load(args.init, weights_only=True)
    words: list[str] = saved["words"]
    ids = {word: position for position, word in enumerate(words)}
    banned = [ids[w] for w in ("<pad>", "<unk>", *START.values())]
    cached = {
        name: CachedSet(load_set(args.data, name), args.cache / f"{name}.npy", ids)
        for name in ("flickr8k-train", "web-photos-train", "flickr8k-val", "web-photos-val")
    }
    flickr, web = cached["flickr8k-train"], cached["web-photos-train"]
    reward = CiderReward([[[*reference, "<end>"] for reference in e.references] for e in flickr.examples])
    encoder = pretrained_lite2()
    encoder.load_state_dict(saved["encoder"])
    encoder.requires_grad_(False).bfloat16().to(memory_format=torch.channels_last)
    decoder = AttentionDecoder(DecoderConfig(**saved["config"]), dropout=0.5, input_dropout=0.3)
    decoder.load_state_dict(saved["decoder"])
    learned = list(decoder.parameters())
    optimiser = torch.optim.Adam(learned, lr=args.lr)
    n_steps = args.epochs * (len(flickr.examples) // args.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min(1.0, (s + 1) / 20) * (0.1 + 0.9 * (1 - s / n_steps)))
    average = [p.detach().clone() for p in learned]
    best, step = -1.0, 0
    for epoch in range(1, args.epochs + 1):
        started, total, count = time.monotonic(), 0.0, 0
        order = list(range(len(flickr.examples)))
        rng.shuffle(order)
        for first in range(0, len(order) - args.batch_size + 1, args.batch_size):
            positions = order[first : first + args.batch_size]
            optimiser.zero_grad(set_to_none=True)
            decoder.eval()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                with torch.no_grad():
                    feature_map = encoder.upper(flickr.features(positions, rng, views=range(flickr.views.shape[1])))
                sampled = sample(decoder, feature_map, start=ids["<start>"], end=ids["<end>"], n_samples=args.samples, banned=banned)
                said = word_lists(sampled.flatten(0, 1), words)
                scores = torch.tensor([reward(positions[row // args.samples], sentence) for row, sentence in enumerate(said)]).view(-1, args.samples)
                advantage = scores - (scores.sum(1, keepdim=True) - scores) / (args.samples - 1)
                policy_loss(decoder, feature_map, sampled, advantage, banned).backward()
            decoder.train()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                batch = make_batch(web, rng.sample(range(len(web.examples)), args.web_batch), rng)
                with torch.no_grad():
                    web_map = encoder.upper(batch.features)
                logits, targets = teacher_forced(decoder, web_map, batch)
                (args.web_weight * F.cross_entropy(logits.float(), targets, label_smoothing=0.1)).backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            with torch.no_grad():
                torch._foreach_lerp_(average, [p.detach() for p in learned], 1 - min(args.ema, (1 + step) / (10 + step)))
            total, count = total + float(scores.mean()), count + 1
            if count % 20 == 0:
                print(
                    f"epoch {epoch} batch {count}: reward {total / count:.3f}, {count * args.batch_size / (time.monotonic() - started):.1f} photos/s",
                    flush=True,
                )
        raw = [p.detach().clone() for p in learned]
        with torch.no_grad():
            torch._foreach_copy_(learned, average)
        row = {
            "epoch": epoch,
            "reward": total / count,
            "train_s": time.monotonic() - started,
            "flickr8k": evaluate(decoder, encoder, cached["flickr8k-val"], words),
            "web": evaluate(decoder, encoder, cached["web-photos-val"], words),
        }
        print(json.dumps(row), flush=True)
        with (args.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        state = {"words": words, "config": saved["config"], "decoder": decoder.state_dict(), "encoder": saved["encoder"], "row": row}
        torch.save(state, args.out / "last.pt")
        if row["flickr8k"]["CIDEr"] > best:
            best = row["flickr8k"]["CIDEr"]
            torch.save(state, args.out / "best.pt")
        with torch.no_grad():
            torch._foreach_copy_(learned, raw)


if __name__ == "__main__":
    main()
