"""The two trainings: their arithmetic on small networks, and the whole way from pictures to a checkpoint that describes."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from igsearch.captioner.captioner import Captioner
from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from training import styles
from training.backbone import pretrained_lite2
from training.batches import MAX_WORDS, Batch, CachedSet
from training.data import Example
from training.finetune import learning_parts, upper
from training.run import AveragedWeights, Run, load_run, mixture
from training.self_critical import as_batch, policy_loss, ramp, sample, word_lists
from training.sets import SETS
from training.sweep import parse_mixture
from training.train import cosine, teacher_forced
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


CAPTIONS = [[[START, 1, 2, 3, 4, END], [START, 1, END]], [[START, 2, 2, END], [START, 4, 3, 1, END]], [[START, END], []]]
"""Three photos, the last with an empty caption and one that is missing."""


def test_teacher_forcing_equals_stepping_word_by_word() -> None:
    """The logits and targets of a batch of captions of all lengths are those of each caption stepped alone, in order of step, photo and caption."""
    decoder, maps = small_decoder(0), photos(0, 3)
    words = torch.zeros(3, 2, 6, dtype=torch.long)
    for row, group in enumerate(CAPTIONS):
        for column, caption in enumerate(group):
            words[row, column, : len(caption)] = torch.tensor(caption, dtype=torch.long)
    logits, targets = teacher_forced(decoder, maps, Batch(maps, words, [5, 4, 1]))
    alone = {
        (row, column): stepped(decoder, maps[row : row + 1], caption) for row, group in enumerate(CAPTIONS) for column, caption in enumerate(group) if caption
    }
    order = [(t, row, column) for t in range(5) for (row, column), steps in alone.items() if t < len(steps)]
    assert targets.tolist() == [CAPTIONS[row][column][t + 1] for t, row, column in order]
    assert torch.allclose(logits, torch.stack([alone[row, column][t] for t, row, column in order]), atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_sampled_sentences_end_after_end(seed: int) -> None:
    """A sampled sentence begins with the start token, says nothing banned, is at most MAX_WORDS long, and after `<end>` there is only padding."""
    ids = sample(small_decoder(seed), photos(seed, 5), start=START, end=END, n_samples=6, banned=BANNED)
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
    ids = sample(decoder, maps, start=START, end=END, n_samples=4000, banned=BANNED)
    logits = stepped(decoder, maps, [START, END])[0].detach()
    logits[BANNED] = -math.inf
    expected = logits.softmax(0)
    found = torch.bincount(ids[0, :, 1], minlength=V) / 4000
    assert bool(((found - expected).abs() <= 5 * (expected * (1 - expected) / 4000).sqrt() + 1e-9).all())


def test_policy_loss_is_advantage_times_log_probability() -> None:
    """The loss is minus the mean over all sampled words of the sentence's advantage times the word's log-probability, banned words left out."""
    decoder, maps = small_decoder(2), photos(2, 3)
    ids = sample(decoder, maps, start=START, end=END, n_samples=4, banned=BANNED)
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
    """Photos are ordered by their longest sample, and the order says which is which."""
    ids = torch.tensor([[[START, 1, END, 0], [START, END, 0, 0]], [[START, 1, 2, END], [START, 1, END, 0]]])
    batch, order = as_batch(photos(3, 2), ids)
    assert batch.lengths == [3, 2]
    assert order.tolist() == [1, 0]
    assert torch.equal(batch.words, ids[[1, 0]])
    assert [batch.active(t) for t in range(4)] == [2, 2, 1, 0]


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
    np.save(tmp_path / "other.npy", np.zeros((2, 1, 17, 17, 120), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"other\.npy holds 2 photos, its set 1"):
        CachedSet([Example(tmp_path / "x.jpg", (("a",),), "web")], tmp_path / "other.npy", {"<unk>": 1, "<start:web>": 2, "<end>": 3})


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
    """The four sets in the layout of `training.sets`: eight drawings to learn from and four to be judged by, with two human captions or one of the web."""
    number = 0
    for name, (dataset, images, style) in SETS.items():
        (data / images).mkdir(parents=True, exist_ok=True)
        entries = []
        for _ in range(4 if name.endswith("-val") else 8):
            captions = draw(data / images, number)[: 1 if style == "web" else 2]
            sentences = [{"raw": one, "tokens": one.split()} for one in captions]
            entries.append({"filename": f"{number}.jpg", "split": name.rpartition("-")[2], "sentences": sentences})
            number += 1
        (data / dataset).write_bytes(gzip.compress(json.dumps({"images": entries}).encode()))


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
    run("cache_features", *data, "--out", folder / "cache", "--views", "2")
    sizes = ("--annotation-dim", "16", "--attention-dim", "8", "--embed-dim", "16", "--decoder-dim", "24")
    run("train", *data, *cache, "--out", folder / "xe", "--epochs", "2", "--batch-size", "8", "--min-count", "1", "--lr", "0.02", "--ema", "0.5", *sizes)
    run("train", *data, *cache, "--out", folder / "tuned", "--init", folder / "xe" / "best.pt", "--epochs", "1", "--batch-size", "24", "--finetune")
    batches = ("--batch-size", "4", "--web-batch", "4")
    run("self_critical", *data, *cache, "--out", folder / "rl", "--init", folder / "tuned" / "best.pt", "--epochs", "1", *batches, "--finetune")
    run("export", folder / "tuned" / "best.pt", folder / "rl" / "best.pt", *data, *cache, "--out", folder / "checkpoint", "--name", "shapes")
    return folder


def rows(run_folder: Path) -> list[dict[str, Any]]:
    """The epochs of `log.jsonl`."""
    lines = map(json.loads, (run_folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [row for row in lines if "epoch" in row]


@pytest.mark.parametrize(("name", "n_epochs", "goal"), [("xe", 2, "loss"), ("tuned", 1, "loss"), ("rl", 1, "reward")])
def test_every_epoch_is_logged_and_the_best_one_kept(trained: Path, name: str, n_epochs: int, goal: str) -> None:
    """log.jsonl has a row of finite numbers for every epoch, last.pt the last one's, best.pt that of the highest CIDEr on Flickr8k val."""
    found = rows(trained / name)
    assert [row["epoch"] for row in found] == list(range(1, n_epochs + 1))
    for row in found:
        assert math.isfinite(row[goal])
        assert all(math.isfinite(score) for domain in ("flickr8k", "web") for score in row[domain].values())
    assert load_run(trained / name / "last.pt")["row"] == found[-1]
    assert load_run(trained / name / "best.pt")["row"] == max(found, key=lambda row: row["flickr8k"]["CIDEr"])


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
    run("train", *paths, "--epochs", "1", "--batch-size", "24")
    tuned, kept = load_run(trained / "tuned" / "best.pt")["encoder"], load_run(tmp_path / "on" / "best.pt")["encoder"]
    assert all(torch.equal(tensor, tuned[name]) for name, tensor in kept.items())


@pytest.mark.parametrize("name", ["xe", "tuned", "rl"])
def test_a_run_records_what_it_depends_on(trained: Path, name: str) -> None:
    """run.json has every argument, the seed, the SHA-256 of each caption set, and the versions of Python, torch and numpy."""
    record = json.loads((trained / name / "run.json").read_text(encoding="utf-8"))
    assert record["arguments"]["out"] == str(trained / name)
    assert record["seed"] == record["arguments"]["seed"] == 0
    assert record["datasets"] == {dataset: hashlib.sha256((trained / "data" / dataset).read_bytes()).hexdigest() for dataset, _, _ in SETS.values()}
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
    for part in ("encoder", "decoder"):
        for name, tensor in mixed[part].items():
            assert torch.allclose(tensor, (2 * tuned[part][name] + rewarded[part][name]) / 3, atol=1e-6)
    assert (mixed["words"], mixed["config"]) == (tuned["words"], tuned["config"])


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
    captioner = Captioner(trained / "checkpoint", device="cpu", precision=torch.float32)
    assert captioner.config.decoder.n_styles == len(captioner.config.search.starts) == 2
    assert captioner.decoder.get_parameter("style.weight").shape == (2, 16)


def test_a_sweep_scores_every_combination(trained: Path, tmp_path: Path) -> None:
    """One line for each mixture, choice of start tokens and length penalty."""
    runs = [f"{trained / 'rl' / 'best.pt'}", f"{trained / 'tuned' / 'best.pt'}+{trained / 'rl' / 'best.pt'}:3"]
    out = tmp_path / "sweep.jsonl"
    settings = ("--starts", "human", "both", "--length-penalty", "0", "1", "--beam-size", "2", "--styles", "--json", out)
    run("sweep", *runs, "--data", trained / "data", "--cache", trained / "cache", *settings)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    expected = [(mix, starts, penalty) for mix in runs for starts in ("human", "both") for penalty in (0.0, 1.0)]
    assert [(line["mixture"], line["starts"], line["length_penalty"]) for line in lines] == expected
    assert all(math.isfinite(line[name]["CIDEr"]) for line in lines for name in ("flickr8k-val", "web-photos-val"))


def test_the_exported_checkpoint_describes(trained: Path) -> None:
    """The captioner loads the export and describes a drawing, in words that the training captions have."""
    captioner = Captioner(trained / "checkpoint", device="cpu", precision=torch.float32)
    with Image.open(next((trained / "data" / "flickr8k" / "images").iterdir())) as picture:
        description = captioner.describe([captioner.prepare(picture.convert("RGB"))])[0]
    assert captioner.name.startswith("shapes-")
    assert set(description.caption.split()) <= {*COLOURS, "a", "the", "is", "on", "square", "circle", "white", "ground"}
    assert description.logprob is not None
    assert math.isfinite(description.logprob)


def test_the_evaluation_reports_on_it(trained: Path, tmp_path: Path) -> None:
    """Where there is no Java, training.evaluate prints all scores but METEOR, writes the same to --json, and every caption to --captions."""
    dataset, images, _ = SETS["flickr8k-val"]
    files = ("--dataset", trained / "data" / dataset, "--images", trained / "data" / images, "--checkpoint", trained / "checkpoint")
    out, captions = tmp_path / "report.json", tmp_path / "captions.jsonl"
    printed = run("evaluate", *files, "--split", "val", "--device", "cpu", "--beam-size", "2", "--json", out, "--captions", captions, PATH="")
    report = json.loads(printed)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    assert (report["n_photos"], report["beam_size"], report["dataset"]) == (4, 2, dataset)
    assert set(report["scores"]) == {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"}
    said = [json.loads(line) for line in captions.read_text(encoding="utf-8").splitlines()]
    assert [one["file"] for one in said] == ["8.png", "9.png", "10.png", "11.png"]
    assert len({one["caption"] for one in said}) == report["different_captions"]


def test_a_best_run_is_replaced_only_by_a_better_one(tmp_path: Path) -> None:
    """last.pt follows every epoch; best.pt stays until an epoch has a higher CIDEr on Flickr8k val."""
    data = tmp_path / "data"
    make_sets(data)
    folder = Run(Namespace(out=tmp_path / "run", data=data, seed=3))
    for epoch, cider in enumerate((40.0, 50.0, 45.0), start=1):
        folder.save({"epoch": epoch, "flickr8k": {"CIDEr": cider}}, ["a"], small_decoder(epoch), {})
    assert load_run(tmp_path / "run" / "best.pt")["row"]["epoch"] == 2
    assert load_run(tmp_path / "run" / "last.pt")["row"]["epoch"] == 3
    assert [row["epoch"] for row in rows(tmp_path / "run")] == [1, 2, 3]
