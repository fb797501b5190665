"""What the voice detector is given: audio without its offset, always equally loud.

The model misses quiet speech and takes quiet noise for speech, and its answers to the same audio
differ by its level. So each frame is amplified until the loudest sample of the last moments is at
full scale: a frame sounds the same at every level. Nothing is clipped, since the model takes
numbers beyond full scale. An offset would count as loudness, so it is taken away first.

All of it is a function of the frames since the stream's last reset, computed for each row by
itself: a stream's numbers do not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE

FRAME_SAMPLES: Final = 512
"""Samples of one frame, 32 ms: the only size that the model takes at 16 kHz."""

CONTEXT_SAMPLES: Final = 64
"""Samples of the frame before that the model is given, too."""

_CUTOFF_HZ: Final = 10.0
"""An offset that changes at once is gone after two frames. A higher cutoff takes the low end from
noises by which the model knows that they are no speech."""

_LEAST_PEAK: Final = 0.001
"""Full scale is 1. Audio with smaller peaks (33 of 32768) is amplified no further: what is left of
speech at such a level is no words any more."""

_PEAK_KEPT: Final = 0.97
"""Share of the remembered peak that is left a frame later: half of it after 0.7 s."""

_DECAY: Final = 1.0 - 2.0 * np.pi * _CUTOFF_HZ / SAMPLE_RATE
_FALL: Final = _DECAY ** np.arange(1, FRAME_SAMPLES + 1)
_RISE: Final = 1.0 / _FALL

Frames = npt.NDArray[np.int16]
Window = npt.NDArray[np.float32]


class Level(NamedTuple):
    """What is known of a stream's level after a frame.

    Attributes:
        sample: The frame's last sample.
        filtered: The same without offset.
        peak: Loudest sample of the last moments, without offset; full scale is 1.
        context: The end of the frame without offset, as loud as it came.
        least: The peak does not fall below this.
    """

    sample: float
    filtered: float
    peak: float
    context: npt.NDArray[np.float64]
    least: float = _LEAST_PEAK


def levelled(frames: Frames, before: Sequence[Level | None]) -> tuple[Window, list[Level]]:
    """Returns what the model is to be given for each frame, and the streams' levels after it.

    Args:
        frames: The next frame of each stream, [streams, 512].
        before: The level of each stream after its last frame; ``None`` if this is its first.

    Returns:
        The end of the last frame and this one, [streams, 64 + 512], and the new levels.
    """
    audio = frames / 32768.0
    known = [level or _unknown(row[0]) for level, row in zip(before, audio, strict=True)]
    filtered = _without_offset(audio, known)
    loudest = np.abs(filtered).max(axis=1)
    window = np.empty((len(frames), CONTEXT_SAMPLES + FRAME_SAMPLES), dtype=np.float32)
    after = []
    for row, level in enumerate(known):
        peak = max(loudest[row], level.peak * _PEAK_KEPT, level.least)
        np.divide(level.context, peak, out=window[row, :CONTEXT_SAMPLES], casting="same_kind")
        np.divide(filtered[row], peak, out=window[row, CONTEXT_SAMPLES:], casting="same_kind")
        # A copy, so that it does not keep the whole batch in memory.
        context = filtered[row, -CONTEXT_SAMPLES:].copy()
        after.append(Level(audio[row, -1], filtered[row, -1], peak, context, level.least))
    return window, after


def level_of(samples: npt.NDArray[np.int16]) -> Level:
    """Returns the level for a stream that is to hear these samples all equally amplified."""
    audio = samples / 32768.0
    loudest = max(float(np.abs(audio - audio.mean()).max()), _LEAST_PEAK)
    return Level(float(audio[0]), 0.0, loudest, _NO_CONTEXT, loudest)


def _without_offset(
    audio: npt.NDArray[np.float64], before: Sequence[Level]
) -> npt.NDArray[np.float64]:
    """Returns the audio through a high-pass filter of the first order.

    The filter is ``y[n] = decay * y[n - 1] + x[n] - x[n - 1]``, written as a running sum.
    """
    steps = np.diff(audio, axis=1, prepend=[[level.sample] for level in before])
    steps *= _RISE
    steps[:, 0] += [level.filtered for level in before]
    filtered: npt.NDArray[np.float64] = np.cumsum(steps, axis=1) * _FALL
    return filtered


def _unknown(first_sample: float) -> Level:
    return Level(first_sample, 0.0, _LEAST_PEAK, _NO_CONTEXT)


_NO_CONTEXT: Final = np.zeros(CONTEXT_SAMPLES)
