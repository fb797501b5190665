"""Where a segment may be divided: at its quietest. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_transcriber.engines.base import Segment

_FRAME: Final = SAMPLE_RATE // 50
_AROUND: Final = 5
"""Frames, a tenth of a second in all, that are quiet together in a pause: less is inside a word."""


def part(segment: Segment, start: int, end: int) -> Segment:
    """Returns what of a segment lies between two samples of the session."""
    first, last = ((sample - segment.start) * BYTES_PER_SAMPLE for sample in (start, end))
    lead = segment.lead if start == segment.start else None
    return replace(segment, start=start, pcm=segment.pcm[first:last], lead=lead)


def quietest(segment: Segment, first: int, last: int) -> int:
    """Returns the middle of the quietest tenth of a second, the latest of equals.

    Args:
        segment: The segment.
        first: Session sample from which on it is looked for.
        last: Session sample up to which it is, a tenth of a second behind the first or more.
    """
    samples = np.frombuffer(part(segment, first, last).pcm, dtype="<i2").astype(np.float32)
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.convolve((frames * frames).mean(axis=1), np.ones(_AROUND), mode="valid")
    place = len(power) - 1 - int(power[::-1].argmin())
    return first + (2 * place + _AROUND) * _FRAME // 2


def halves(segment: Segment) -> tuple[Segment, Segment]:
    """Returns a segment's two parts, divided at the quietest place of its middle third.

    Args:
        segment: Of half a second or more.
    """
    third = (segment.end - segment.start) // 3
    middle = quietest(segment, segment.start + third, segment.end - third)
    return part(segment, segment.start, middle), part(segment, middle, segment.end)
