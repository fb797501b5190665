"""The encoder, from samples to the keys and values that the decoder asks for.

For finals it is one graph, and rounds nothing. For drafts it is two: what is the same in all
drafts that begin with the same audio, and the rest.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.moonshine.layers import EPSILON, Arithmetic, Form, Layers
from scripta_transcriber.engines.moonshine.weights import Weights
from scripta_transcriber.engines.onnx_graph import Graph

STRIDES: Final = (64, 3, 2)
WIDTHS: Final = (127, 7, 3)
"""Of the three convolutions over the samples."""

ROW_SAMPLES: Final = STRIDES[0] * STRIDES[1] * STRIDES[2]
"""From a row of what was heard to the next."""

_MOST_FRAMES: Final = 8192
"""Positions: 196 s of audio."""

Array = npt.NDArray[Any]


def final_graph(weights: Weights, decoder: Weights) -> bytes:
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


def stem_graph(weights: Weights) -> bytes:
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


def draft_graph(weights: Weights, decoder: Weights, arithmetic: Arithmetic) -> bytes:
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


def _encoder_layers(weights: Weights, decoder: Weights, arithmetic: Arithmetic) -> Layers:
    form = Form.of(decoder)
    if weights.count(r"/layers\.\d+/mlp/fc2/MatMul_quant") != form.layers:
        raise EngineError("encoder and decoder are not of one model: use the files as published")
    return Layers(weights, form, _MOST_FRAMES, "/rotary_emb/Expand", arithmetic=arithmetic)


def _rippled(graph: Graph, weights: Weights) -> str:
    samples = graph.take("samples", [1, "n"])
    value = graph.node("Unsqueeze", samples, graph.constant(np.array([1])))
    return graph.node("Tanh", _convolved(graph, value, 0, weights.tensor("/conv1/Conv")))


def _scaled(weights: Weights) -> Array:
    gamma = weights.tensor("/groupnorm/Mul").reshape(1, -1, 1)
    scaled: Array = weights.tensor("/conv2/Conv") * gamma
    return scaled


def _encoded(layers: Layers, weights: Weights, decoder: Weights, value: str) -> None:
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


def _remember(layers: Layers, hidden: str, decoder: Weights) -> None:
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
