"""Two halves of a segment, for an engine to whom it has too many words. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_transcriber.engines.base import Segment

_FRAME: Final = SAMPLE_RATE // 50
_AROUND: Final = 5
"""Frames of 20 ms that must be quiet together: less is the inside of a word."""


def halves(segment: Segment) -> tuple[Segment, Segment]:
    """Returns a segment's two parts, divided at the quietest place of its middle third.

    Args:
        segment: Of half a second or more.
    """
    samples = np.frombuffer(segment.pcm, dtype="<i2").astype(np.float64)
    powers = (samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME) ** 2).mean(axis=1)
    loudness = np.convolve(powers, np.ones(_AROUND), mode="same")
    first = len(loudness) // 3
    quietest = first + int(loudness[first : 2 * first].argmin())
    middle = quietest * _FRAME + _FRAME // 2
    at = middle * BYTES_PER_SAMPLE
    return (
        replace(segment, pcm=segment.pcm[:at]),
        replace(segment, pcm=segment.pcm[at:], start=segment.start + middle),
    )
