"""Times the words of finals: from queries and keys to the clock of the session."""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime as ort

from scripta_common.wire import Word
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.moonshine.focus_graph import focus_graph
from scripta_transcriber.engines.moonshine.heads import Head
from scripta_transcriber.engines.moonshine.layers import Form
from scripta_transcriber.engines.moonshine.word_times import FloatArray, timed
from scripta_transcriber.engines.onnx import open_session
from scripta_transcriber.engines.tokens import Spelt


class WordTimer:
    """Finds out when the words of a final were said.

    Args:
        session: On ``focus_graph.focus_graph``.
        layers: Those of which it takes queries and keys, in their order.
    """

    def __init__(self, session: ort.InferenceSession, layers: Sequence[int]) -> None:
        self._session = session
        self._layers = layers

    @classmethod
    def load(cls, form: Form, heads: Sequence[Head]) -> WordTimer:
        """Returns the timer of a model that has these heads."""
        layers = sorted({head.layer for head in heads})
        return cls(open_session(focus_graph(form, heads)), layers)

    def words(
        self,
        segment: Segment,
        words: Sequence[Spelt],
        queries: Sequence[FloatArray],
        memory: Sequence[FloatArray],
        before: int = 0,
    ) -> tuple[Word, ...]:
        """Returns the words of a segment with their times.

        Args:
            segment: What was heard.
            words: What was said, in order.
            queries: Of each of the layers, as the decoder kept them.
            memory: Keys and values of the audio, layer by layer.
            before: Rows of it that lie before the segment.
        """
        feeds = {}
        for layer, query in zip(self._layers, queries, strict=True):
            feeds[f"query.{layer}"] = query
            feeds[f"memory.{layer}.key"] = memory[2 * layer]
        share, focus = self._session.run(["share", "focus"], feeds)
        return timed(segment, words, share[:, before:], focus[:, before:])
