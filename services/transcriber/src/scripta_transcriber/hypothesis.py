"""What is thought to be said in an open segment: audio in, words so far out, at a bounded price.

An interim hears the segment anew each time, and a segment may last fifteen seconds. So it is heard
in pieces: speech that is a while ago is settled, cut off at the quietest place, heard once
more and then left alone; only what came after it is heard again. The engine's last draft of that
goes along, since most of it will be right again. The final hears the whole segment and owes
nothing to any of this.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import Final, NamedTuple

import numpy as np

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_transcriber.engines.base import Engine, Segment

_LONGEST: Final = 5 * SAMPLE_RATE
"""Samples that are heard again, at most: dearer with each second."""

_SETTLED_LEAST: Final = 2 * SAMPLE_RATE
"""Samples that are settled, at least: words are known by their neighbours."""

_UNSETTLED_LEAST: Final = SAMPLE_RATE
"""Samples that stay open, at least: the end of what was heard is what changes."""

_FRAME: Final = SAMPLE_RATE // 50
_AROUND: Final = 5
"""Frames, a tenth of a second in all, that are quiet together in a pause."""


class Words(NamedTuple):
    """Words of an open segment.

    Attributes:
        text: All so far.
        stable: The first of them: those that two interims in a row agreed on. Later interims of
            the segment begin with them; the final may yet differ.
    """

    text: str
    stable: str


class Hypothesis:
    """The words of one open segment so far.

    Args:
        engine: What hears.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begin(0)

    def _begin(self, start: int) -> None:
        self._start = self._open_from = start
        self._settled: list[str] = []
        self._memo: object = None
        self._last: list[str] = []
        self._stable: list[str] = []

    def hear(self, segment: Segment) -> Words:
        """Returns the words of the segment so far; blocking, never called concurrently.

        Args:
            segment: All of it; one with another first sample is another one.
        """
        if segment.start != self._start:
            self._begin(segment.start)
        while segment.end - self._open_from > _LONGEST:
            self._settle(segment, self._open_from, self._quietest(segment, self._open_from))
        draft = self._engine.draft(_part(segment, self._open_from, segment.end), self._memo)
        self._memo = draft.memo
        words = self._settled + draft.text.split()
        # What was called stable stays, whatever is heard now: captions only grow by it.
        words[: len(self._stable)] = self._stable
        agreed = takewhile(_equal, zip(words, self._last, strict=False))
        self._stable = words[: max(len(self._stable), len(list(agreed)))]
        self._last = words
        return Words(" ".join(words), " ".join(self._stable))

    def _settle(self, segment: Segment, start: int, end: int) -> None:
        self._settled += self._engine.draft(_part(segment, start, end), self._memo).text.split()
        self._open_from = end
        self._memo = None

    def _quietest(self, segment: Segment, start: int) -> int:
        """Returns the middle of the quietest tenth of a second in which may be cut."""
        first = start + _SETTLED_LEAST
        last = min(start + _LONGEST, segment.end) - _UNSETTLED_LEAST
        samples = np.frombuffer(_part(segment, first, last).pcm, dtype="<i2").astype(np.float32)
        frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
        power = np.convolve((frames * frames).mean(axis=1), np.ones(_AROUND), mode="valid")
        # The latest of equals: more is settled.
        quietest = len(power) - 1 - int(power[::-1].argmin())
        return first + (2 * quietest + _AROUND) * _FRAME // 2


def _equal(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _part(segment: Segment, start: int, end: int) -> Segment:
    first, last = ((sample - segment.start) * BYTES_PER_SAMPLE for sample in (start, end))
    return replace(segment, start=start, pcm=segment.pcm[first:last])
