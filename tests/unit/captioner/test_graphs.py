"""The graphs against the networks of torch that they restate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from onnx import TensorProto

from igsearch.captioner import graphs
from igsearch.captioner.config import CaptionerConfig, DecoderConfig, Preprocessing
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.decoding import beam_search
from igsearch.captioner.efficientnet import VARIANTS
from igsearch.captioner.encoder import EfficientNetLite
from igsearch.captioner.onnx_engine import OnnxSpeaker, session
from igsearch.captioner.torch_engine import TorchSpeaker
from tests.unit.captioner.test_checkpoint import tiny_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = DecoderConfig(9, 1280, 5, 7, 8)
DECODERS = {
    "tutorial": PLAIN,
    "neck": replace(PLAIN, annotation_dim=6),
    "deep output": replace(PLAIN, deep_output=True),
    "styles": replace(PLAIN, annotation_dim=6, deep_output=True, n_styles=2),
}
BANNED = [0, 3]


def networks(config: CaptionerConfig) -> tuple[EfficientNetLite, AttentionDecoder, dict[str, NDArray[np.float32]]]:
    """Networks with random weights, sharp enough that photos and sentences differ, and those weights as arrays."""
    torch.manual_seed(3)
    encoder, decoder = EfficientNetLite(config.encoder), AttentionDecoder(config.decoder)
    with torch.no_grad():
        for module in encoder.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
        decoder.fc.weight.mul_(6)
        for linear in (decoder.init_h, decoder.init_c, decoder.f_beta):
            linear.weight.mul_(8)
        decoder.embedding.weight.mul_(2)
    both = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder}).eval().requires_grad_(False)
    return encoder, decoder, {name: tensor.numpy() for name, tensor in both.state_dict().items()}


def looked(config: CaptionerConfig, weights: dict[str, NDArray[np.float32]], pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What the first graph makes of pictures, by name."""
    running = session(graphs.looking(config, weights))
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(names, {"pixels": pixels}), strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_the_shapes_are_those_of_torch(variant: str, decoder: DecoderConfig) -> None:
    """Every tensor of both networks, by name."""
    with torch.device("meta"):
        both = torch.nn.ModuleDict({"encoder": EfficientNetLite(variant), "decoder": AttentionDecoder(decoder)})
    expected = {name: tuple(tensor.shape) for name, tensor in both.state_dict().items()}
    assert graphs.shapes(tiny_config(encoder=variant, decoder=decoder)) == expected


@pytest.mark.parametrize("side", [32, 63, 65, 100])
@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_both_engines_see_the_same(side: int, decoder: DecoderConfig) -> None:
    """Labels, annotations, keys, styles and the first state of two random pictures, for sides of any remainder and a mean a channel."""
    preprocessing = Preprocessing(side, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    config = tiny_config(decoder=decoder, preprocessing=preprocessing)
    encoder, attention, weights = networks(config)
    pixels = np.random.default_rng(side).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    feature_map = encoder((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std)
    annotations = attention.annotate(feature_map)
    seen = looked(config, weights, pixels)
    state = attention.start(annotations, 1)
    expected = {"logits": encoder.classify(feature_map), "values": annotations.values, "keys": annotations.keys.transpose(1, 2)}
    expected |= {"hidden": state.hidden[:, 0], "cell": state.cell[:, 0]}
    expected |= {"styles": attention.style_logprobs(annotations, 2)} if decoder.n_styles else {}
    assert seen.keys() == expected.keys()
    for name, values in expected.items():
        assert np.abs(values.numpy()).max() > 0, f"{name}: nothing was tested"
        assert np.allclose(seen[name], values.numpy(), rtol=1e-3, atol=1e-3 * float(values.abs().max())), name


def speakers(decoder: DecoderConfig, banned: Sequence[int]) -> tuple[TorchSpeaker, OnnxSpeaker]:
    """The same decoder in front of the same six feature maps, in torch and in ONNX Runtime."""
    _, attention, weights = networks(tiny_config(decoder=decoder))
    annotations = attention.annotate(4 * torch.randn(6, 1280, 3, 3, generator=torch.Generator().manual_seed(5)).relu())
    state = attention.start(annotations, 1)
    seen = {"values": annotations.values, "keys": annotations.keys.transpose(1, 2), "hidden": state.hidden[:, 0], "cell": state.cell[:, 0]}
    seen |= {"styles": attention.style_logprobs(annotations, 2)} if decoder.n_styles else {}
    arrays = {name: np.ascontiguousarray(values.numpy()) for name, values in seen.items()}
    return TorchSpeaker(attention, annotations, banned), OnnxSpeaker(session(graphs.saying(decoder, weights, banned, graphs.Graph())), arrays)


@pytest.mark.parametrize("beam_size", [1, 3, 12])
@pytest.mark.parametrize("banned", [[], BANNED], ids=["free", "banned"])
@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_both_engines_say_the_same(decoder: DecoderConfig, banned: list[int], beam_size: int) -> None:
    """Every sentence of every photo, its log-probability and where it looked; a beam may be wider than the vocabulary."""
    theirs, ours = (
        beam_search(speaker, starts=[4, 5], end=6, beam_size=beam_size, max_words=9, length_penalty=0.7, with_attention=True)
        for speaker in speakers(decoder, banned)
    )
    assert len({round(group[0].logprob, 2) for group in theirs}) > 1, "the photos are all the same to these weights: nothing was tested"
    for their, our in zip(theirs, ours, strict=True):
        assert [one.ids for one in our] == [one.ids for one in their]
        assert [one.logprob for one in our] == pytest.approx([one.logprob for one in their], abs=1e-3)
        assert not any(set(banned) & set(one.ids) for one in our)
        for one, other in zip(our, their, strict=True):
            assert one.alpha is not None
            assert other.alpha is not None
            assert np.allclose(one.alpha, other.alpha, atol=1e-4)


def multiplied(graph: graphs.Graph, x: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a graph of one linear map computes."""
    model = graph.model({"x": (TensorProto.FLOAT, ["N", x.shape[1]])}, {"y": graph.linear("x", weight, bias)})
    (y,) = session(model).run(None, {"x": x})
    found: NDArray[np.float32] = y
    return found


def test_rows_of_integers_know_nothing_of_each_other() -> None:
    """A row computes what it computes alone, however large or small those beside it are; the error is that of seven bits; zeros stay zeros."""
    random = np.random.default_rng(0)
    x = random.standard_normal((9, 64), np.float32)
    x[3], x[4] = 0, 1000 * x[4]
    weight, bias = random.standard_normal((33, 64), np.float32), random.standard_normal(33, np.float32)
    together = multiplied(graphs.QuantisedGraph(), x, weight, bias)
    alone = [multiplied(graphs.QuantisedGraph(), row[None], weight, bias)[0] for row in x]
    exact = x @ weight.T + bias
    assert np.array_equal(together, np.stack(alone))
    assert np.allclose(multiplied(graphs.Graph(), x, weight, bias), exact, rtol=1e-4, atol=1e-4)
    assert np.allclose(together[3], bias)
    wrong, right = (np.delete(values, 3, axis=0) for values in (together - exact, exact - bias))
    assert 0 < (np.abs(wrong).mean(axis=1) / np.abs(right).mean(axis=1)).max() < 0.03
