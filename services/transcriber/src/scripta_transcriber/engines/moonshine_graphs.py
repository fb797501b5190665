"""Moonshine's encoder and decoder as graphs of our own, with the weights that are published.

The published decoder has 900 nodes, most of which reckon with shapes: two thirds of the time of a
step go there. These graphs have about a hundred, with the fused operators of onnxruntime for
attention and rotary positions, the projections of queries, keys and values in one product, and
no padding or mask: there is one segment and all of it counts.

Architecture: Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice
Commands", 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scripta_transcriber.engines.moonshine_weights import Quantized, Weights
from scripta_transcriber.engines.onnx import open_session
from scripta_transcriber.engines.onnx_graph import Graph

EPSILON: Final = 1e-5
STRIDES: Final = (64, 3, 2)
WIDTHS: Final = (127, 7, 3)
"""Of the three convolutions over the samples."""

_MOST_FRAMES: Final = 8192
"""Positions of the encoder: 196 s of audio."""

_MOST_TOKENS: Final = 2048

_KEY_AND_VALUE: Final = ("key", "value")

Array = npt.NDArray[Any]


class Arithmetic(Enum):
    """How matrices are multiplied; the weights are the same."""

    FLOATS = auto()
    """Weights are unpacked, and nothing of the audio is rounded."""
    BYTES = auto()
    """What is multiplied is rounded to 8 bits, by its largest number: cheaper, and now and then a
    word is another."""
    SIGNED_BYTES = auto()
    """The same sums by faster instructions, where a processor has them."""


@dataclass(frozen=True, slots=True)
class Form:
    """The measures of a model.

    Attributes:
        layers: Of encoder and decoder each.
        heads: Of each attention.
        head_size: Numbers in each of them.
    """

    layers: int
    heads: int
    head_size: int

    @classmethod
    def of(cls, decoder: Weights) -> Form:
        """Returns the measures of the model that a decoder is of."""
        _, heads, _, size = decoder.shape("past_key_values.0.decoder.key")
        return cls(decoder.count(r"/model/decoder/layers\.\d+/mlp/fc2/MatMul_quant"), heads, size)

    @property
    def width(self) -> int:
        """Numbers in a position's vector."""
        return self.heads * self.head_size

    def cache(self, kind: str) -> list[str]:
        """Returns the names of all keys and values of a kind, layer by layer."""
        return [f"{kind}.{i}.{part}" for i in range(self.layers) for part in _KEY_AND_VALUE]


class _Layers:
    """A graph under construction, and the parts that encoder and decoder have in common."""

    def __init__(
        self, weights: Weights, form: Form, most: int, frequencies: str, *, arithmetic: Arithmetic
    ) -> None:
        self.graph = Graph()
        self.form = form
        self._weights = weights
        self._arithmetic = arithmetic
        inverse = weights.tensor(frequencies, 0).reshape(1, -1)
        angles = np.arange(most, dtype=np.float32)[:, None] * inverse
        self._turns = [self.graph.constant(turn(angles)) for turn in (np.cos, np.sin)]
        self._turned = 2 * inverse.size
        self._three = self.graph.constant(np.array([form.width] * 3))

    def normalized(self, value: str, node: str, place: int = 1) -> str:
        """Normalises with the weights that are a node's input number ``place``."""
        gamma = self.graph.constant(self._weights.tensor(node, place))
        return self.graph.node("LayerNormalization", value, gamma, axis=-1, epsilon=EPSILON)

    def product(self, value: str, *nodes: str, biased: bool = False) -> str:
        """Multiplies by the matrices of some nodes, and adds the bias of the first."""
        bias = [self.graph.constant(self._weights.tensor(nodes[0], 4))] if biased else []
        return self.multiplied(value, [self._weights.matrix(node) for node in nodes], bias)

    def multiplied(
        self, value: str, matrices: Sequence[Quantized], bias: Sequence[str] = ()
    ) -> str:
        """Multiplies by some matrices, one beside the other."""
        matrix = matrices[0].beside(*matrices[1:])
        return _multiplied(self.graph, value, matrix, self._arithmetic, bias)

    def attended(self, value: str, nodes: str, position: str, past: Sequence[str] = ()) -> str:
        """Lets a sequence attend to itself, and only backwards if there is a past.

        Args:
            value: The sequence.
            nodes: Beginning of the names of its nodes.
            position: Name of its first position.
            past: Names of keys and values of what came before it.
        """
        graph = self.graph
        joint = self.product(value, *(f"{nodes}/{part}_proj/MatMul_quant" for part in "qkv"))
        query, key, values = graph.nodes("Split", joint, self._three, outputs=3, axis=-1)
        query, key = (
            graph.node(
                "RotaryEmbedding",
                part,
                position,
                *self._turns,
                own=True,
                interleaved=1,
                num_heads=self.form.heads,
                rotary_embedding_dim=self._turned,
            )
            for part in (query, key)
        )
        present = [name.replace("past", "present") for name in past]
        heard, *_ = graph.nodes(
            "MultiHeadAttention",
            *(query, key, values),
            *(("", "", "", *past) if past else ()),
            outputs=[f"{nodes}/attended", *present],
            own=True,
            num_heads=self.form.heads,
            unidirectional=int(bool(past)),
        )
        return self.product(heard, f"{nodes}/o_proj/MatMul_quant")


def encoder(weights: Weights, decoder: Weights) -> bytes:
    """Returns the graph from ``samples`` [1, n] to keys and values of the audio, for finals.

    Args:
        weights: The encoder's.
        decoder: The decoder's: what it asks of the audio does not change from token to token.

    Returns:
        A model with outputs ``memory.<layer>.key`` and ``.value``, [1, heads, frames, head size].
    """
    layers = _encoder_layers(weights, decoder, Arithmetic.FLOATS)
    graph = layers.graph
    ripples = _rippled(graph, weights)
    # Over all of the audio: this is what makes every number another one when audio is added.
    flat = graph.node("Reshape", ripples, graph.constant(np.array([0, 1, -1])))
    one, none = (graph.constant(np.full(1, number, np.float32)) for number in (1, 0))
    flat = graph.node("InstanceNormalization", flat, one, none, epsilon=EPSILON)
    value = graph.node("Reshape", flat, graph.node("Shape", ripples))
    value = graph.node("Mul", value, graph.constant(weights.tensor("/groupnorm/Mul")))
    value = graph.node("Add", value, graph.constant(weights.tensor("/groupnorm/Add")))
    bias = weights.tensor("/conv2/Conv", 2)
    value = _convolved(graph, value, 1, weights.tensor("/conv2/Conv"), bias)
    _encoded(layers, weights, decoder, value)
    return graph.serialize()


def stem(weights: Weights) -> bytes:
    """Returns the graph of what is the same in all drafts that begin with the same audio.

    It takes ``samples`` [1, n] and gives ``ripples`` [1, width, frames], which are normalised over
    all of the audio, and ``rows`` [1, 2 width, rows]: the second convolution is linear, so that it
    can be done before they are.
    """
    graph = Graph()
    width = weights.tensor("/conv1/Conv").shape[0]
    ripples = _rippled(graph, weights)
    graph.nodes("Identity", ripples, outputs=[graph.give("ripples", [1, width, "frames"])])
    rows = _convolved(graph, ripples, 1, _scaled(weights))
    graph.nodes("Identity", rows, outputs=[graph.give("rows", [1, 2 * width, "rows"])])
    return graph.serialize()


def draft_encoder(weights: Weights, decoder: Weights, arithmetic: Arithmetic) -> bytes:
    """Returns the graph from what the stem gives to keys and values of the audio.

    It takes ``rows`` [1, 2 width, rows], and ``mean`` and ``scale`` [1], by which the ripples are
    normalised: the one is subtracted, then multiplied by the other.

    Args:
        weights: The encoder's.
        decoder: The decoder's.
        arithmetic: How it is reckoned.
    """
    layers = _encoder_layers(weights, decoder, arithmetic)
    graph = layers.graph
    kernel, ones = weights.tensor("/conv2/Conv"), _scaled(weights).sum(axis=(1, 2))
    added = (kernel * weights.tensor("/groupnorm/Add").reshape(1, -1, 1)).sum(axis=(1, 2))
    added = (added + weights.tensor("/conv2/Conv", 2)).reshape(1, -1, 1)
    rows = graph.take("rows", [1, kernel.shape[0], "rows"])
    mean = graph.node("Mul", graph.take("mean", [1]), graph.constant(ones.reshape(1, -1, 1)))
    value = graph.node("Mul", graph.node("Sub", rows, mean), graph.take("scale", [1]))
    value = graph.node("Add", value, graph.constant(added))
    _encoded(layers, weights, decoder, value)
    return graph.serialize()


def decoder(weights: Weights, *, arithmetic: Arithmetic) -> bytes:
    """Returns the graph of a step.

    It takes ``tokens`` [1, n] int64, the ``position`` [1] of the first of them, the keys and
    values of the audio (``memory.*``) and of the tokens before (``past.*``, [1, heads, position,
    head size]); it gives ``logits`` [1, n, vocabulary] and ``present.*``, the next step's past.

    Args:
        weights: The decoder's.
        arithmetic: How it is reckoned.
    """
    form, root = Form.of(weights), "/model/decoder"
    frequencies = f"{root}/rotary_emb/Expand"
    layers = _Layers(weights, form, _MOST_TOKENS, frequencies, arithmetic=arithmetic)
    graph = layers.graph
    for kind in ("past", "memory"):
        for name in form.cache(kind):
            graph.take(name, [1, form.heads, kind, form.head_size])
    position = graph.take("position", [1], np.int64)
    value = _embedded(graph, weights, graph.take("tokens", [1, "n"], np.int64))
    inner = weights.tensor(f"{root}/layers.0/mlp/fc2/MatMul_quant").shape[0]
    halves = graph.constant(np.array([inner] * 2))
    normal = layers.normalized(value, f"{root}/layers.0/input_layernorm/LayerNormalization")
    for i in range(form.layers):
        nodes = f"{root}/layers.{i}"
        past = [f"past.{i}.{part}" for part in _KEY_AND_VALUE]
        heard = layers.attended(normal, f"{nodes}/self_attn", position, past)
        value = graph.node("Add", value, heard)
        normal = layers.normalized(value, f"{nodes}/post_attention_layernorm/LayerNormalization")
        query = layers.product(normal, f"{nodes}/encoder_attn/q_proj/MatMul_quant")
        memory = [f"memory.{i}.{part}" for part in _KEY_AND_VALUE]
        heard = graph.node("MultiHeadAttention", query, *memory, own=True, num_heads=form.heads)
        heard = layers.product(heard, f"{nodes}/encoder_attn/o_proj/MatMul_quant")
        value = graph.node("Add", value, heard)
        normal = layers.normalized(value, f"{nodes}/final_layernorm/LayerNormalization")
        wide = layers.product(normal, f"{nodes}/mlp/fc1/MatMul_quant", biased=True)
        linear, gate = graph.nodes("Split", wide, halves, outputs=2, axis=-1)
        gate = graph.node("QuickGelu", gate, own=True, alpha=1.0)
        gated = graph.node("Mul", gate, linear)
        narrow = layers.product(gated, f"{nodes}/mlp/fc2/MatMul_quant", biased=True)
        value = graph.node("Add", value, narrow)
        after = "norm" if i + 1 == form.layers else f"layers.{i + 1}/input_layernorm"
        normal = layers.normalized(value, f"{root}/{after}/LayerNormalization")
    logits = layers.product(normal, "/proj_out/MatMul_quant")
    graph.nodes("Identity", logits, outputs=[graph.give("logits", [1, "n", "vocabulary"])])
    for name in form.cache("present"):
        graph.give(name, [1, form.heads, "present", form.head_size])
    return graph.serialize()


def _encoder_layers(weights: Weights, decoder: Weights, arithmetic: Arithmetic) -> _Layers:
    form = Form.of(decoder)
    return _Layers(weights, form, _MOST_FRAMES, "/rotary_emb/Expand", arithmetic=arithmetic)


def _rippled(graph: Graph, weights: Weights) -> str:
    samples = graph.take("samples", [1, "n"])
    value = graph.node("Unsqueeze", samples, graph.constant(np.array([1])))
    return graph.node("Tanh", _convolved(graph, value, 0, weights.tensor("/conv1/Conv")))


def _scaled(weights: Weights) -> Array:
    gamma = weights.tensor("/groupnorm/Mul").reshape(1, -1, 1)
    scaled: Array = weights.tensor("/conv2/Conv") * gamma
    return scaled


def _encoded(layers: _Layers, weights: Weights, decoder: Weights, value: str) -> None:
    """Adds all behind the second convolution."""
    graph, last = layers.graph, layers.form.layers - 1
    value = graph.node("Gelu", value, own=True)
    third = (weights.tensor("/conv3/Conv", place) for place in (1, 2))
    value = graph.node("Gelu", _convolved(graph, value, 2, *third), own=True)
    value = graph.node("Transpose", value, perm=[0, 2, 1])
    start = graph.constant(np.zeros(1, dtype=np.int64))
    normal = layers.normalized(value, "/layers.0/input_layernorm/LayerNormalization")
    for i in range(layers.form.layers):
        nodes = f"/layers.{i}"
        value = graph.node("Add", value, layers.attended(normal, f"{nodes}/self_attn", start))
        normal = layers.normalized(value, f"{nodes}/post_attention_layernorm/LayerNormalization")
        wide = layers.product(normal, f"{nodes}/mlp/fc1/MatMul_quant", biased=True)
        wide = graph.node("Gelu", wide, own=True)
        narrow = layers.product(wide, f"{nodes}/mlp/fc2/MatMul_quant", biased=True)
        value = graph.node("Add", value, narrow)
        if i < last:
            after = f"/layers.{i + 1}/input_layernorm/LayerNormalization"
            normal = layers.normalized(value, after)
    _remember(layers, layers.normalized(value, "SkipLayerNormalization", 2), decoder)


def _convolved(graph: Graph, value: str, place: int, *weights: Array) -> str:
    strides, widths = [STRIDES[place]], [WIDTHS[place]]
    constants = map(graph.constant, weights)
    return graph.node("Conv", value, *constants, strides=strides, kernel_shape=widths)


def _embedded(graph: Graph, weights: Weights, tokens: str) -> str:
    table = "/model/decoder/embed_tokens/Gather"
    scaling = f"{table}_output_0_DequantizeLinear"
    rows = graph.node("Gather", graph.constant(weights.tensor(table, 0)), tokens)
    scale, zero = (graph.constant(weights.tensor(scaling, place)) for place in (1, 2))
    return graph.node("DequantizeLinear", rows, scale, zero)


def _remember(layers: _Layers, hidden: str, decoder: Weights) -> None:
    graph, form = layers.graph, layers.form
    nodes = [
        f"/model/decoder/layers.{i}/encoder_attn/{part}_proj/MatMul_quant"
        for i in range(form.layers)
        for part in "kv"
    ]
    joint = layers.multiplied(hidden, [decoder.matrix(node) for node in nodes])
    split = graph.constant(np.array([1, -1, len(nodes) * form.heads, form.head_size]))
    joint = graph.node("Transpose", graph.node("Reshape", joint, split), perm=[0, 2, 1, 3])
    sizes = graph.constant(np.array([form.heads] * len(nodes)))
    for name in graph.nodes("Split", joint, sizes, outputs=form.cache("memory"), axis=1):
        graph.give(name, [1, form.heads, "frames", form.head_size])


def _multiplied(
    graph: Graph,
    value: str,
    matrix: Quantized,
    arithmetic: Arithmetic,
    bias: Sequence[str] = (),
) -> str:
    if arithmetic is Arithmetic.FLOATS:
        product = graph.node("MatMul", value, graph.constant(matrix.unpacked()))
        return graph.node("Add", product, *bias) if bias else product
    if arithmetic is Arithmetic.SIGNED_BYTES:
        matrix = matrix.signed()
    parts = map(graph.constant, (matrix.values, matrix.scale, matrix.zero_point))
    return graph.node("DynamicQuantizeMatMul", value, *parts, *bias, own=True)


def fastest_bytes() -> Arithmetic:
    """Returns which bytes this processor multiplies faster without a mistake.

    Some have instructions only that add pairs of signed products in 16 bits, which overflow: so
    it is tried with the largest numbers that there are.
    """
    largest = np.full((1, 64), 255.0, dtype=np.float32)
    columns = np.repeat(np.array([[255, 0, 128]], dtype=np.uint8), 64, axis=0)
    matrix = Quantized(columns, np.ones(3, np.float32), np.full(3, 128, np.uint8))
    sums = []
    for arithmetic in (Arithmetic.BYTES, Arithmetic.SIGNED_BYTES):
        graph = Graph()
        product = _multiplied(graph, graph.take("value", [1, 64]), matrix, arithmetic)
        graph.nodes("Identity", product, outputs=[graph.give("sum", [1, 3])])
        sums.append(open_session(graph.serialize()).run(None, {"value": largest})[0])
    return Arithmetic.SIGNED_BYTES if np.array_equal(*sums) else Arithmetic.BYTES
