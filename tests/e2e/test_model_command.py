"""`igsearch model`: from the tutorial's files to captions, and every way that can go wrong, through the installed command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.captioner import lookalike

if TYPE_CHECKING:
    from tests.conftest import Igsearch


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint in the old format, as the published one is, and its word map."""
    folder = tmp_path_factory.mktemp("tutorial")
    saved = lookalike.save(lookalike.content(*lookalike.networks(2)), folder / "BEST_checkpoint_look.pth.tar", zipped=False)
    return saved, lookalike.save_word_map(folder / "WORDMAP_look.json")


def test_from_the_tutorials_files_to_captions(igsearch: Igsearch, tutorial: tuple[Path, Path], sample_photos: Path) -> None:
    """Converted, listed, looked at, used by name for captions and for an index, and removed."""
    done = igsearch("model", "convert", *tutorial, "-o", "look")
    assert (done.code, done.stdout) == (0, "")
    assert "--captioner look" in done.stderr

    listed = json.loads(igsearch("model", "list", "--json").stdout)
    assert [(one["name"], one["kind"], one["encoder"]) for one in listed["captioners"]] == [
        ("packaged", "packaged", "efficientnet_lite2"),
        ("look", "converted", "resnet14"),
    ]
    assert [line.split("\t")[0] for line in igsearch("model", "list").stdout.splitlines()] == ["packaged", "look"]
    info = json.loads(igsearch("model", "info", "look", "--json").stdout)
    assert (info["vocabulary"], info["licence"], list(info["val"].values())) == (lookalike.WORDS, None, [0.2325])
    assert Path(info["folder"]).is_dir()

    photo = sample_photos / "coffee.jpg"
    told = json.loads(igsearch("caption", photo, "--captioner", "look", "--json", "--labels").stdout)
    ids, score = lookalike.caption(*lookalike.networks(2), photo, beam_size=5)
    words = [f"word{position}" for position in ids if 0 < position < lookalike.WORDS - 3]
    assert told["captioner"].startswith("look-")
    assert told["results"][0]["caption"].split() == words
    assert told["results"][0]["logprob"] == pytest.approx(score, abs=2e-3)
    assert told["results"][0]["labels"] == []

    assert igsearch("index", "few", "--from", sample_photos, "--limit", "2", "--captioner", "look").code == 0
    listing = json.loads(igsearch("list", "--json").stdout)
    assert [name.split("-")[0] for name in listing["profiles"][0]["captioners"]] == ["look"]

    assert igsearch("model", "remove", "look").code == 0
    gone = igsearch("caption", photo, "--captioner", "look")
    assert (gone.code, gone.stdout) == (2, "")
    assert gone.stderr.count("\n") == 1
    assert "'look'" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("convert CHECKPOINT CHECKPOINT -o x", 6, "is not a word map"),
        ("convert WORDMAP WORDMAP -o x", 6, "is not a file that torch.save wrote"),
        ("convert BOMB WORDMAP -o x", 6, "is not a checkpoint of the tutorial"),
        ("convert CHECKPOINT WORDMAP", 2, "-o"),
        ("info nobody", 2, "no captioner is called 'nobody'"),
        ("info hf:some/model", 2, "Hugging Face"),
        ("remove packaged", 2, "no captioner called 'packaged' was converted"),
        ("sing", 2, "sing"),
        ("list --colour", 2, "--colour"),
    ],
)
def test_mistakes_are_one_line(igsearch: Igsearch, tutorial: tuple[Path, Path], tmp_path: Path, own_home: Path, arguments: str, code: int, says: str) -> None:
    """What is wrong, on stderr, with the documented exit code; nothing that a file asks for is run, and nothing is written."""
    (tmp_path / "bomb.pth.tar").write_bytes(lookalike.LEGACY_HEAD + b"\x80\x02cos\nsystem\nX\x09\x00\x00\x00touch ran\x85R.\x80\x02].")
    places = {"CHECKPOINT": tutorial[0], "WORDMAP": tutorial[1], "BOMB": tmp_path / "bomb.pth.tar"}
    done = igsearch("model", *(places.get(one, one) for one in arguments.split()))
    assert (done.code, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "bomb.pth.tar"]
    assert not list(own_home.rglob("models"))


@pytest.mark.parametrize("arguments", [("model",), ("model", "-h"), ("model", "convert", "--help")], ids=" ".join)
def test_there_is_help(igsearch: Igsearch, arguments: tuple[str, ...]) -> None:
    """The group and its commands say what they are for, by their whole name."""
    done = igsearch(*arguments)
    assert done.code == 0
    assert "Usage: igsearch model" in done.stdout


def test_a_cache_that_is_a_file_is_one_line(igsearch: Igsearch, tutorial: tuple[Path, Path], tmp_path: Path) -> None:
    """It is named, with what to do."""
    (tmp_path / "cache").touch()
    done = igsearch("model", "convert", *tutorial, "-o", "x", "--cache-dir", tmp_path / "cache")
    assert (done.code, done.stderr.count("\n")) == (2, 1)
    assert "cache" in done.stderr
