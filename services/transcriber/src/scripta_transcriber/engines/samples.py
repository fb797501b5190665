"""A segment's samples, as models want them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_transcriber.engines.base import Segment
from scripta_transcriber.spectrum import without_hum

_LEAST_OFFSET: Final = 0.01
"""Smaller offsets, of full scale, change no words, and so stay."""


def samples_of(segment: Segment) -> npt.NDArray[np.float32]:
    """Returns the samples, -1 to 1, without an offset or a hum that a model would stumble over."""
    pcm = np.frombuffer(segment.pcm, dtype="<i2")
    cleared = without_hum(pcm)
    if cleared is not None:
        return (cleared / 32768.0).astype(np.float32)
    samples = pcm.astype(np.float32) / np.float32(32768.0)
    offset = samples.mean(dtype=np.float64) if samples.size else 0.0
    return samples if abs(offset) < _LEAST_OFFSET else samples - np.float32(offset)
