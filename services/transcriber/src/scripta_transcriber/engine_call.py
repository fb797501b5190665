"""One call of the engine, measured where it runs: how long it waited, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from scripta_transcriber import metrics
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.metrics import Kind

T = TypeVar("T")


class EngineCall(Generic[T]):
    """A job for a worker thread; call it once, and ``record`` it once it has returned.

    Args:
        call: What asks the engine.
        segment: What it is asked about.
        kind: What it is asked for.

    Attributes:
        segment: What it is asked about; may be exchanged until it starts.
    """

    def __init__(self, call: Callable[[Segment], T], segment: Segment, kind: Kind) -> None:
        self.segment = self._taken = segment
        self._call = call
        self._kind = kind
        self._asked = self.began = self.ended = time.perf_counter()

    def __call__(self) -> T:
        """Returns what the engine hears."""
        self.began = time.perf_counter()
        self._taken = self.segment
        heard = self._call(self._taken)
        self.ended = time.perf_counter()
        return heard

    @property
    def taken(self) -> Segment:
        """What it was asked about when it started."""
        return self._taken

    @property
    def seconds(self) -> float:
        """Time that the engine took."""
        return self.ended - self.began

    @property
    def queued(self) -> float:
        """Time that it waited for a thread."""
        return self.began - self._asked

    def record(self) -> None:
        """Adds it to the metrics."""
        metrics.QUEUE_SECONDS[self._kind].observe(self.queued)
        metrics.DECODE_SECONDS[self._kind].observe(self.seconds)
        metrics.DECODED_AUDIO_SECONDS[self._kind].inc(self._taken.seconds)
