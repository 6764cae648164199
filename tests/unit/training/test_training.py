"""The two trainings: their arithmetic on small networks, and the whole way from pictures to a checkpoint that describes."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import tomllib
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import Captioner
from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from training import styles
from training.backbone import pretrained_lite2
from training.batches import MAX_WORDS, Batch, CachedSet, Dealer, Portion
from training.data import Example
from training.finetune import learning_parts, upper
from training.label_captions import KINDS, beginnings
from training.learning import cosine, teacher_forced
from training.machine import Machine
from training.run import AveragedWeights, Run, SavedRun, load_run, mixture
from training.self_critical import advantages, as_batch, policy_loss, ramp, sample, word_lists
from training.self_critical import arguments as reward_arguments
from training.sets import CAPTIONED, LABEL_CAPTIONS, SETS, TRAIN, VAL, load_set
from training.sweep import parse_mixture
from training.train import arguments
from training.validation import sentences

REPOSITORY = Path(__file__).resolve().parents[3]
UNKNOWN, START, END, V = 5, 6, 7, 8
BANNED = [0, UNKNOWN, START]


def small_decoder(seed: int) -> AttentionDecoder:
    """An eight-word decoder with random weights, without dropout, sharp enough that words differ clearly in probability."""
    torch.manual_seed(seed)
    decoder = AttentionDecoder(DecoderConfig(V, encoder_dim=6, attention_dim=5, embed_dim=7, decoder_dim=8, annotation_dim=4, deep_output=True)).eval()
    with torch.no_grad():
        decoder.fc.weight.mul_(4)
    return decoder


def photos(seed: int, n: int) -> Tensor:
    """Feature maps (n, 6, 2, 2)."""
    return torch.randn(n, 6, 2, 2, generator=torch.Generator().manual_seed(seed))


def stepped(decoder: AttentionDecoder, feature_map: Tensor, ids: list[int]) -> Tensor:
    """Logits (T, V) of the words after each of `ids` but the last, for one photo (1, 6, 2, 2) and one sentence, one step at a time."""
    annotations = decoder.annotate(feature_map)
    state, logits = decoder.start(annotations, 1), []
    for word in ids[:-1]:
        embedded = decoder.embed(torch.tensor([[word]]))
        step = decoder.step(embedded, state, annotations)
        state = step.state
        logits.append(decoder.logits(embedded, state.hidden, step.context)[0, 0])
    return torch.stack(logits)


CAPTIONS = [(0, [START, 1, 2, 3, 4, END]), (1, [START, 4, 3, 1, END]), (1, [START, 2, 2, END]), (0, [START, 1, END]), (2, [START, END])]
"""Captions of three photos, by falling length."""


def test_teacher_forcing_equals_stepping_word_by_word() -> None:
    """The logits and targets of a batch of captions of all lengths are those of each caption stepped alone, in order of step and caption."""
    decoder, maps = small_decoder(0), photos(0, 3)
    words = torch.zeros(5, 6, dtype=torch.long)
    for row, (_, caption) in enumerate(CAPTIONS):
        words[row, : len(caption)] = torch.tensor(caption)
    batch = Batch(maps, torch.tensor([photo for photo, _ in CAPTIONS]), words, [len(caption) - 1 for _, caption in CAPTIONS], torch.full((3,), -1))
    logits, targets = teacher_forced(decoder, maps, batch)
    alone = [stepped(decoder, maps[photo : photo + 1], caption) for photo, caption in CAPTIONS]
    order = [(t, row) for t in range(5) for row, steps in enumerate(alone) if t < len(steps)]
    assert targets.tolist() == [CAPTIONS[row][1][t + 1] for t, row in order]
    assert torch.allclose(logits, torch.stack([alone[row][t] for t, row in order]), atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_sampled_sentences_end_after_end(seed: int) -> None:
    """A sampled sentence begins with the start token, says nothing banned, is at most MAX_WORDS long, and after `<end>` there is only padding."""
    ids = sample(small_decoder(seed), photos(seed, 5), starts=torch.full((5,), START), end=END, n_samples=6, banned=BANNED)
    assert ids.shape[:2] == (5, 6)
    assert ids.shape[2] <= MAX_WORDS + 1
    rows = ids.flatten(0, 1).tolist()
    assert any(END in row for row in rows)
    for start, *row in rows:
        said = row[: row.index(END)] if END in row else row
        assert start == START
        assert set(said) <= set(range(V)) - {*BANNED, END}
        assert not any(row[len(said) + 1 :])


def test_samples_follow_the_models_probabilities() -> None:
    """Among many samples the first word is as frequent as the model says, to within five standard errors."""
    decoder, maps = small_decoder(1), photos(1, 1)
    ids = sample(decoder, maps, starts=torch.tensor([START]), end=END, n_samples=4000, banned=BANNED)
    logits = stepped(decoder, maps, [START, END])[0].detach()
    logits[BANNED] = -math.inf
    expected = logits.softmax(0)
    found = torch.bincount(ids[0, :, 1], minlength=V) / 4000
    assert bool(((found - expected).abs() <= 5 * (expected * (1 - expected) / 4000).sqrt() + 1e-9).all())


def test_policy_loss_is_advantage_times_log_probability() -> None:
    """The loss is minus the mean over all sampled words of the sentence's advantage times the word's log-probability, banned words left out."""
    decoder, maps = small_decoder(2), photos(2, 3)
    ids = sample(decoder, maps, starts=torch.full((3,), START), end=END, n_samples=4, banned=BANNED)
    advantage = torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
    terms = []
    for row in range(3):
        for column in range(4):
            said = [int(i) for i in ids[row, column] if i]
            logits = stepped(decoder, maps[row : row + 1], said)
            logits[:, BANNED] = -math.inf
            terms += [advantage[row, column] * logprobs[word] for logprobs, word in zip(logits.log_softmax(1), said[1:], strict=True)]
    loss = policy_loss(decoder, maps, ids, advantage, BANNED)
    assert float(loss.detach()) == pytest.approx(-float(torch.stack(terms).mean().detach()), abs=1e-5)


def test_sampled_sentences_become_a_batch_by_falling_length() -> None:
    """Sentences are ordered by length, each with its photo, and the order says which is which."""
    ids = torch.tensor([[[START, 1, END, 0], [START, END, 0, 0]], [[START, 1, 2, END], [START, 1, END, 0]]])
    batch, order = as_batch(photos(3, 2), ids)
    assert batch.lengths == [3, 2, 2, 1]
    assert (order.tolist()[0], order.tolist()[3]) == (2, 1)
    assert torch.equal(batch.photos, order // 2)
    assert torch.equal(batch.words, ids.flatten(0, 1)[order])
    assert [batch.active(t) for t in range(4)] == [4, 3, 1, 0]


def test_an_advantage_is_what_a_sentence_gains_on_its_siblings() -> None:
    """Each score less the mean of the photo's other scores."""
    assert torch.allclose(advantages(torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]])), torch.tensor([[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]]))


def test_ids_become_words() -> None:
    """A reward reads `<end>` and not the start or padding; a metric reads what stands before `<end>`."""
    words = ["<pad>", "a", "dog", "runs", "fast", "<unk>", "<start>", "<end>"]
    assert word_lists(torch.tensor([[START, 1, 2, END, 0], [START, 3, 4, 1, 2]]), words) == [["a", "dog", "<end>"], ["runs", "fast", "a", "dog"]]
    assert sentences(torch.tensor([[1, 2, END, 3], [3, 4, 1, 2], [END, 1, 1, 1]]), words, END) == [["a", "dog"], ["runs", "fast", "a", "dog"], []]


def test_averaged_weights_are_lent_and_given_back() -> None:
    """The average follows its formula, with a short memory at first; it stands in the parameters inside the block and what was learned after it."""
    parameter = nn.Parameter(torch.zeros(2))
    average, expected = AveragedWeights([parameter], decay=0.3), torch.zeros(2)
    for step in range(1, 6):
        with torch.no_grad():
            parameter.add_(1.0)
        average.update()
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * parameter.detach()
    with average.applied():
        assert torch.allclose(parameter, expected)
    assert parameter.tolist() == [5.0, 5.0]


def test_learning_rates_rise_and_fall() -> None:
    """Both schedules rise from little to 1 and fall to their floor, also when there are fewer steps than a rise takes."""
    assert [round(cosine(1000, step), 3) for step in (0, 99, 1000)] == [0.01, 0.976, 0.02]
    assert max(cosine(1000, step) for step in range(1001)) == pytest.approx(cosine(1000, 99))
    assert cosine(3, 0) == 1.0
    assert [round(ramp(200, step), 3) for step in (0, 19, 200)] == [0.05, 0.914, 0.1]


def test_a_cache_of_another_set_is_refused(tmp_path: Path) -> None:
    """Features of another number of photos than the set has are an error that names the file."""
    np.save(tmp_path / "other.npy", np.zeros((2, 17, 17, 120), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"other\.npy holds 2 photos, its set 1"):
        CachedSet([Example(tmp_path / "x.jpg", (("a",),), "web")], [tmp_path / "other.npy"], {"<unk>": 1, "<start:web>": 2, "<end>": 3})


OPTIONS = ("--data", "d", "--cache", "c", "--out", "o")


def test_a_config_file_stands_behind_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file says holds unless the command line says otherwise; portions are read in both."""
    (tmp_path / "c.toml").write_text('portions = ["web-train=3x1"]\nencoder-lr = 0.5\nepochs = 7\n', encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["train", *OPTIONS, "--config", str(tmp_path / "c.toml"), "--epochs", "2"])
    args = arguments()
    assert (args.portions, args.encoder_lr, args.epochs) == ([Portion("web-train", 3, 1)], 0.5, 2)


@pytest.mark.parametrize(("text", "said"), [("epoks = 3\n", "no such option: epoks"), ("epochs = 3\n", "nothing to learn from")])
def test_a_config_file_that_says_nothing_sensible_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """An option that is none, or no portions anywhere, ends the command with a line that says so."""
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["train", *OPTIONS, "--config", str(tmp_path / "c.toml")])
    with pytest.raises(SystemExit):
        arguments()
    assert said in capsys.readouterr().err


def test_the_committed_configs_are_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage's config file is one that its command takes."""
    for config, parse_it in (("joint", arguments), ("reward", reward_arguments)):
        file = REPOSITORY / "training" / "configs" / f"{config}.toml"
        monkeypatch.setattr(sys, "argv", [config, *OPTIONS, "--init", "i", "--config", str(file)])
        assert parse_it().portions


def test_a_dealer_deals_every_photo_before_any_twice(tmp_path: Path) -> None:
    """Over a set's length all of it is dealt out, in batches of fixed portions with at most so many captions of a photo."""
    examples = [Example(tmp_path / f"{n}.jpg", (("a",), ("b", "c"), ("d",)), "web") for n in range(6)]
    np.save(tmp_path / "web-train.0.npy", np.zeros((6, 17, 17, 120), dtype=np.uint16))
    ids = {word: position for position, word in enumerate(["<pad>", "a", "b", "c", "d", "<unk>", "<start:web>", "<end>"])}
    one = CachedSet(examples, [tmp_path / "web-train.0.npy"], ids)
    portion = Portion("web-train", 2, 2)
    dealer = Dealer({"web-train": one}, [portion], random.Random(0))
    assert sorted(p for _ in range(3) for p in dealer.positions(portion)) == list(range(6))
    batch = dealer.deal()
    assert (batch.features.shape, batch.words.shape[0], batch.texts.shape) == ((2, 120, 17, 17), 4, (2,))
    assert batch.lengths == sorted(batch.lengths, reverse=True)
    assert torch.bincount(batch.photos).tolist() == [2, 2]


@pytest.mark.parametrize("text", ["coco-train", "coco-train=8", "nothing=8x1", "coco-train=ax1"])
def test_a_portion_that_is_none_is_refused(text: str) -> None:
    """A portion names a set, photos and captions."""
    with pytest.raises(ArgumentTypeError, match="is not a portion such as coco-train=64x1"):
        Portion.parse(text)


COLOURS = ("red", "green", "blue", "yellow")


def draw(folder: Path, number: int) -> list[str]:
    """Save a picture of a coloured square or circle and say what it shows, twice."""
    colour, shape = COLOURS[number % len(COLOURS)], ("square", "circle")[number // len(COLOURS) % 2]
    picture = Image.new("RGB", (64, 48), "white")
    pen = ImageDraw.Draw(picture)
    (pen.rectangle if shape == "square" else pen.ellipse)((12, 8, 52, 40), fill=colour)
    picture.save(folder / f"{number}.png")
    return [f"a {colour} {shape} on a white ground", f"the {shape} is {colour}"]


def make_sets(data: Path) -> None:
    """All sets as `training.sets` has them: eight drawings each to learn from, four to be judged by; with one or two captions, or a label."""
    number = 0
    for name, (dataset, images, style) in SETS.items():
        (data / images).mkdir(parents=True, exist_ok=True)
        entries: list[dict[str, object]] = []
        for _ in range(4 if name in VAL else 8):
            captions = draw(data / images, number)[: 2 if style == "flickr8k" else 1]
            sentences = [{"raw": one, "tokens": one.split()} for one in captions] if style else []
            label = None if style else captions[0].split()[2]
            entries.append({"filename": f"{number}.jpg", "split": name.rpartition("-")[2], "sentences": sentences, "label": label})
            number += 1
        (data / dataset).write_bytes(gzip.compress(json.dumps({"images": entries}).encode()))


def make_sentence_vectors(data: Path, cache: Path) -> None:
    """Vectors for the texts of the training sets, as `training.sentences` leaves them, from a generator in place of an encoder."""
    for name in TRAIN:
        n_texts = sum(len(example.texts) for example in load_set(data, name))
        np.save(cache / f"{name}.sentences.npy", np.random.default_rng(0).standard_normal((n_texts, 512)).astype(np.float16))


def run(module: str, *arguments: str | Path, **environment: str) -> str:
    """Run a module of `training` as one does; what it printed. Keywords in capitals are added to the environment."""
    command = [sys.executable, "-m", f"training.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything was run once: `data`, `cache`, the runs `xe`, `tuned` and `rl`, and the `checkpoint` made of the last two."""
    folder = tmp_path_factory.mktemp("training")
    data, cache = ("--data", folder / "data"), ("--cache", folder / "cache")
    make_sets(folder / "data")
    run("duplicates", *data)
    (folder / "data" / "duplicates.json").unlink()  # the drawings repeat by design
    run("cache_features", *data, "--out", folder / "cache", "--views", "2")
    make_sentence_vectors(folder / "data", folder / "cache")
    sizes = ("--annotation-dim", "16", "--attention-dim", "8", "--embed-dim", "16", "--decoder-dim", "24")
    captioned = ("--portions", *(f"{name}=4x2" for name in CAPTIONED))
    run("train", *data, *cache, "--out", folder / "xe", *captioned, "--epochs", "2", "--steps", "8", "--min-count", "1", "--lr", "0.02", "--ema", "0.5", *sizes)
    run("label_captions", folder / "xe" / "best.pt", *data, *cache)
    tuning = ("--portions", *(f"{name}=4x1" for name in TRAIN), "--epochs", "1", "--steps", "2", "--finetune", "--contrast", "0.2")
    run("train", *data, *cache, "--out", folder / "tuned", "--init", folder / "xe" / "best.pt", *tuning)
    rewarding = ("--reward", "flickr8k-train=4x3", "coco-train=4x2", "--portions", "web-train=4x1", "--epochs", "1", "--steps", "2", "--finetune")
    run("self_critical", *data, *cache, "--out", folder / "rl", "--init", folder / "tuned" / "best.pt", *rewarding)
    run("export", folder / "tuned" / "best.pt", folder / "rl" / "best.pt", *data, *cache, "--out", folder / "checkpoint", "--name", "shapes")
    return folder


def rows(run_folder: Path) -> list[dict[str, Any]]:
    """The epochs of `log.jsonl`."""
    lines = map(json.loads, (run_folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [row for row in lines if "epoch" in row]


@pytest.mark.parametrize(("name", "n_epochs", "goal"), [("xe", 2, "loss"), ("tuned", 1, "contrast"), ("rl", 1, "coco-train")])
def test_every_epoch_is_logged_and_the_best_one_kept(trained: Path, name: str, n_epochs: int, goal: str) -> None:
    """log.jsonl has a row of finite numbers for every epoch, and a file; last.pt is the last one's, best.pt that of the highest CIDEr on human captions."""
    found = rows(trained / name)
    assert [row["epoch"] for row in found] == list(range(1, n_epochs + 1))
    for row in found:
        assert math.isfinite(row[goal])
        assert set(row["val"]) == {"flickr8k-val", "coco-val", "indoor-val", "web-val"}
        assert all(math.isfinite(score) for scores in row["val"].values() for score in scores.values())
        assert load_run(trained / name / f"epoch{row['epoch']}.pt")["row"] == row
    assert load_run(trained / name / "last.pt")["row"] == found[-1]
    assert load_run(trained / name / "best.pt")["row"] == max(
        found, key=lambda row: sum(row["val"][name]["CIDEr"] for name in ("flickr8k-val", "coco-val", "indoor-val"))
    )


def test_labelled_photos_get_captions_that_name_the_thing(trained: Path) -> None:
    """Each begins with the label and its article; the set then has them in the style of the web's, and is still asked for by its label."""
    made = json.loads((trained / "data" / LABEL_CAPTIONS).read_text(encoding="utf-8"))
    examples = load_set(trained / "data", "labelled-train")
    assert {example.path.name for example in examples} == set(made)
    for example in examples:
        assert made[example.path.name][:2] == ["a", example.label]
        assert (example.references, example.style) == ((tuple(made[example.path.name]),), "web")
        assert example.texts == [example.label, f"a photo of {example.label}"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("tennis", ["a man playing tennis", "a woman playing tennis"]),
        ("naan", ["a plate of naan"]),
        ("umbrella", ["an umbrella"]),
        ("t-shirt", ["a t shirt"]),
        ("headphones", ["headphones"]),
    ],
)
def test_a_label_begins_as_its_kind_does(label: str, expected: list[str]) -> None:
    """Games are played, dishes lie on plates, plurals take no article, and the rest takes the right one."""
    kinds = tomllib.loads(KINDS.read_text(encoding="utf-8"))["kinds"]
    assert beginnings(label, kinds)[: len(expected)] == expected


def test_cross_entropy_falls(trained: Path) -> None:
    """Two epochs over a handful of drawings teach something."""
    first, second = rows(trained / "xe")
    assert second["loss"] < first["loss"]


def test_only_finetuning_changes_the_encoder(trained: Path) -> None:
    """Without --finetune the encoder is saved as it came; with it the pointwise convolutions of stages 6 and up have changed, and nothing else."""
    imagenet = pretrained_lite2().state_dict()
    plain, tuned, rewarded = (load_run(trained / name / "best.pt")["encoder"] for name in ("xe", "tuned", "rl"))
    assert all(torch.equal(tensor, imagenet[name]) for name, tensor in plain.items())
    for before, after in ((plain, tuned), (tuned, rewarded)):
        changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
        assert changed
        assert all(name.startswith(("stages.5.", "stages.6.", "head.")) and "depthwise" not in name for name in changed)


def test_training_on_with_a_frozen_encoder_keeps_that_encoder(trained: Path, tmp_path: Path) -> None:
    """A run that begins with a fine-tuned encoder, without --finetune, saves the encoder that its decoder learned with, not the one of ImageNet."""
    paths = ("--data", trained / "data", "--cache", trained / "cache", "--init", trained / "tuned" / "best.pt", "--out", tmp_path / "on")
    run("train", *paths, "--portions", "web-train=8x1", "--epochs", "1", "--steps", "1", "--validate", "web-val")
    tuned, kept = load_run(trained / "tuned" / "best.pt")["encoder"], load_run(tmp_path / "on" / "best.pt")["encoder"]
    assert all(torch.equal(tensor, tuned[name]) for name, tensor in kept.items())


@pytest.mark.parametrize("name", ["xe", "tuned", "rl"])
def test_a_run_records_what_it_depends_on(trained: Path, name: str) -> None:
    """run.json has every argument, the seed, the SHA-256 of each caption set, and the versions of Python, torch and numpy."""
    record = json.loads((trained / name / "run.json").read_text(encoding="utf-8"))
    assert record["arguments"]["out"] == str(trained / name)
    assert record["seed"] == record["arguments"]["seed"] == 0
    assert record["datasets"] == {dataset: hashlib.sha256((trained / "data" / dataset).read_bytes()).hexdigest() for dataset, *_ in SETS.values()}
    assert set(record["versions"]) == {"python", "torch", "numpy"}
    assert record["versions"]["torch"] == torch.__version__


def test_the_fast_upper_stages_are_the_encoders_own() -> None:
    """What fine-tuning runs gives the feature map of `EfficientNetLite.upper`, and the gradients that autograd finds through it."""
    torch.manual_seed(0)
    encoder = pretrained_lite2().requires_grad_(False)
    for part in learning_parts(encoder):
        part.requires_grad_(True)
    learning = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    features = torch.rand(2, 120, 5, 5)
    gradients = [torch.autograd.grad(feature_map.square().mean(), learning) for feature_map in (encoder.upper(features), upper(encoder, features))]
    assert torch.allclose(encoder.upper(features), upper(encoder, features), atol=1e-4)
    assert all(torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5) for ours, theirs in zip(*gradients, strict=True))


def test_a_mixture_is_the_mean_of_its_runs(trained: Path) -> None:
    """Weights are averaged, a run that counts twice twice; words and sizes are the first run's."""
    tuned, rewarded = (load_run(trained / name / "best.pt") for name in ("tuned", "rl"))
    files = parse_mixture(f"{trained / 'tuned' / 'best.pt'}:2+{trained / 'rl' / 'best.pt'}")
    mixed = mixture([load_run(file) for file in files])
    assert mixed["heads"]
    for part in ("encoder", "decoder", "heads"):
        for name, tensor in mixed[part].items():
            assert torch.allclose(tensor, (2 * tuned[part][name] + rewarded[part][name]) / 3, atol=1e-6)
    assert (mixed["words"], mixed["config"]) == (tuned["words"], tuned["config"])


def test_a_mixture_with_a_run_that_has_no_heads_has_none() -> None:
    """The captioner that training begins with has no contrastive heads; what all runs have is averaged."""
    one = SavedRun(words=["a"], config={}, encoder={"w": torch.zeros(1)}, decoder={"w": torch.zeros(1)}, heads={"h": torch.ones(1)}, row={})
    other = SavedRun(words=["a"], config={}, encoder={"w": torch.ones(1)}, decoder={"w": torch.ones(1)}, heads={}, row={})
    mixed = mixture([one, other])
    assert mixed["heads"] == {}
    assert mixed["decoder"]["w"].tolist() == [0.5]


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_precision_asked_for_is_computed_in(precision: str, expected: torch.dtype) -> None:
    """Matrix products under a machine's autocast have its precision, whatever the weights have."""
    machine = Machine.of(Namespace(device="cpu", precision=precision))
    with machine.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == machine.precision == expected


@pytest.mark.parametrize("n_sets", [2, 3])
def test_styles_are_told_apart_however_many_photos_a_set_has(n_sets: int) -> None:
    """Of sets that lie apart, each point's likeliest style is its own set's; a set of ten times as many photos is not likelier for a point between two."""
    generator = torch.Generator().manual_seed(0)
    centres = 20 * torch.eye(n_sets, 6)
    means = [centre + torch.randn(400 if position else 40, 6, generator=generator) for position, centre in enumerate(centres)]
    weight, bias = styles.fit(means)
    assert weight.shape == (n_sets, 6)
    for position, mean in enumerate(means):
        assert bool(((mean @ weight.T + bias).argmax(1) == position).all())
    between = ((centres[0] + centres[1]) / 2 @ weight.T + bias).softmax(0)
    assert float(between[0]) == pytest.approx(float(between[1]), abs=0.2)


def test_the_exported_decoder_weighs_styles(trained: Path) -> None:
    """Its configuration says so, and the captioner that loads it has a style for each start token."""
    captioner = Captioner(trained / "checkpoint", device="cpu", engine="torch", precision="float32")
    assert captioner.config.decoder.n_styles == len(captioner.config.search.starts) == 3
    assert checkpoint.load(trained / "checkpoint").weights["decoder.style.weight"].shape == (3, 16)


def test_a_sweep_scores_every_combination(trained: Path, tmp_path: Path) -> None:
    """One line for each mixture, choice of start tokens and length penalty."""
    runs = [f"{trained / 'rl' / 'best.pt'}", f"{trained / 'tuned' / 'best.pt'}+{trained / 'rl' / 'best.pt'}:3"]
    out = tmp_path / "sweep.jsonl"
    settings = ("--starts", "own", "all", "--length-penalty", "0", "1", "--beam-size", "2", "--styles", "--json", out)
    run("sweep", *runs, "--data", trained / "data", "--cache", trained / "cache", *settings)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    expected = [(mix, starts, penalty) for mix in runs for starts in ("own", "all") for penalty in (0.0, 1.0)]
    assert [(line["mixture"], line["starts"], line["length_penalty"]) for line in lines] == expected
    assert all(math.isfinite(line[name]["CIDEr"]) for line in lines for name in ("flickr8k-val", "coco-val", "indoor-val", "web-val"))


def test_the_exported_checkpoint_describes(trained: Path) -> None:
    """The captioner loads the export and describes a drawing, in words that the training captions have."""
    captioner = Captioner(trained / "checkpoint", device="cpu", precision="float32")
    with Image.open(next((trained / "data" / "flickr8k" / "images").iterdir())) as picture:
        description = captioner.describe([captioner.prepare(picture.convert("RGB"))])[0]
    assert captioner.name.startswith("shapes-")
    assert set(description.caption.split()) <= {*COLOURS, "a", "the", "is", "on", "square", "circle", "white", "ground"}
    assert description.logprob is not None
    assert math.isfinite(description.logprob)


def test_the_evaluation_reports_on_it(trained: Path, tmp_path: Path) -> None:
    """Where there is no Java, training.evaluate prints all scores but METEOR, writes the same to --json, and every caption to --captions."""
    dataset, images, _ = SETS["flickr8k-val"]
    expected = [f"{path.stem}.png" for path in (example.path for example in load_set(trained / "data", "flickr8k-val"))]
    files = ("--dataset", trained / "data" / dataset, "--images", trained / "data" / images, "--checkpoint", trained / "checkpoint")
    out, captions = tmp_path / "report.json", tmp_path / "captions.jsonl"
    printed = run("evaluate", *files, "--split", "val", "--device", "cpu", "--beam-size", "2", "--json", out, "--captions", captions, PATH="")
    report = json.loads(printed)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    assert (report["n_photos"], report["beam_size"], report["dataset"]) == (4, 2, dataset)
    assert set(report["scores"]) == {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"}
    said = [json.loads(line) for line in captions.read_text(encoding="utf-8").splitlines()]
    assert [one["file"] for one in said] == expected
    assert len({one["caption"] for one in said}) == report["different_captions"]


class Shown:
    """Networks of which there is only a decoder."""

    def __init__(self, decoder: AttentionDecoder) -> None:
        self.decoder = decoder

    def state(self) -> dict[str, dict[str, Tensor]]:
        """As `Networks.state`."""
        return {"encoder": {}, "decoder": self.decoder.state_dict(), "heads": {}}


def test_a_best_run_is_replaced_only_by_a_better_one(tmp_path: Path) -> None:
    """last.pt follows every epoch; best.pt stays until an epoch has a higher CIDEr on human captions, whatever the web's is."""
    folder = Run(Namespace(out=tmp_path / "run", data=tmp_path, seed=3))
    for epoch, (cider, web) in enumerate(((40.0, 1.0), (50.0, 1.0), (45.0, 99.0)), start=1):
        row = {"epoch": epoch, "val": {"flickr8k-val": {"CIDEr": cider}, "coco-val": {"CIDEr": cider}, "web-val": {"CIDEr": web}}}
        folder.save(row, ["a"], Shown(small_decoder(epoch)))  # type: ignore[arg-type]  # all that saving asks of the networks
    assert load_run(tmp_path / "run" / "best.pt")["row"]["epoch"] == 2
    assert load_run(tmp_path / "run" / "last.pt")["row"]["epoch"] == 3
    assert [row["epoch"] for row in rows(tmp_path / "run")] == [1, 2, 3]
