"""The decoder: one step for the first token, for all others, and for checking a guess."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from scripta_transcriber.engines.moonshine.layers import KEY_AND_VALUE, Arithmetic, Form, Layers
from scripta_transcriber.engines.moonshine.weights import Weights
from scripta_transcriber.engines.onnx_graph import Graph

_MOST_TOKENS: Final = 2048

_ROOT: Final = "/model/decoder"


def step_graph(weights: Weights, arithmetic: Arithmetic, watched: Collection[int] = ()) -> bytes:
    """Returns the graph of a step.

    It takes ``tokens`` [1, n] int64, the ``position`` [1] of the first of them, the keys and
    values of the audio (``memory.*``) and of the tokens before (``past.*``, [1, heads, position,
    head size]); it gives ``logits`` [1, n, vocabulary] and ``present.*``, the next step's past.
    Of each watched layer it gives ``query.<layer>`` [1, n, width]: what the layer asks the audio.

    Args:
        weights: The decoder's.
        arithmetic: How it is reckoned.
        watched: Layers whose queries are given out.
    """
    form, root = Form.of(weights), _ROOT
    frequencies = f"{root}/rotary_emb/Expand"
    layers = Layers(weights, form, _MOST_TOKENS, frequencies, arithmetic=arithmetic)
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
        past = [f"past.{i}.{part}" for part in KEY_AND_VALUE]
        heard = layers.attended(normal, f"{nodes}/self_attn", position, past)
        value = graph.node("Add", value, heard)
        normal = layers.normalized(value, f"{nodes}/post_attention_layernorm/LayerNormalization")
        query = layers.product(normal, f"{nodes}/encoder_attn/q_proj/MatMul_quant")
        if i in watched:
            graph.nodes("Identity", query, outputs=[graph.give(f"query.{i}", [1, "n", "width"])])
        memory = [f"memory.{i}.{part}" for part in KEY_AND_VALUE]
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


def _embedded(graph: Graph, weights: Weights, tokens: str) -> str:
    table = f"{_ROOT}/embed_tokens/Gather"
    scaling = f"{table}_output_0_DequantizeLinear"
    rows = graph.node("Gather", graph.constant(weights.tensor(table, 0)), tokens)
    scale, zero = (graph.constant(weights.tensor(scaling, place)) for place in (1, 2))
    return graph.node("DequantizeLinear", rows, scale, zero)
