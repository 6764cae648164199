"""What every training shares: the networks that learn, the step that changes them, the epochs, and the command line that says so.

An objective computes gradients; the loop here clips them, takes the step, averages the weights, validates and saves. `training.train` has the objective of
cross-entropy (and, beside it, of contrast), `training.self_critical` the one of reward.
"""

from __future__ import annotations

import argparse
import math
import random
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.efficientnet import HEAD_CHANNELS
from training.backbone import pretrained_lite2
from training.batches import Batch, CachedSet, Portion
from training.contrast import Heads
from training.finetune import learning_parts, upper
from training.machine import Machine, add_machine_options
from training.processes import Processes
from training.run import AveragedWeights, Run, SavedRun
from training.validation import validate

if TYPE_CHECKING:
    from igsearch.captioner.config import DecoderConfig
    from igsearch.captioner.encoder import EfficientNetLite

Objective = Callable[[random.Random], dict[str, float]]
"""Leaves gradients in the networks and says in numbers how it went."""


def common_options(parser: argparse.ArgumentParser) -> None:
    """What every training can be told."""
    parser.add_argument("--config", type=Path, help="a TOML file of these options, without their dashes; the command line goes before it")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="a run's .pt to go on from")
    parser.add_argument("--portions", type=Portion.parse, nargs="+", metavar="SET=PHOTOSxCAPTIONS", help="what a step takes of each set")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=500, help="steps an epoch")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--finetune", action="store_true", help="the encoder's upper stages learn along")
    parser.add_argument("--encoder-lr", type=float, default=1e-4)
    parser.add_argument("--keep-labels", type=float, default=0.2, help="weight of the penalty that keeps the ImageNet labels true")
    parser.add_argument("--contrast", type=float, default=0.0, help="weight of the contrastive loss; needs the vectors of training.sentences")
    parser.add_argument("--dropout", type=float)
    parser.add_argument("--input-dropout", type=float)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--ema", type=float)
    parser.add_argument("--clip", type=float)
    parser.add_argument("--validate", nargs="+", default=["flickr8k-val", "coco-val", "indoor-val", "web-val"], help="sets that every epoch is judged by")
    parser.add_argument("--validate-photos", type=int, default=1000, help="of each at most so many")
    parser.add_argument("--seed", type=int, default=0)
    add_machine_options(parser)


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, over what `--config` says. A name in the file that is no option is an error."""
    chosen, _ = parser.parse_known_args(argv)
    if chosen.config:
        settings = {name.replace("-", "_"): value for name, value in tomllib.loads(chosen.config.read_text(encoding="utf-8")).items()}
        if unknown := settings.keys() - vars(chosen).keys():
            parser.error(f"{chosen.config}: no such option: {', '.join(sorted(unknown))}")
        for name in settings.keys() & {"portions", "reward"}:
            settings[name] = [Portion.parse(text) for text in settings[name]]
        parser.set_defaults(**settings)
    args = parser.parse_args(argv)
    if not args.portions:
        parser.error("nothing to learn from: give --portions, or a --config that has some")
    return args


def build_encoder(saved: SavedRun | None) -> EfficientNetLite:
    """The encoder of a saved run, or the one that ImageNet made; nothing of it learns yet."""
    encoder = pretrained_lite2().to(memory_format=torch.channels_last)
    if saved:
        encoder.load_state_dict(saved["encoder"])
    return encoder.requires_grad_(False)


def label_drift(encoder: EfficientNetLite, teacher: EfficientNetLite, feature_map: Tensor, features: Tensor) -> Tensor:
    """How far the ImageNet labels have moved: the divergence from the original network's, on every fourth photo."""
    with torch.no_grad():
        original = teacher.classify(teacher.upper(features[::4])).float().log_softmax(1)
    ours = encoder.classify(feature_map[::4]).float().log_softmax(1)
    return F.kl_div(ours, original, log_target=True, reduction="batchmean")


def teacher_forced(decoder: AttentionDecoder, feature_map: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (M, V) and targets (M,) of all M words of a batch, word by word, within that caption by caption."""
    annotations = decoder.annotate(feature_map)
    state = decoder.start(annotations, 1).photos(batch.photos)
    annotations = annotations.photos(batch.photos)
    embedded = decoder.embed(batch.words)
    hidden, contexts, read, targets = [], [], [], []
    for t in range(batch.lengths[0] if batch.lengths else 0):
        active = batch.active(t)
        if active < len(state.hidden):
            annotations, state = annotations.photos(slice(active)), state.photos(slice(active))
        out = decoder.step(embedded[:active, t : t + 1], state, annotations)
        state = out.state
        hidden.append(state.hidden)
        contexts.append(out.context)
        read.append(embedded[:active, t : t + 1])
        targets.append(batch.words[:active, t + 1])
    return decoder.logits(*(torch.cat(parts).squeeze(1) for parts in (read, hidden, contexts))), torch.cat(targets)


@dataclass(frozen=True, slots=True)
class Networks:
    """The encoder, the decoder, the contrastive heads if there are any, and `teacher`, the encoder as ImageNet made it."""

    machine: Machine
    encoder: EfficientNetLite
    decoder: AttentionDecoder
    heads: Heads | None
    teacher: EfficientNetLite
    frozen: dict[str, Tensor] | None
    """The encoder's weights as they came, if it does not learn: computing may round them, saving must not."""

    @classmethod
    def of(cls, args: argparse.Namespace, saved: SavedRun | None, config: DecoderConfig) -> Networks:
        """Those of a saved run, or new ones. With --finetune the upper stages of the encoder learn too; else it runs in the machine's precision."""
        machine, encoder = Machine.of(args), build_encoder(saved)
        decoder = AttentionDecoder(config, dropout=args.dropout, input_dropout=args.input_dropout)
        heads = Heads(HEAD_CHANNELS) if args.contrast or (saved and saved["heads"]) else None
        if saved:
            decoder.load_state_dict(saved["decoder"])
        else:
            nn.init.uniform_(decoder.embedding.weight, -0.1, 0.1)
        if heads and saved and saved["heads"]:
            heads.load_state_dict(saved["heads"])
        frozen = None if args.finetune else {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
        if args.finetune:
            for part in learning_parts(encoder):
                part.requires_grad_(True)
        else:
            encoder.to(machine.precision)
        teacher = pretrained_lite2().requires_grad_(False).to(machine.precision).to(memory_format=torch.channels_last)
        for network in (encoder, decoder, heads, teacher):
            if network is not None:
                network.to(machine.device)
        return cls(machine, encoder, decoder, heads, teacher, frozen)

    def parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """What learns: of the decoder and the heads, and of the encoder."""
        new = [*self.decoder.parameters(), *(self.heads.parameters() if self.heads else ())]
        return new, [p for p in self.encoder.parameters() if p.requires_grad]

    def state(self) -> dict[str, dict[str, Tensor]]:
        """The weights of each network, on the CPU."""
        networks = {"encoder": self.encoder, "decoder": self.decoder} | ({"heads": self.heads} if self.heads else {})
        found = {part: {key: tensor.cpu() for key, tensor in network.state_dict().items()} for part, network in networks.items()}
        return {"heads": {}} | found | ({"encoder": self.frozen} if self.frozen is not None else {})

    def look(self, features: Tensor) -> Tensor:
        """The feature map, through which the encoder learns only where that is asked for."""
        with torch.set_grad_enabled(self.frozen is None and torch.is_grad_enabled()):
            return upper(self.encoder, features.to(device=self.machine.device, dtype=self.machine.precision))

    def drift(self, feature_map: Tensor, features: Tensor) -> Tensor:
        """`label_drift` of a batch, 0 where the encoder does not learn."""
        if self.frozen is not None:
            return feature_map.new_zeros(())
        return label_drift(self.encoder, self.teacher, feature_map, features.to(device=self.machine.device, dtype=self.machine.precision))

    def caption_loss(self, feature_map: Tensor, batch: Batch, smoothing: float) -> tuple[Tensor, int]:
        """The cross-entropy of a batch's words, and how many they are."""
        logits, targets = teacher_forced(self.decoder, feature_map, batch)
        return F.cross_entropy(logits.float(), targets.to(logits.device), label_smoothing=smoothing), len(targets)


def cosine(n_steps: int, step: int) -> float:
    """Share of the learning rate at a step: a linear rise over a tenth of the steps (300 at most), then a half cosine down to 2 %."""
    warm = max(1, min(300, n_steps // 10))
    return min(1.0, (step + 1) / warm) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / n_steps))))


class Learner:
    """The networks and what changes them."""

    def __init__(self, args: argparse.Namespace, networks: Networks, schedule: Callable[[int, int], float], *, weight_decay: float) -> None:
        self.args, self.networks = args, networks
        new, seeing = networks.parameters()
        self.learned = [*new, *seeing]
        groups = [{"params": new, "lr": args.lr}, {"params": seeing, "lr": args.encoder_lr}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=weight_decay, betas=(0.9, 0.98), fused=True)
        n_steps = max(1, args.epochs * args.steps)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: schedule(n_steps, step))
        self.average = AveragedWeights(self.learned, args.ema)
        self.processes = Processes.join()
        torch.manual_seed(args.seed + 1000 * self.processes.rank)

    def step(self, objective: Objective, rng: random.Random) -> dict[str, float]:
        """Learn once."""
        self.optimiser.zero_grad(set_to_none=True)
        numbers = objective(rng)
        self.processes.average_gradients(self.learned)
        nn.utils.clip_grad_norm_(self.learned, self.args.clip)
        self.optimiser.step()
        self.schedule.step()
        self.average.update()
        return numbers

    def epoch(self, number: int, objective: Objective, rng: random.Random) -> dict[str, float]:
        """As many steps as an epoch has; the mean of each of the objective's numbers."""
        started, totals = time.monotonic(), dict[str, float]()
        for count in range(1, self.args.steps + 1):
            for name, value in self.step(objective, rng).items():
                totals[name] = totals.get(name, 0.0) + value
            if count % 20 == 0 and self.processes.is_first:
                means = ", ".join(f"{name} {total / count:.3f}" for name, total in totals.items())
                print(f"epoch {number} step {count}: {means}, {(time.monotonic() - started) / count:.2f} s a step", flush=True)
        return {name: total / max(1, self.args.steps) for name, total in totals.items()}

    def train(self, run: Run, objective: Objective, cached: dict[str, CachedSet], words: list[str], rng: random.Random) -> None:
        """Every epoch: learn, then judge and save the averaged weights."""
        networks = self.networks
        for number in range(1, self.args.epochs + 1):
            started = time.monotonic()
            row: dict[str, Any] = {"epoch": number} | self.epoch(number, objective, rng) | {"train_s": round(time.monotonic() - started)}
            with self.average.applied():
                mine = {name: cached[name] for name in self.args.validate[self.processes.rank :: self.processes.n]}
                row["val"] = self.processes.gather(validate(networks, mine, words, limit=self.args.validate_photos))
                if self.processes.is_first:
                    run.save(row, words, networks)
