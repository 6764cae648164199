"""Captioners by name: which one a name means, what is known of each, and how one goes away."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from igsearch.captioner import catalogue, checkpoint
from igsearch.captioner.captioner import Captioner
from igsearch.captioner.config import CaptionerConfig, DecoderConfig, Preprocessing, Search
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.encoder import EfficientNetLite
from igsearch.captioner.vocabulary import Vocabulary
from igsearch.errors import CheckpointError, UsageError
from igsearch.output import formats

WORDS = ("<pad>", "a", "dog", "<unk>", "<start>", "<end>")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint with random weights."""
    torch.manual_seed(0)
    config = CaptionerConfig(
        "tiny",
        "efficientnet_lite0",
        DecoderConfig(len(WORDS), 1280, 4, 4, 4, annotation_dim=4, deep_output=True),
        Preprocessing(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        Search(("<start>",), beam_size=2, max_words=5),
    )
    networks = torch.nn.ModuleDict({"encoder": EfficientNetLite(config.encoder), "decoder": AttentionDecoder(config.decoder)})
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    checkpoint.save(folder, config, Vocabulary(WORDS), networks.state_dict())
    return folder


@pytest.fixture
def cache(tmp_path: Path, tiny: Path) -> Path:
    """A cache in which that checkpoint lies as if it had been converted, under the name `pets`."""
    shutil.copytree(tiny, tmp_path / "cache" / "models" / "pets")
    return tmp_path / "cache"


def test_a_name_means_the_converted_one(cache: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A converted captioner goes before a folder of its name; a path means the folder; without a name it is the packaged one."""
    shutil.copytree(tiny, tmp_path / "pets")
    monkeypatch.chdir(tmp_path)
    assert catalogue.find("pets", cache) == cache / "models" / "pets"
    assert catalogue.find("./pets", cache) == Path("pets")
    assert catalogue.find(Path("pets"), cache) == Path("pets")
    assert catalogue.find(str(tiny), cache) == tiny
    assert catalogue.find(None, cache) == catalogue.find("packaged", cache) == checkpoint.packaged()


def test_what_is_found_describes(cache: Path) -> None:
    """The captioner that comes back is the one of that name, with the beam asked for."""
    opened = catalogue.open_captioner("pets", device="cpu", beam_size=3, cache_dir=cache)
    captioner = Captioner(cache / "models" / "pets", device="cpu", beam_size=3)
    photo = Image.new("RGB", (90, 70), "green")

    assert re.fullmatch("tiny-[0-9a-f]{8}-beam3", opened.name)
    assert (opened.name, opened.min_side) == (captioner.name, captioner.min_side) == (captioner.name, 64)
    assert opened.describe([opened.prepare(photo)]) == captioner.describe([captioner.prepare(photo)])


def test_a_damaged_captioner_is_found_out_before_anything_is_done_with_it(cache: Path) -> None:
    """Its network is loaded late; that a file was altered is known at once."""
    with (cache / "models" / "pets" / checkpoint.WEIGHTS).open("ab") as weights:
        weights.write(b"x")
    with pytest.raises(CheckpointError, match="is damaged"):
        catalogue.open_captioner("pets", cache_dir=cache)


def test_a_beam_holds_something(cache: Path) -> None:
    """Likewise."""
    with pytest.raises(UsageError, match="--beam-size 1 or more"):
        catalogue.open_captioner("pets", beam_size=0, cache_dir=cache)


@pytest.mark.parametrize("given", ["nobody", "", "..", "../cache", "a/b", "x" * 5000, "a\0b", ".pets", "models/pets", "\x1b[2J"])
def test_an_unknown_name_is_told_what_there_is(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """The message lists the names; nothing outside the folder of models can be meant by one."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    if given in {"", "..", "../cache"}:  # folders, which are no checkpoints
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            catalogue.open_captioner(given, cache_dir=cache)
    else:
        with pytest.raises(UsageError, match="there are packaged, pets;"):
            catalogue.open_captioner(given, cache_dir=cache)
    with pytest.raises(UsageError):
        catalogue.remove(given, cache)


@pytest.mark.parametrize("name", ["", "packaged", "-o", ".hidden", "..", "a/b", "hf:x", "a b", "é", "x" * 65, "a\n"])
def test_not_everything_is_a_name(tmp_path: Path, name: str) -> None:
    """A captioner's name is a folder's name, and can be typed."""
    with pytest.raises(UsageError, match="cannot be called"):
        catalogue.require_new_name(name, tmp_path)


def test_a_name_is_given_once(cache: Path) -> None:
    """One that is taken is refused with the way out; a new one passes."""
    with pytest.raises(UsageError, match="model remove pets"):
        catalogue.require_new_name("pets", cache)
    catalogue.require_new_name("pets2", cache)


def test_the_list_has_the_packaged_and_the_converted(cache: Path) -> None:
    """With their sizes; a folder that is being written, or a file, is not in it."""
    (cache / "models" / ".half").mkdir()
    (cache / "models" / "notes.txt").touch()
    packaged, pets = catalogue.summaries(cache)
    loaded = checkpoint.load(cache / "models" / "pets")

    assert (packaged.name, packaged.kind, packaged.folder) == ("packaged", "packaged", checkpoint.packaged())
    assert packaged.n_parameters > 10**7
    assert (pets.name, pets.kind, pets.network, pets.encoder, pets.n_words) == ("pets", "converted", "tiny", "efficientnet_lite0", len(WORDS))
    assert pets.n_parameters == sum(weight.numel() for weight in loaded.weights.values())
    assert pets.n_bytes == sum(file.stat().st_size for file in (cache / "models" / "pets").iterdir())


@pytest.mark.parametrize("part", checkpoint.PARTS)
def test_a_damaged_one_is_listed_as_such(cache: Path, part: str) -> None:
    """The others are listed all the same; asked for alone it is an error."""
    (cache / "models" / "pets" / part).write_bytes(b"\xff{")
    packaged, pets = catalogue.summaries(cache)
    assert packaged.problem is None
    assert pets.problem
    with pytest.raises(CheckpointError, match="damaged"):
        catalogue.summary("pets", cache)


@pytest.mark.parametrize(
    ("origin", "licence", "val"),
    [
        ('{"licence": "MIT", "val": {"web": {"CIDEr": 1.5, "BLEU-4": 0.25}, "n": 3}}', "MIT", {"web CIDEr": 1.5, "web BLEU-4": 0.25, "n": 3.0}),
        ('{"licence": 7, "val": "good"}', None, {}),
        ('{"val": {"a": true, "b": NaN, "c": [1], "d": 1' + "0" * 400 + ', "e": 1e400, "f": 2}}', None, {"f": 2.0}),
        ('{"val": {"a": {"b": {"c": {"d": 1}}}}}', None, {}),
        ("[]", None, {}),
        ("{", None, {}),
        ('{"val":' * 100_000, None, {}),
        ("\x80", None, {}),
    ],
    ids=["numbers", "other types", "odd numbers", "deep", "list", "cut", "100,000 deep", "not text"],
)
def test_what_a_checkpoint_says_of_its_making_is_read_tolerantly(cache: Path, origin: str, licence: str | None, val: dict[str, float]) -> None:
    """Numbers and licence where they are what they should be; nothing depends on them, so nothing fails over them."""
    (cache / "models" / "pets" / catalogue.ORIGIN).write_bytes(origin.encode("latin-1"))
    summary = catalogue.summary("pets", cache)
    assert (summary.licence, dict(summary.val)) == (licence, val)
    assert json.loads(formats.captioner_json(summary))["val"] == val


def test_the_packaged_one_names_its_numbers_and_licence_where_recorded() -> None:
    """Whatever ORIGIN.json records of the packaged checkpoint is shown, and its sums are right."""
    summary = catalogue.summary("packaged")
    origin = json.loads((checkpoint.packaged() / catalogue.ORIGIN).read_text(encoding="utf-8"))
    assert summary.licence == origin.get("licence")
    assert bool(summary.val) == bool(origin.get("val"))


def test_one_that_was_removed_is_gone(cache: Path) -> None:
    """It is no longer found or listed, the packaged one cannot be removed, and a name of nothing is an error."""
    catalogue.remove("pets", cache)
    assert catalogue.converted_names(cache) == []
    assert not (cache / "models" / "pets").exists()
    for name in ("pets", "packaged", "../models"):
        with pytest.raises(UsageError):
            catalogue.remove(name, cache)
