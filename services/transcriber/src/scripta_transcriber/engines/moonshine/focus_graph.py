"""Where the decoder looked in the audio before it chose each token: a graph behind the steps.

The keys of the audio are there, and so are the queries, which the step graph gives out. What is
missing is their product, which the step's fused attention keeps to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import numpy as np

from scripta_transcriber.engines.moonshine.heads import Head
from scripta_transcriber.engines.moonshine.layers import Form
from scripta_transcriber.engines.onnx_graph import Graph

_LEAST_DEVIATION: Final = 1e-6


def focus_graph(form: Form, heads: Sequence[Head]) -> bytes:
    """Returns the graph from queries and keys to where the heads look.

    It takes ``query.<layer>`` [1, n, width] and ``memory.<layer>.key`` [1, heads, frames, head
    size] of the layers that have one of the heads. It gives ``share`` [n, frames]: how much of its
    attention a token has on a frame, and ``focus`` [n, frames]: by how many standard deviations
    that is more than other tokens have there. Both are means over the heads.

    Args:
        form: Of the model.
        heads: Those that look at the sound of the token they choose.
    """
    graph = Graph()
    scores = [
        _scores(graph, form, layer, [head.number for head in members])
        for layer, members in groupby(sorted(heads), key=lambda head: head.layer)
    ]
    shares = graph.node("Softmax", graph.node("Concat", *scores, axis=0), axis=-1)
    mean = graph.node("ReduceMean", shares, axes=[1])
    from_mean = graph.node("Sub", shares, mean)
    squares = graph.node("Mul", from_mean, from_mean)
    deviation = graph.node("Sqrt", graph.node("ReduceMean", squares, axes=[1]))
    least = graph.constant(np.float32(_LEAST_DEVIATION))
    focus = graph.node("Div", from_mean, graph.node("Max", deviation, least))
    focus = _median_of_three(graph, focus)
    for name, value in (("share", shares), ("focus", focus)):
        value = graph.node("ReduceMean", value, axes=[0], keepdims=0)
        graph.nodes("Identity", value, outputs=[graph.give(name, ["n", "frames"])])
    return graph.serialize()


def _scores(graph: Graph, form: Form, layer: int, numbers: Sequence[int]) -> str:
    """Adds the products of queries and keys of some heads of a layer, [heads, n, frames]."""
    query = graph.take(f"query.{layer}", [1, "n", form.width])
    key = graph.take(f"memory.{layer}.key", [1, form.heads, "frames", form.head_size])
    chosen, apart = np.array(numbers), np.array([-1, form.heads, form.head_size])
    query = graph.node("Reshape", query, graph.constant(apart))
    query = graph.node("Gather", query, graph.constant(chosen), axis=1)
    query = graph.node("Transpose", query, perm=[1, 0, 2])
    scaled = graph.node("Mul", query, graph.constant(np.float32(form.head_size**-0.5)))
    key = graph.node("Squeeze", key, graph.constant(np.array([0])))
    key = graph.node("Gather", key, graph.constant(chosen), axis=0)
    return graph.node("MatMul", scaled, graph.node("Transpose", key, perm=[0, 2, 1]))


def _median_of_three(graph: Graph, value: str) -> str:
    """Adds the median of each number and its two neighbours along the last axis."""
    wide = graph.node("Pad", value, graph.constant(np.array([0, 0, 1, 0, 0, 1])), mode="edge")
    before, middle, behind = (
        graph.node("Slice", wide, *(graph.constant(np.array([at])) for at in (start, end, 2)))
        for start, end in ((0, -2), (1, -1), (2, np.iinfo(np.int64).max))
    )
    low, high = graph.node("Min", before, middle), graph.node("Max", before, middle)
    return graph.node("Max", low, graph.node("Min", high, behind))
