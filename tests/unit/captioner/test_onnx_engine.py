"""ONNX Runtime says of real photos what torch says, and finds damage before it says anything."""

from __future__ import annotations

import contextlib
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from igsearch import images
from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import Captioner
from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.encoder import EfficientNetLite
from igsearch.captioner.vocabulary import Vocabulary
from igsearch.errors import CheckpointError
from tests.unit.captioner.test_checkpoint import WORDS, resummed, tiny_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-3
"""How far log-probabilities of whole sentences may lie apart when sums are taken in another order."""


@pytest.fixture(scope="module")
def ours() -> Captioner:
    """The packaged captioner in ONNX Runtime, in float32."""
    return Captioner(device="cpu", engine="onnx", precision="float32")


@pytest.fixture(scope="module")
def theirs() -> Captioner:
    """The packaged captioner in torch, in float32."""
    return Captioner(device="cpu", engine="torch", precision="float32")


@pytest.fixture(scope="module")
def pixels(ours: Captioner, sample_photos: Path) -> list[NDArray[np.uint8]]:
    """The sample photos, prepared."""
    return [ours.prepare(images.decode(file.read_bytes())) for file in sorted(sample_photos.glob("*.jpg"))]


def test_both_engines_describe_real_photos_alike(ours: Captioner, theirs: Captioner, pixels: list[NDArray[np.uint8]]) -> None:
    """Caption, runners-up and labels of every sample photo, word for word; their probabilities but for rounding."""
    for one, other in zip(ours.describe(pixels), theirs.describe(pixels), strict=True):
        sentences, also = ([(half.caption, half.logprob), *((s.caption, s.logprob) for s in half.alternatives)] for half in (one, other))
        assert [caption for caption, _ in sentences] == [caption for caption, _ in also]
        assert [logprob for _, logprob in sentences] == pytest.approx([logprob for _, logprob in also], abs=TOLERANCE)
        assert [label.name for label in one.labels] == [label.name for label in other.labels]
        assert [label.probability for label in one.labels] == pytest.approx([label.probability for label in other.labels], abs=TOLERANCE)


def test_both_engines_look_at_the_same_places(ours: Captioner, theirs: Captioner, pixels: list[NDArray[np.uint8]]) -> None:
    """Word by word, on a grid of the same shape."""
    for one, other in zip(ours.attend(pixels[5]), theirs.attend(pixels[5]), strict=True):
        assert one.word == other.word
        assert np.allclose(one.weights, other.weights, atol=TOLERANCE)


def test_integers_say_nearly_the_same(ours: Captioner, pixels: list[NDArray[np.uint8]]) -> None:
    """In int8 most captions stay as they are, with log-probabilities to within 0.1 a word; labels, which the encoder gives, stay exactly."""
    exact, rounded = ours.describe(pixels), Captioner(device="cpu", engine="onnx", precision="int8").describe(pixels)
    same = [(one, other) for one, other in zip(rounded, exact, strict=True) if one.caption == other.caption]
    assert len(same) >= 9
    assert all(one.logprob == pytest.approx(other.logprob, abs=0.1 * (len(other.caption.split()) + 1)) for one, other in same)
    assert [one.labels for one in rounded] == [one.labels for one in exact]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_neighbours_and_threads_change_nothing(pixels: list[NDArray[np.uint8]], precision: str) -> None:
    """A photo described alone, in a batch, or while others are, has the same description to the last bit of its caption."""
    captioner = Captioner(device="cpu", engine="onnx", precision=precision)
    together = captioner.describe(pixels)
    with ThreadPoolExecutor(4) as threads:
        alone = list(threads.map(lambda one: captioner.describe([one])[0], pixels))
    assert [one.caption for one in alone] == [one.caption for one in together]
    assert [one.logprob for one in alone] == pytest.approx([one.logprob for one in together], abs=TOLERANCE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small checkpoint with random weights."""
    torch.manual_seed(0)
    config = tiny_config()
    networks = torch.nn.ModuleDict({"encoder": EfficientNetLite(config.encoder), "decoder": AttentionDecoder(config.decoder)})
    checkpoint.save(tmp_path / "tiny", config, Vocabulary(WORDS), networks.state_dict())
    return tmp_path / "tiny"


def described(folder: Path) -> str:
    """What the captioner in a folder says of a grey picture."""
    captioner = Captioner(folder, device="cpu", engine="onnx")
    size = captioner.config.preprocessing.size
    return captioner.describe([np.full((size, size, 3), 128, dtype=np.uint8)])[0].caption


def rewrite(folder: Path, name: str, value: float) -> None:
    """Put one number into a checkpoint's weights, with sums that fit."""
    loaded = checkpoint.load(folder)
    loaded.weights[name].view(-1)[0] = value
    checkpoint.save(folder, loaded.config, loaded.vocabulary, loaded.weights)


def test_a_whole_checkpoint_describes(folder: Path) -> None:
    """Any of the packaged one's kind, whatever its sizes: what is refused below is refused for its damage."""
    assert isinstance(described(folder), str)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["encoder.stem.weight", "decoder.fc.bias", "decoder.embedding.weight"])
def test_weights_that_are_no_numbers_are_refused(folder: Path, name: str, value: float) -> None:
    """One among millions is found before anything is described."""
    rewrite(folder, name, value)
    with pytest.raises(CheckpointError, match="not numbers"):
        described(folder)


def test_weights_that_compute_what_is_no_number_are_refused(folder: Path) -> None:
    """Sound numbers can be so large that infinity less infinity comes out."""
    loaded = checkpoint.load(folder)
    huge = {"decoder.neck.weight": torch.full((4, 1280), 3e38), "decoder.neck.bias": torch.full((4,), 3e38)}
    checkpoint.save(folder, loaded.config, loaded.vocabulary, loaded.weights | huge, half=False)
    with pytest.raises(CheckpointError, match="no number"):
        described(folder)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "transposed"])
def test_weights_of_another_network_are_refused(folder: Path, change: str) -> None:
    """Names and shapes are those of the configuration, or nothing is computed with them."""
    loaded = checkpoint.load(folder)
    weights = dict(loaded.weights)
    if change == "missing":
        del weights["decoder.f_beta.bias"]
    else:
        name = "decoder.more" if change == "extra" else "decoder.neck.weight"
        weights[name] = weights["decoder.neck.weight"].T if change == "transposed" else torch.zeros(3, 5)
    checkpoint.save(folder, loaded.config, loaded.vocabulary, weights)
    with pytest.raises(CheckpointError, match="shapes"):
        described(folder)


@pytest.mark.parametrize("name", ["encoder_dim", "attention_dim", "embed_dim", "decoder_dim", "annotation_dim"])
def test_sizes_that_the_weights_do_not_have_take_no_memory(folder: Path, name: str) -> None:
    """A configuration that asks for a network of terabytes ends in one line."""
    fields = json.loads((folder / checkpoint.CONFIG).read_text())
    fields["decoder"][name] = 10**6
    (folder / checkpoint.CONFIG).write_text(json.dumps(fields))
    resummed(folder)
    with pytest.raises(CheckpointError, match="shapes") as refused:
        described(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.float64, torch.bfloat16, torch.float8_e4m3fn, torch.bool], ids=str)
def test_any_type_of_number_runs_or_is_a_line(folder: Path, dtype: torch.dtype) -> None:
    """A file of safetensors may hold any: what numpy knows is computed with, the rest is refused."""
    loaded = checkpoint.load(folder)
    save_file({name: tensor.to(dtype) for name, tensor in loaded.weights.items()}, folder / checkpoint.WEIGHTS)
    resummed(folder)
    with contextlib.suppress(CheckpointError):
        assert isinstance(described(folder), str)


def test_weights_that_change_after_they_were_checked_are_found_out(folder: Path) -> None:
    """The sums are compared again when the network is loaded, which may be long after."""
    captioner = Captioner(folder, device="cpu", engine="onnx")
    with (folder / checkpoint.WEIGHTS).open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\xff")
    with pytest.raises(CheckpointError, match="damaged"):
        captioner.describe([np.zeros((64, 64, 3), dtype=np.uint8)])


def test_a_decoder_without_a_neck_runs(tmp_path: Path) -> None:
    """The tutorial's form of the decoder on the packaged encoder."""
    config = tiny_config(decoder=DecoderConfig(len(WORDS), 1280, 4, 4, 4))
    networks = torch.nn.ModuleDict({"encoder": EfficientNetLite(config.encoder), "decoder": AttentionDecoder(config.decoder)})
    checkpoint.save(tmp_path / "plain", config, Vocabulary(WORDS), networks.state_dict())
    assert isinstance(described(tmp_path / "plain"), str)
