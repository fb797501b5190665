"""Where speech that goes on and on is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of one frame of the open segment.

    Attributes:
        voiced: Whether it is speech.
        power: Mean square of its samples.
    """

    voiced: bool
    power: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch of frames to cut in: from ``first`` up to, without, ``last``."""

    first: int
    last: int


SHORTEST_PAUSE = 3
"""Frames without speech in a row that make a pause; fewer are the middle of a word."""


def quietest(frames: Sequence[Heard], first: int) -> Pause:
    """Returns the best place to cut among ``frames[first:]``.

    That is the longest pause, the latest of equals; where there is none, the frame that is
    quietest together with its neighbours.
    """
    best: Pause | None = None
    start: int | None = None
    for i in range(first, len(frames) + 1):
        if i < len(frames) and not frames[i].voiced:
            start = i if start is None else start
        elif start is not None:
            if best is None or i - start >= best.last - best.first:
                best = Pause(start, i)
            start = None
    if best is not None and best.last - best.first >= SHORTEST_PAUSE:
        return best
    return _quietest_frame(frames, first)


def earliest(frames: Sequence[Heard], first: int) -> int:
    """Returns the frame before which ``quietest`` will find no place, whatever frames follow.

    A pause gives way to one that is as long or longer, and that comes behind it. Where there is
    none yet, the place may be anywhere from ``first`` on.
    """
    first = max(1, first)
    if first >= len(frames):
        return first
    pause = quietest(frames, first)
    return pause.first if pause.last - pause.first >= SHORTEST_PAUSE else first


def _quietest_frame(frames: Sequence[Heard], first: int) -> Pause:
    def loudness(i: int) -> float:
        around = frames[max(0, i - 1) : i + 2]
        return sum(frame.power for frame in around) / len(around)

    i = min(range(first, len(frames)), key=lambda i: (loudness(i), -i))
    return Pause(i, i + 1)
