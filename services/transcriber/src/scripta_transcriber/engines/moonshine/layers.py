"""What the graphs of encoder and decoder have in common: products, norms, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import numpy as np

from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.moonshine.weights import Quantized, Weights
from scripta_transcriber.engines.onnx import open_session
from scripta_transcriber.engines.onnx_graph import Graph

EPSILON: Final = 1e-5

KEY_AND_VALUE: Final = ("key", "value")


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
        layers = decoder.count(r"/model/decoder/layers\.\d+/mlp/fc2/MatMul_quant")
        if not layers:
            raise EngineError("the model's decoder is not quantised: use the files as published")
        return cls(layers, heads, size)

    @property
    def width(self) -> int:
        """Numbers in a position's vector."""
        return self.heads * self.head_size

    def cache(self, kind: str) -> list[str]:
        """Returns the names of all keys and values of a kind, layer by layer."""
        return [f"{kind}.{i}.{part}" for i in range(self.layers) for part in KEY_AND_VALUE]


class Layers:
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
    largest = np.full((8, 64), 255.0, dtype=np.float32)
    columns = np.repeat(np.array([[255, 0, 128]], dtype=np.uint8), 64, axis=0)
    matrix = Quantized(columns, np.ones(3, np.float32), np.full(3, 128, np.uint8))
    sums = []
    for arithmetic in (Arithmetic.BYTES, Arithmetic.SIGNED_BYTES):
        graph = Graph()
        product = _multiplied(graph, graph.take("value", ["n", 64]), matrix, arithmetic)
        graph.nodes("Identity", product, outputs=[graph.give("sum", ["n", 3])])
        session = open_session(graph.serialize())
        # One row and several: there are kernels for each.
        rows = [session.run(None, {"value": largest[:count]})[0] for count in (1, 8)]
        sums.append(np.concatenate(rows))
    return Arithmetic.SIGNED_BYTES if np.array_equal(sums[0], sums[1]) else Arithmetic.BYTES
