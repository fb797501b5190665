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

_EPSILON: Final = 1e-5
_STEM: Final = ((64, 127), (3, 7), (2, 3))
"""Strides and widths of the three convolutions over the samples."""

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
        return self.graph.node("LayerNormalization", value, gamma, axis=-1, epsilon=_EPSILON)

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


def encoder(weights: Weights, decoder: Weights, *, arithmetic: Arithmetic) -> bytes:
    """Returns the graph from ``samples`` [1, n] to keys and values of the audio.

    Args:
        weights: The encoder's.
        decoder: The decoder's: what it asks of the audio does not change from token to token.
        arithmetic: How it is reckoned.

    Returns:
        A model with outputs ``memory.<layer>.key`` and ``.value``, [1, heads, frames, head size].
    """
    form = Form.of(decoder)
    layers = _Layers(weights, form, _MOST_FRAMES, "/rotary_emb/Expand", arithmetic=arithmetic)
    graph = layers.graph
    value = _stem(graph, weights)
    start = graph.constant(np.zeros(1, dtype=np.int64))
    normal = layers.normalized(value, "/layers.0/input_layernorm/LayerNormalization")
    for i in range(form.layers):
        nodes = f"/layers.{i}"
        value = graph.node("Add", value, layers.attended(normal, f"{nodes}/self_attn", start))
        normal = layers.normalized(value, f"{nodes}/post_attention_layernorm/LayerNormalization")
        wide = layers.product(normal, f"{nodes}/mlp/fc1/MatMul_quant", biased=True)
        wide = graph.node("Gelu", wide, own=True)
        narrow = layers.product(wide, f"{nodes}/mlp/fc2/MatMul_quant", biased=True)
        value = graph.node("Add", value, narrow)
        if i + 1 < form.layers:
            after = f"/layers.{i + 1}/input_layernorm/LayerNormalization"
            normal = layers.normalized(value, after)
        else:
            normal = layers.normalized(value, "SkipLayerNormalization", 2)
    _remember(layers, normal, decoder)
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


def _stem(graph: Graph, weights: Weights) -> str:
    value = graph.node("Unsqueeze", graph.take("samples", [1, "n"]), graph.constant(np.array([1])))
    value = _convolved(graph, value, 0, weights.tensor("/conv1/Conv"))
    value = graph.node("Tanh", value)
    # Over all of the audio: what makes a hypothesis of a longer segment another one throughout.
    flat = graph.node("Reshape", value, graph.constant(np.array([0, 1, -1])))
    one, none = (graph.constant(np.full(1, number, np.float32)) for number in (1, 0))
    flat = graph.node("InstanceNormalization", flat, one, none, epsilon=_EPSILON)
    value = graph.node("Reshape", flat, graph.node("Shape", value))
    value = graph.node("Mul", value, graph.constant(weights.tensor("/groupnorm/Mul")))
    value = graph.node("Add", value, graph.constant(weights.tensor("/groupnorm/Add")))
    for i in (1, 2):
        name = f"/conv{i + 1}/Conv"
        value = _convolved(graph, value, i, weights.tensor(name), weights.tensor(name, 2))
        value = graph.node("Gelu", value, own=True)
    return graph.node("Transpose", value, perm=[0, 2, 1])


def _convolved(graph: Graph, value: str, place: int, *weights: Array) -> str:
    stride, width = _STEM[place]
    constants = map(graph.constant, weights)
    return graph.node("Conv", value, *constants, strides=[stride], kernel_shape=[width])


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
