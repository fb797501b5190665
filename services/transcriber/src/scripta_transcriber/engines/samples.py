"""A segment's samples, as models want them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_transcriber.engines.base import Segment

_LEAST_OFFSET: Final = 0.01
"""Smaller offsets, of full scale, change no words, and so stay."""


def samples_of(segment: Segment) -> npt.NDArray[np.float32]:
    """Returns the segment's samples, -1 to 1, without an offset that a model would stumble over."""
    samples = np.frombuffer(segment.pcm, dtype="<i2").astype(np.float32) / np.float32(32768.0)
    offset = samples.mean(dtype=np.float64) if samples.size else 0.0
    return samples if abs(offset) < _LEAST_OFFSET else samples - np.float32(offset)
