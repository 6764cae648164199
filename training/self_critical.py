"""Self-critical training on CIDEr (Rennie et al. 2017), after cross-entropy.

    python -m training.self_critical --config training/configs/reward.toml --data DIR --cache DIR --init RUN/best.pt --out DIR

Five sentences are sampled per photo of `--reward`, in the style of its set; each is worth its CIDEr-D less the mean of its siblings (Luo 2020, "A better
variant of self-critical sequence training"). `<end>` counts as a word, so that stopping in mid-sentence costs. The sets of `--portions` go on by
cross-entropy, lest their words be forgotten. With --finetune the encoder's upper stages learn along.
"""

from __future__ import annotations

import argparse
import math
import random
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from igsearch.captioner.config import DecoderConfig
from training.batches import MAX_WORDS, Batch, CachedSet, Dealer, Portion, cached_sets
from training.learning import Learner, Networks, common_options, parse, teacher_forced
from training.processes import Processes
from training.reward import CiderReward
from training.run import Run, load_run
from training.validation import unspoken

if TYPE_CHECKING:
    from igsearch.captioner.decoder import AttentionDecoder


@torch.no_grad()
def sample(decoder: AttentionDecoder, feature_map: Tensor, *, starts: Tensor, end: int, n_samples: int, banned: list[int]) -> Tensor:
    """Sentences drawn from the model: ids (N, G, ≤ MAX_WORDS + 1) that begin with the photo's of `starts` (N,) and are 0 after `end`."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, n_samples)
    words = starts.unsqueeze(1).expand(-1, n_samples)
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
    """Sampled ids (N, G, T + 1) as a batch for teacher forcing, sentences by falling length, and that order (N · G,)."""
    flat = ids.flatten(0, 1)
    lengths = (flat[:, 1:] > 0).sum(1)
    order = lengths.argsort(descending=True)
    photos = torch.arange(len(ids), device=ids.device).repeat_interleave(ids.shape[1])
    return Batch(features, photos[order], flat[order], lengths[order].tolist(), torch.full((len(ids),), -1)), order


def word_lists(ids: Tensor, words: list[str]) -> list[list[str]]:
    """Rows of ids as words, `<end>` included, start and padding not."""
    return [[words[i] for i in row[1:] if i] for row in ids.tolist()]


def policy_loss(decoder: AttentionDecoder, feature_map: Tensor, ids: Tensor, advantage: Tensor, banned: list[int]) -> Tensor:
    """Minus the mean over words of advantage × log-probability, for sampled ids (N, G, T + 1) and advantages (N, G)."""
    batch, order = as_batch(feature_map, ids)
    logits, targets = teacher_forced(decoder, feature_map, batch)
    logits = logits.float()
    logits[:, banned] = -math.inf
    logprobs = -F.cross_entropy(logits, targets, reduction="none")
    ordered = advantage.flatten()[order]
    worth = torch.cat([ordered[: batch.active(t)] for t in range(batch.lengths[0])])
    return -(worth * logprobs).mean()


def advantages(scores: Tensor) -> Tensor:
    """Each score (N, G) less the mean of its photo's others."""
    n_samples = scores.shape[1]
    return scores - (scores.sum(1, keepdim=True) - scores) / (n_samples - 1)


def ramp(n_steps: int, step: int) -> float:
    """Share of the learning rate at a step: a linear rise over 20 steps, and a linear fall to 10 %."""
    return min(1.0, (step + 1) / 20) * (0.1 + 0.9 * (1 - step / n_steps))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    common_options(parser)
    parser.add_argument("--reward", type=Portion.parse, nargs="+", metavar="SET=PHOTOSxSAMPLES", default=[Portion("flickr8k-train", 60, 5)])
    parser.add_argument("--keep-words", type=float, default=0.3, help="weight of the cross-entropy on --portions")
    parser.set_defaults(lr=1e-4, encoder_lr=2e-5, dropout=0.3, input_dropout=0.15, ema=0.99, clip=1.0, epochs=6)
    args = parse(parser)
    if not args.init:
        parser.error("--init: self-critical training goes on from a run of cross-entropy")
    if any(portion.n_captions < 2 for portion in args.reward):
        parser.error("--reward: at least 2 samples a photo: a sentence is compared with its siblings")
    return args


def rewards(one: CachedSet) -> CiderReward:
    """The reward whose corpus is the captions of a set's photos, `<end>` included."""
    return CiderReward([[[*reference, "<end>"] for reference in e.references] for e in one.examples])


class SelfCritical:
    """The objective: sampled sentences that beat their siblings, and the next word of the other sets' captions."""

    def __init__(self, args: argparse.Namespace, networks: Networks, cached: dict[str, CachedSet], words: list[str], rng: random.Random) -> None:
        self.args, self.networks, self.cached, self.words = args, networks, cached, words
        self.scorers = {portion.name: rewards(cached[portion.name]) for portion in args.reward}
        self.rewarded, self.remembered = Dealer(cached, args.reward, rng), Dealer(cached, args.portions, rng)

    def __call__(self, rng: random.Random) -> dict[str, float]:
        """Gradients of one batch of each kind."""
        numbers = {portion.name: self.criticise(portion, rng) for portion in self.args.reward}
        return numbers | {"loss": self.remember()}

    def criticise(self, portion: Portion, rng: random.Random) -> float:
        """Gradients from sampled sentences of one set's photos; the sentences' mean reward."""
        networks, one, n_samples = self.networks, self.cached[portion.name], portion.n_captions
        positions, banned = self.rewarded.positions(portion), unspoken(self.words)
        starts = torch.tensor([one.captions[p][0][0] for p in positions], device=networks.machine.device)
        networks.decoder.eval()
        with networks.machine.autocast():
            feature_map = networks.look(one.features(positions, rng))
            sampled = sample(networks.decoder, feature_map, starts=starts, end=self.words.index("<end>"), n_samples=n_samples, banned=banned)
            said, scorer = word_lists(sampled.flatten(0, 1), self.words), self.scorers[portion.name]
            scores = torch.tensor([scorer(positions[row // n_samples], sentence) for row, sentence in enumerate(said)]).view(-1, n_samples)
            networks.decoder.train()
            loss = policy_loss(networks.decoder, feature_map, sampled, advantages(scores).to(sampled.device), banned)
            share = len(positions) / sum(each.n_photos for each in self.args.reward)
            (share * loss).backward()
        return float(scores.mean())

    def remember(self) -> float:
        """Gradients from the captions of the sets that go on by cross-entropy; their loss."""
        networks, batch = self.networks, self.remembered.deal()
        networks.decoder.train()
        with networks.machine.autocast():
            feature_map = networks.look(batch.features)
            loss, _ = networks.caption_loss(feature_map, batch, self.args.smoothing)
            drift = networks.drift(feature_map, batch.features)
        (self.args.keep_words * loss + self.args.keep_labels * drift).backward()
        return loss.item()


def main() -> None:
    """Train as the command line says."""
    args = arguments()
    run = Run(args)
    torch.manual_seed(args.seed)
    rng = random.Random(f"{args.seed} {Processes.join().rank}")
    saved = load_run(args.init)
    names = list(dict.fromkeys(portion.name for portion in (*args.reward, *args.portions)))
    cached = cached_sets(args.data, args.cache, [*names, *args.validate], saved["words"])
    networks = Networks.of(args, saved, DecoderConfig(**saved["config"]))
    objective = SelfCritical(args, networks, cached, saved["words"], rng)
    Learner(args, networks, ramp, weight_decay=0.0).train(run, objective, cached, saved["words"], rng)


if __name__ == "__main__":
    main()
