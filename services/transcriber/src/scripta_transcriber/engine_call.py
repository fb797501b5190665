"""One call of the engine, measured where it runs: how long it waited, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable

from scripta_transcriber import metrics
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.metrics import Kind


class EngineCall:
    """A job for a worker thread; call it once, and ``record`` it once it has returned.

    Args:
        call: Method of the engine.
        segment: What it is asked about.
        kind: What it is asked for.
    """

    def __init__(self, call: Callable[[Segment], Transcript], segment: Segment, kind: Kind) -> None:
        self._call = call
        self._segment = segment
        self._kind = kind
        self._asked = self._began = self._ended = time.perf_counter()

    def __call__(self) -> Transcript:
        """Returns what the engine hears."""
        self._began = time.perf_counter()
        heard = self._call(self._segment)
        self._ended = time.perf_counter()
        return heard

    @property
    def seconds(self) -> float:
        """Time that the engine took."""
        return self._ended - self._began

    def record(self) -> None:
        """Adds it to the metrics."""
        metrics.QUEUE_SECONDS[self._kind].observe(self._began - self._asked)
        metrics.DECODE_SECONDS[self._kind].observe(self.seconds)
        metrics.DECODED_AUDIO_SECONDS[self._kind].inc(self._segment.seconds)
