"""A segment on its way through a streaming decoder of sherpa-onnx: the decoder's state.

The decoder hears the segment in blocks of one size, counted from the segment's first sample, and
decodes after each of them. So it comes to the same state, to the last bit, whether the audio came
in small pieces, in large ones, or all at once. Each stream is decoded alone: in a batch the
numbers of a quantised model depend on who else is in it.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.halving import Halver
from scripta_transcriber.engines.sherpa_models import Kind

FloatArray = npt.NDArray[np.float32]

BLOCK: Final = SAMPLE_RATE // 10
"""Samples that the decoder hears at a time."""

_SILENCE: Final = np.zeros(BLOCK, dtype=np.float32)

_LEAST_SILENCE: Final = 6
"""Blocks of silence behind the segment: decoders say a word some tenths of a second late, …"""

_LEAST_STEPS: Final = 2
"""… and only in steps of a chunk, whose end looks ahead: two steps cover all of the segment."""

_MOST_SILENCE: Final = 60
"""Blocks of silence at most: no chunk of a streaming model is so long."""

_UNKNOWN: Final = sys.maxsize
"""Samples heard by a decoder that has failed on the way: no final goes on from there."""


class SherpaStream:
    """What a streaming decoder has heard of one segment. Its size is bounded by the segment's.

    Calls wait for each other: a final may come while a thread is still at a draft. What the draft
    feeds would have to be fed anyway.

    Args:
        recogniser: sherpa-onnx's recogniser of the model.
        kind: The kind of the model.
        start: First sample of the segment on the session's audio clock.
    """

    def __init__(self, recogniser: Any, kind: Kind, start: int) -> None:
        self.start = start
        self._recogniser = recogniser
        self._stream = recogniser.create_stream()
        self._rate = kind.rate
        self._halver = None if kind.rate == SAMPLE_RATE else Halver()
        self._heard = 0
        self._final: Any = None
        self._lock = threading.Lock()
        for _ in range(round(kind.silence_before * SAMPLE_RATE / BLOCK)):
            self._feed(_SILENCE)

    def hear(self, segment: Segment) -> Any:
        """Returns what is said so far in an open segment; feeds what is new in whole blocks."""
        with self._lock:
            if self._final is not None:
                return self._final
            self._hear_blocks(_samples(segment))
            return self._recogniser.get_result_all(self._stream)

    def finish(self, segment: Segment) -> Any:
        """Returns what is said in a segment that has ended, and lets the decoder's state go.

        ``None`` if this stream can not tell: it has heard audio behind the segment's end, or has
        finished already.
        """
        samples = _samples(segment)
        with self._lock:
            if self._final is not None or self._heard > len(samples):
                return None
            self._hear_blocks(samples)
            if rest := len(samples) - self._heard:
                self._feed(_as_floats(samples[-rest:]))
            self._hear_silence()
            self._final = self._recogniser.get_result_all(self._stream)
            self._stream = None
            return self._final

    def _hear_blocks(self, samples: npt.NDArray[np.int16]) -> None:
        while (end := self._heard + BLOCK) <= len(samples):
            block, self._heard = samples[self._heard : end], _UNKNOWN
            self._feed(_as_floats(block))
            self._heard = end

    def _hear_silence(self) -> None:
        blocks = steps = 0
        while blocks < _LEAST_SILENCE or (steps < _LEAST_STEPS and blocks < _MOST_SILENCE):
            steps += self._feed(_SILENCE)
            blocks += 1

    def _feed(self, samples: FloatArray) -> int:
        """Lets the decoder hear samples and returns how many steps it took."""
        if self._halver is not None:
            samples = self._halver.halve(samples)
        self._stream.accept_waveform(self._rate, samples)
        steps = 0
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)
            steps += 1
        return steps


def _samples(segment: Segment) -> npt.NDArray[np.int16]:
    return np.frombuffer(segment.pcm, dtype="<i2")


def _as_floats(samples: npt.NDArray[np.int16]) -> FloatArray:
    # Offset and hum stay: to take them out, one would have to know what comes later.
    return samples.astype(np.float32) / np.float32(32768.0)
