"""Nothing of a checkpoint is used before it was checked."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from igsearch.captioner import checkpoint
from igsearch.captioner.config import CaptionerConfig, DecoderConfig, Preprocessing, Search
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.encoder import EfficientNetLite
from igsearch.captioner.torch_engine import build
from igsearch.captioner.vocabulary import Vocabulary
from igsearch.errors import CheckpointError

WORDS = ("<pad>", "a", "dog", "<unk>", "<start>", "<end>")


def tiny_config(**changes: object) -> CaptionerConfig:
    """A Lite0 encoder with a decoder of a few units."""
    fields: dict[str, object] = {
        "name": "tiny",
        "encoder": "efficientnet_lite0",
        "decoder": DecoderConfig(len(WORDS), 1280, 4, 4, 4, annotation_dim=4, deep_output=True),
        "preprocessing": Preprocessing(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "search": Search(("<start>",), beam_size=2, max_words=5),
    }
    return CaptionerConfig(**fields | changes)  # type: ignore[arg-type]  # the fields of CaptionerConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole checkpoint with random weights."""
    torch.manual_seed(0)
    config = tiny_config()
    networks = torch.nn.ModuleDict({"encoder": EfficientNetLite(config.encoder), "decoder": AttentionDecoder(config.decoder)})
    checkpoint.save(tmp_path / "tiny", config, Vocabulary(WORDS), networks.state_dict())
    return tmp_path / "tiny"


def test_what_was_saved_comes_back(folder: Path) -> None:
    """Configuration and vocabulary come back equal, weights as float16, and the digest is that of the weights' file."""
    loaded = checkpoint.load(folder)
    assert loaded.config == tiny_config()
    assert loaded.vocabulary.words == WORDS
    assert {tensor.dtype for tensor in loaded.weights.values()} == {torch.float16}
    assert loaded.digest == checkpoint.sha256(folder / checkpoint.WEIGHTS)


@pytest.mark.parametrize("part", checkpoint.PARTS)
def test_one_changed_byte_is_refused(folder: Path, part: str) -> None:
    """A byte changed in any part is found before the part is parsed; the message names the file."""
    data = bytearray((folder / part).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / part).write_bytes(data)
    with pytest.raises(CheckpointError, match=part):
        checkpoint.load(folder)


@pytest.mark.parametrize("part", [*checkpoint.PARTS, checkpoint.SUMS])
def test_a_missing_part_is_refused(folder: Path, part: str) -> None:
    """Without any one of its files a folder is no checkpoint."""
    (folder / part).unlink()
    with pytest.raises(CheckpointError):
        checkpoint.load(folder)


def resummed(folder: Path) -> None:
    """Write sums that fit whatever the folder holds now, as a hostile checkpoint would have."""
    lines = (f"{checkpoint.sha256(folder / part)}  {part}\n" for part in checkpoint.PARTS)
    (folder / checkpoint.SUMS).write_text("".join(lines))


@pytest.mark.parametrize(
    ("part", "content", "says"),
    [
        (checkpoint.CONFIG, b"{", "not a captioner's configuration"),
        (checkpoint.CONFIG, b"[]", "not a captioner's configuration"),
        (checkpoint.CONFIG, b'{"format_version": 99}', "upgrade igsearch"),
        (checkpoint.CONFIG, b'{"format_version": 1}', "does not fit"),
        (checkpoint.VOCABULARY, b"{}", "list of words"),
        (checkpoint.VOCABULARY, b'["<pad>", "<pad>"]', "twice"),
        (checkpoint.VOCABULARY, b'["a"]', "lacks"),
        (checkpoint.VOCABULARY, json.dumps([*WORDS, "cat"]).encode(), "7 words"),
        (checkpoint.WEIGHTS, b"\x80\x04cos\nsystem\n", "not a safetensors file"),
    ],
    ids=["cut", "list", "newer", "empty", "object", "twice", "no specials", "other size", "pickle"],
)
def test_parts_that_are_summed_but_wrong_are_refused(folder: Path, part: str, content: bytes, says: str) -> None:
    """Right sums prove nothing about the content: each file that is not what it should be has its own message."""
    (folder / part).write_bytes(content)
    resummed(folder)
    with pytest.raises(CheckpointError, match=says):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("preprocessing", "size", 10**9),
        ("preprocessing", "size", "64"),
        ("preprocessing", "size", True),
        ("preprocessing", "mean", [0.5, 0.5]),
        ("preprocessing", "mean", ["a", "b", "c"]),
        ("preprocessing", "std", [0.5, 0.5, 0.0]),
        ("preprocessing", "std", 0.5),
        ("preprocessing", "interpolation", "magic"),
        ("preprocessing", "interpolation", None),
        ("preprocessing", "reducing_gap", 0.5),
        ("preprocessing", "surprise", 1),
        ("search", "starts", []),
        ("search", "starts", [None]),
        ("search", "beam_size", 0),
        ("search", "beam_size", 10**6),
        ("search", "max_words", 1e3),
        ("search", "length_penalty", math.nan),
        ("search", "length_penalty", 1e308),
        ("decoder", "embed_dim", -4),
        ("decoder", "decoder_dim", 10**18),
        ("decoder", "annotation_dim", [4]),
        (None, "grid", 0),
        (None, "grid", 10**4),
        (None, "encoder", 7),
        (None, "name", None),
        (None, "decoder", "large"),
        (None, "search", []),
    ],
)
def test_a_configuration_of_no_sense_is_refused(folder: Path, section: str | None, name: str, value: object) -> None:
    """Each value that is of the wrong type, or so large or small that it means nothing, ends in one line and takes no memory."""
    fields = json.loads(tiny_config().to_json())
    (fields[section] if section else fields)[name] = value
    (folder / checkpoint.CONFIG).write_text(json.dumps(fields))
    resummed(folder)
    with pytest.raises(CheckpointError, match=r"config\.json") as refused:
        checkpoint.load(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("part", [checkpoint.CONFIG, checkpoint.VOCABULARY])
@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b'{"format_version": 1' + b"0" * 5000 + b"}"], ids=["deep", "not text", "huge number"])
def test_hostile_text_is_refused(folder: Path, part: str, content: bytes) -> None:
    """JSON that is nested 100,000 deep, no text at all, a number of 5000 digits."""
    (folder / part).write_bytes(content)
    resummed(folder)
    with pytest.raises(CheckpointError):
        checkpoint.load(folder)


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    """One NaN among the weights is found before anything is described."""
    loaded = checkpoint.load(folder)
    loaded.weights["decoder.fc.bias"][0] = math.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        build(loaded, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("half", "dtype"), [(True, torch.float16), (False, torch.float32)])
def test_full_weights_are_computed_in_full(folder: Path, half: bool, dtype: torch.dtype) -> None:
    """Only what was rounded to 16 bits may be computed in as many."""
    loaded = checkpoint.load(folder)
    checkpoint.save(folder, loaded.config, loaded.vocabulary, loaded.weights, half=half)
    again = checkpoint.load(folder)
    assert {weight.dtype for weight in again.weights.values()} == {dtype}
    assert again.is_half is half


def test_weights_of_other_shapes_are_refused(folder: Path) -> None:
    """A configuration that asks for another network than the weights are of is an error, not a crash."""
    config = tiny_config(decoder=DecoderConfig(len(WORDS), 1280, 4, 4, 5, annotation_dim=4, deep_output=True))
    (folder / checkpoint.CONFIG).write_text(config.to_json())
    resummed(folder)
    with pytest.raises(CheckpointError, match="shapes"):
        build(checkpoint.load(folder), torch.device("cpu"), torch.float32)


def test_an_unknown_encoder_is_refused(folder: Path) -> None:
    """A checkpoint from a newer igsearch says so."""
    (folder / checkpoint.CONFIG).write_text(tiny_config(encoder="vision_transformer").to_json())
    resummed(folder)
    with pytest.raises(CheckpointError, match="vision_transformer"):
        build(checkpoint.load(folder), torch.device("cpu"), torch.float32)
