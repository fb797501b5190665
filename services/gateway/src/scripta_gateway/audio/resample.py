"""From float samples at any rate to s16le at 16 kHz."""

from __future__ import annotations

from typing import Final as Constant

import numpy as np
import soxr
from numpy.typing import NDArray

from scripta_common.wire import SAMPLE_RATE

Mono = NDArray[np.float32]
"""One channel of float samples; full scale is ±1."""

_NOTHING: Constant = np.zeros(0, dtype=np.float32)


def to_s16(samples: NDArray[np.float32]) -> bytes:
    """Returns float samples as s16le; what is beyond full scale is clipped."""
    scaled = np.rint(samples * np.float32(32768.0))
    pcm: bytes = np.clip(scaled, -32768, 32767).astype("<i2").tobytes()
    return pcm


class Resampler:
    """A stream's rate conversion; how the samples are split over calls changes no bit.

    Holds back up to about 40 ms of audio (its filter has to see what follows).

    Args:
        rate: Of the samples, in Hz.
        voices: Channels. Of several, samples are an array with a column for each.
    """

    def __init__(self, rate: int, voices: int = 1) -> None:
        self.rate = rate
        self._voices = voices
        self._stream: soxr.ResampleStream | None = None

    def push(self, samples: NDArray[np.float32]) -> bytes:
        """Returns the s16le that these samples complete; of several voices interleaved."""
        if self.rate == SAMPLE_RATE:
            return to_s16(samples)
        if self._stream is None:
            self._stream = soxr.ResampleStream(
                self.rate, SAMPLE_RATE, self._voices, dtype="float32"
            )
        return to_s16(self._stream.resample_chunk(samples))

    def flush(self) -> bytes:
        """Returns what is held back; later samples begin a new stretch."""
        if self._stream is None:
            return b""
        nothing = _NOTHING if self._voices == 1 else _NOTHING.reshape(0, self._voices)
        tail = self._stream.resample_chunk(nothing, last=True)
        self._stream = None
        return to_s16(tail)
