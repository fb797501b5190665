"""Where in a segment nobody speaks, as far as its level tells. Pure.

In noise that is nearly as loud as the speech nothing is found.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Segment

_FRAME: Final = SAMPLE_RATE // 100

_SHORTEST: Final = 14
"""Frames that are quiet together in a pause: fewer are the closure of a stop, inside a word. What
is quiet at either end of a segment is a pause however short."""

_NOTHING: Final = 45.0
"""Decibels below speech at which there is no sound of the room either: a muted microphone."""

_ABOVE_ROOM: Final = 6.0
"""Decibels above the sound of the room from which on somebody speaks …"""

_LEAST_BELOW: Final = 18.0
_MOST_BELOW: Final = 35.0
"""… if that is so many decibels below speech at least and at most."""

_LULL_BELOW: Final = 16.0
"""Decibels below speech at which a lull is."""

_LULL_SHORTEST: Final = 20
_LULL_MEAN: Final = 9
"""Frames of a lull, and frames over which its level is a mean: a click does not end it."""

Levels = npt.NDArray[np.float64]


class Pause(NamedTuple):
    """Seconds from the start of the segment."""

    start: float
    end: float


class Quiet(NamedTuple):
    """Where a segment is quiet.

    Attributes:
        pauses: Where nothing is heard but the room, in their order.
        lulls: Where for longer than inside a word all is weaker than speech, be it breath, echo
            or the end of a word; pauses, too.
    """

    pauses: list[Pause]
    lulls: list[Pause]

    @classmethod
    def of(cls, segment: Segment) -> Quiet:
        """Returns where a segment is quiet."""
        power = _power(np.frombuffer(segment.pcm, dtype="<i2"))
        if not power.size:
            return cls([], [])
        levels = _levels(power, 3)
        speech = np.quantile(levels, 0.95)
        room = np.quantile(levels[levels >= speech - _NOTHING], 0.1)
        least = np.clip(room + _ABOVE_ROOM, speech - _MOST_BELOW, speech - _LEAST_BELOW)
        pauses = [
            pause
            for pause in _runs(levels < least)
            if pause.frames >= _SHORTEST or pause.start == 0 or pause.end == levels.size
        ]
        weak = _runs(_levels(power, _LULL_MEAN) < speech - _LULL_BELOW)
        lulls = [lull for lull in weak if lull.frames >= _LULL_SHORTEST]
        return cls([run.seconds for run in pauses], [run.seconds for run in lulls])


class _Run(NamedTuple):
    """Frames in a row."""

    start: int
    end: int

    @property
    def frames(self) -> int:
        return self.end - self.start

    @property
    def seconds(self) -> Pause:
        return Pause(self.start * _FRAME / SAMPLE_RATE, self.end * _FRAME / SAMPLE_RATE)


def _runs(quiet: npt.NDArray[np.bool_]) -> list[_Run]:
    changes = np.flatnonzero(np.diff(np.pad(quiet, 1).astype(np.int8))).tolist()
    return [_Run(*run) for run in zip(changes[::2], changes[1::2], strict=True)]


def _power(samples: npt.NDArray[np.int16]) -> Levels:
    """Returns the mean square of each frame about its mean: an offset is no sound."""
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    power: Levels = frames.var(axis=1) if frames.size else np.zeros(0)
    return power


def _levels(power: Levels, frames: int) -> Levels:
    """Returns the level of each frame and those beside it in decibels; a single bit has 3."""
    wide = np.pad(power, frames // 2, mode="edge")
    levels: Levels = 10 * np.log10(np.convolve(wide, np.full(frames, 1 / frames), "valid") + 1)
    return levels
