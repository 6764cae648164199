"""Nothing of a checkpoint is used before it was checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import build
from igsearch.captioner.config import CaptionerConfig, Preprocessing, Search
from igsearch.captioner.decoder import AttentionDecoder, DecoderConfig
from igsearch.captioner.encoder import EfficientNetLite
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
