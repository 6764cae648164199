"""The packaged network as two ONNX graphs, built from a configuration and its weights: nothing that came from outside is ever loaded as a graph.

`looking` is what is computed once per photo (encoder, labels, annotations, the state before the first word), `saying` what is computed once per word. They are
`encoder.py` and `decoder.py` again, line by line, in another notation. Letters in shapes as in `decoder.py`: N photos, G sentences per photo, P grid cells, A
annotation size, K attention size, E word vector size, D state size, V vocabulary size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from igsearch.captioner.efficientnet import HEAD_CHANNELS, N_IMAGENET_CLASSES, STEM_CHANNELS, blocks, padding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igsearch.captioner.config import CaptionerConfig, DecoderConfig

    Weights = Mapping[str, NDArray[np.float32]]

OPSET, IR_VERSION = 17, 8
"""Of 2022: what any ONNX Runtime that runs on today's Python reads."""

MICROSOFT, PRODUCT = "com.microsoft", "MatMulIntegerToFloat"
"""The domain of ONNX Runtime's own operators, and the one of them that is used."""

ACTIVATION_LEVELS, WEIGHT_LEVELS, ZERO_POINT = 127, 63, 128
"""Steps of an integer between 0 and the greatest value. Weights have 7 bits, not 8, because processors from before VNNI add two products in 16 bits."""
MANY = 1024
"""Numbers that are weights; fewer are kept in the graph, where it can be simplified by them."""

SMALLEST = 1e-12
"""Below it a row is taken for zeros."""


class Model(NamedTuple):
    """A finished graph, and the weights that it names and does not hold: so they are in memory once."""

    graph: bytes
    weights: dict[str, NDArray[Any]]


class Graph:
    """A graph that is being written: every method adds nodes and returns the name of their result."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[TensorProto] = []
        self._weights: dict[str, NDArray[Any]] = {}

    def add(self, kind: str, *inputs: str, n_outputs: int = 1, domain: str = "", **attributes: Any) -> Any:  # noqa: ANN401 - one name, or several
        """A node; its outputs' names."""
        outputs = [f"{kind}{len(self._nodes)}.{position}" for position in range(n_outputs)]
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def constant(self, values: NDArray[Any] | np.uint8 | Sequence[int] | float) -> str:
        """Weights, or a list of whole numbers, or one number."""
        array = np.ascontiguousarray(np.float32(values) if isinstance(values, float) else values)
        name = f"constant{len(self._constants)}"
        if array.size < MANY:
            self._constants.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        else:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            elsewhere = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
            elsewhere.external_data.add(key="location", value="memory")
            self._constants.append(elsewhere)
            self._weights[name] = array
        return name

    def split(self, x: str, sizes: list[int]) -> list[str]:
        """Parts of x (…, ΣI), of so many columns each."""
        parts = self.add("Split", x, self.constant(sizes), n_outputs=len(sizes), axis=-1)
        return [parts] if len(sizes) == 1 else list(parts)

    def linear(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """Multiply x (…, I) by the transpose of weight (O, I), and add a bias (O)."""
        out: str = self.add("Add", self.add("MatMul", x, self.constant(weight.T)), self.constant(bias))
        return out

    def model(self, inputs: Mapping[str, tuple[int, list[Any]]], outputs: Mapping[str, str]) -> Model:
        """The finished graph: inputs by name with their type and shape, outputs by name with what they are called inside."""
        self._nodes += [helper.make_node("Identity", [inside], [name]) for name, inside in outputs.items()]
        taken = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
        given = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self._nodes, "igsearch", taken, given, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return Model(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString(), self._weights)


class QuantisedGraph(Graph):
    """One whose linear maps multiply integers: four times as fast on processors with VNNI, and a quarter of the memory.

    Every column of weights has a scale of its own, and every row of x, so that no photo's sentence depends on those beside it.
    """

    def linear(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """As in `Graph`, x rounded to 8 bits and the weights to 7."""
        scales = np.maximum(np.abs(weight).max(axis=1), SMALLEST) / WEIGHT_LEVELS
        rounded = self.constant(np.rint(weight / scales[:, None]).astype(np.int8).T)
        step, zero = self.constant(1 / ACTIVATION_LEVELS), self.constant(np.uint8(ZERO_POINT))
        greatest = self.add("Max", self.add("ReduceMax", self.add("Abs", x), axes=[-1]), self.constant(SMALLEST))
        integers = self.add("QuantizeLinear", self.add("Div", x, greatest), step, zero)
        product = self.add(PRODUCT, integers, rounded, step, self.constant(scales), zero, domain=MICROSOFT)
        out: str = self.add("Add", self.add("Mul", product, greatest), self.constant(bias))
        return out


def looking(config: CaptionerConfig, weights: Weights) -> Model:
    """What is computed once per photo.

    Prepared pictures `pixels` (N, S, S, 3), uint8, to `logits` (N, 1000), `styles` (N, S), log-probabilities, `values` (N, P, A), `keys` (N, K, P) and the
    state before the first word, `hidden` and `cell` (N, D).
    """
    graph, size, (encoder, decoder) = Graph(), config.preprocessing.size, (part(weights, name) for name in ("encoder", "decoder"))
    feature_map = feature_maps(graph, config, encoder)
    logits = graph.linear(graph.add("ReduceMean", feature_map, axes=[2, 3], keepdims=0), encoder["classifier.weight"], encoder["classifier.bias"])
    cells = graph.add("Reshape", feature_map, graph.constant([0, HEAD_CHANNELS, -1]))
    values = graph.add("Transpose", cells, perm=[0, 2, 1])
    if config.decoder.annotation_dim:
        values = graph.add("Relu", graph.linear(values, decoder["neck.weight"], decoder["neck.bias"]))
    keys = graph.linear(values, decoder["attention.encoder_att.weight"], decoder["attention.encoder_att.bias"])
    mean = graph.add("ReduceMean", values, axes=[1], keepdims=0)
    outputs = {
        "logits": logits,
        "values": values,
        "keys": graph.add("Transpose", keys, perm=[0, 2, 1]),
        "hidden": graph.linear(mean, decoder["init_h.weight"], decoder["init_h.bias"]),
        "cell": graph.linear(mean, decoder["init_c.weight"], decoder["init_c.bias"]),
    }
    if config.decoder.n_styles:
        outputs["styles"] = graph.add("LogSoftmax", graph.linear(mean, decoder["style.weight"], decoder["style.bias"]), axis=-1)
    return graph.model({"pixels": (TensorProto.UINT8, ["N", size, size, 3])}, outputs)


def feature_maps(graph: Graph, config: CaptionerConfig, encoder: Weights) -> str:
    """The encoder: `pixels` to (N, 1280, S/32, S/32)."""
    side = config.preprocessing.size
    mean, std = (np.asarray(values, dtype=np.float32) for values in (config.preprocessing.mean, config.preprocessing.std))
    numbers = graph.add("Cast", graph.add("Transpose", "pixels", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
    scaled = graph.add("Mul", numbers, graph.constant((1 / (255 * std)).reshape(3, 1, 1)))
    x = graph.add("Add", scaled, graph.constant((-mean / std).reshape(3, 1, 1)))

    def convolved(x: str, name: str, *, stride: int = 1, activated: bool = True) -> str:
        """A convolution with SAME padding, each channel by itself where the weights are of one channel."""
        weight = encoder[f"{name}.weight"]
        before, after = padding(side, weight.shape[2], stride)
        groups = len(weight) if weight.shape[1] == 1 else 1
        pads = [before, before, after, after]
        inputs = (x, graph.constant(weight), graph.constant(encoder[f"{name}.bias"]))
        out: str = graph.add("Conv", *inputs, kernel_shape=list(weight.shape[2:]), strides=[stride, stride], pads=pads, group=groups)
        return graph.add("Clip", out, graph.constant(0.0), graph.constant(6.0)) if activated else out

    x, side = convolved(x, "stem", stride=2), math.ceil(side / 2)
    for number, stage in enumerate(blocks(config.encoder)):
        for position, block in enumerate(stage):
            name = f"stages.{number}.{position}"
            hidden = convolved(x, f"{name}.expand") if block.expansion > 1 else x
            hidden, side = convolved(hidden, f"{name}.depthwise", stride=block.stride), math.ceil(side / block.stride)
            out = convolved(hidden, f"{name}.project", activated=False)
            x = graph.add("Add", x, out) if block.is_residual else out
    return convolved(x, "head")


def saying(config: DecoderConfig, weights: Weights, banned: Sequence[int], graph: Graph) -> Model:
    """What is computed once per word, written on an empty `graph`.

    `words` (N, G), the last ones, `hidden` and `cell` (N, G, D), `values` (N, P, A) and `keys` (N, K, P) to the new `next_hidden` and `next_cell`, the
    attention `alpha` (N, G, P), and of the next words, the `banned` ones left out, the `n_best` (1) likeliest, as `logprobs` and `ids` (N, G, ≤ n_best).
    """
    decoder, annotation_dim = part(weights, "decoder"), config.annotation_dim or config.encoder_dim
    of_hidden = [-decoder["attention.decoder_att.weight"], decoder["f_beta.weight"], decoder["decode_step.weight_hh"]]
    biases = [-decoder["attention.decoder_att.bias"], decoder["f_beta.bias"], decoder["decode_step.bias_hh"]]
    recalled = graph.linear("hidden", np.concatenate(of_hidden), np.concatenate(biases))
    query, gate, from_hidden = graph.split(recalled, [len(weight) for weight in of_hidden])
    alpha, context = attended(graph, decoder["attention.full_att.weight"], query, gate)

    vectors = graph.constant(decoder["embedding.weight"])
    of_word, of_context = np.split(decoder["decode_step.weight_ih"], [config.embed_dim], axis=1)
    distinct, _, which, _ = graph.add("Unique", "words", n_outputs=4)  # of all hypotheses' last words most are the same
    read = graph.linear(graph.add("Gather", vectors, distinct), of_word, decoder["decode_step.bias_ih"])
    from_word = graph.add("Gather", read, graph.add("Reshape", which, graph.add("Shape", "words")))
    if config.deep_output:
        of_context = np.concatenate([of_context, decoder["output_context.weight"]])
    from_context, *shown = graph.split(
        graph.linear(context, of_context, np.zeros(len(of_context), np.float32)), [4 * config.decoder_dim, config.embed_dim][: 1 + config.deep_output]
    )
    hidden, cell = lstm(graph, graph.add("Add", from_hidden, graph.add("Add", from_context, from_word)), config.decoder_dim)

    out = hidden
    if config.deep_output:
        spoken = graph.linear(hidden, decoder["output_hidden.weight"], decoder["output_hidden.bias"])
        out = graph.add("Tanh", graph.add("Add", graph.add("Gather", vectors, "words"), graph.add("Add", spoken, *shown)))
    bias = decoder["fc.bias"].copy()
    bias[list(banned)] = -np.inf
    scores = graph.add("LogSoftmax", graph.linear(out, decoder["fc.weight"], bias), axis=-1)
    n_best = graph.add("Min", "n_best", graph.constant([config.vocabulary_size]))
    logprobs, ids = graph.add("TopK", scores, n_best, n_outputs=2, axis=-1)
    number, state = TensorProto.FLOAT, ["N", "G", config.decoder_dim]
    inputs: dict[str, tuple[int, list[Any]]] = {
        "words": (TensorProto.INT64, ["N", "G"]),
        "hidden": (number, state),
        "cell": (number, state),
        "values": (number, ["N", "P", annotation_dim]),
        "keys": (number, ["N", config.attention_dim, "P"]),
        "n_best": (TensorProto.INT64, [1]),
    }
    return graph.model(inputs, {"logprobs": logprobs, "ids": ids, "alpha": alpha, "next_hidden": hidden, "next_cell": cell})


def attended(graph: Graph, weight: NDArray[np.float32], query: str, gate: str) -> tuple[str, str]:
    """The attention weights (N, G, P) that follow from `keys` and minus the query (N, G, K), and the context (N, G, A) that the gate lets through.

    relu(key + query) is max(key, -query) + query, and what is added to every cell alike changes no softmax.
    """
    active = graph.add("Max", graph.add("Unsqueeze", "keys", graph.constant([1])), graph.add("Unsqueeze", query, graph.constant([3])))
    energy = graph.add("Squeeze", graph.add("MatMul", graph.constant(weight), active), graph.constant([2]))
    alpha = graph.add("Softmax", energy, axis=-1)
    return alpha, graph.add("Mul", graph.add("Sigmoid", gate), graph.add("MatMul", alpha, "values"))


def lstm(graph: Graph, gates: str, n_units: int) -> tuple[str, str]:
    """The new hidden state and cell from the old `cell` and the gates (N, G, 4·D), in torch's order."""
    taken, kept, new, told = graph.split(gates, [n_units] * 4)
    fresh = graph.add("Mul", graph.add("Sigmoid", taken), graph.add("Tanh", new))
    cell = graph.add("Add", graph.add("Mul", graph.add("Sigmoid", kept), "cell"), fresh)
    return graph.add("Mul", graph.add("Sigmoid", told), graph.add("Tanh", cell)), cell


def part(weights: Weights, name: str) -> Weights:
    """The weights below `name`, called as their network calls them."""
    return {key.removeprefix(f"{name}."): values for key, values in weights.items() if key.startswith(f"{name}.")}


def shapes(config: CaptionerConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that the networks of a configuration consist of, by name."""
    found = {f"encoder.{name}": shape for name, shape in encoder_shapes(config.encoder)}
    return found | {f"decoder.{name}": shape for name, shape in decoder_shapes(config.decoder)}


def encoder_shapes(variant: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of an EfficientNet-Lite."""
    layout = blocks(variant)
    yield from convolution("stem", STEM_CHANNELS, 3, 3)
    for number, stage in enumerate(layout):
        for position, block in enumerate(stage):
            name = f"stages.{number}.{position}"
            if block.expansion > 1:
                yield from convolution(f"{name}.expand", block.hidden, block.in_channels, 1)
            yield from convolution(f"{name}.depthwise", block.hidden, 1, block.kernel)
            yield from convolution(f"{name}.project", block.out_channels, block.hidden, 1)
    yield from convolution("head", HEAD_CHANNELS, layout[-1][-1].out_channels, 1)
    yield from linear("classifier", N_IMAGENET_CLASSES, HEAD_CHANNELS)


def decoder_shapes(config: DecoderConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of a decoder."""
    annotation, state, word = config.annotation_dim or config.encoder_dim, config.decoder_dim, config.embed_dim
    if config.annotation_dim:
        yield from linear("neck", annotation, config.encoder_dim)
    yield from linear("attention.encoder_att", config.attention_dim, annotation)
    yield from linear("attention.decoder_att", config.attention_dim, state)
    yield from linear("attention.full_att", 1, config.attention_dim)
    yield "embedding.weight", (config.vocabulary_size, word)
    yield from (("decode_step.weight_ih", (4 * state, word + annotation)), ("decode_step.weight_hh", (4 * state, state)))
    yield from (("decode_step.bias_ih", (4 * state,)), ("decode_step.bias_hh", (4 * state,)))
    for name in ("init_h", "init_c"):
        yield from linear(name, state, annotation)
    yield from linear("f_beta", annotation, state)
    if config.n_styles:
        yield from linear("style", config.n_styles, annotation)
    if config.deep_output:
        yield from linear("output_hidden", word, state)
        yield "output_context.weight", (word, annotation)
    yield from linear("fc", config.vocabulary_size, word if config.deep_output else state)


def linear(name: str, n_out: int, n_in: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The weight and the bias of a linear map."""
    yield f"{name}.weight", (n_out, n_in)
    yield f"{name}.bias", (n_out,)


def convolution(name: str, n_out: int, n_in: int, kernel: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The weight and the bias of a convolution."""
    yield f"{name}.weight", (n_out, n_in, kernel, kernel)
    yield f"{name}.bias", (n_out,)
