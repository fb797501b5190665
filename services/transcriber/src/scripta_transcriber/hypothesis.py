"""What is thought to be said in an open segment: audio in, words so far out, at a bounded price.

An interim hears the segment anew each time, and a segment may last fifteen seconds. So it is heard
in pieces: speech that is a while ago is settled, cut off at the quietest place, heard once
more and then left alone; only what came after it is heard again. The engine's last draft of that
goes along, since most of it will be right again. The final hears the whole segment and owes
nothing to any of this.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final, NamedTuple

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.engines.quiet import part, quietest

_LONGEST: Final = 5 * SAMPLE_RATE
"""Samples that are heard again, at most: dearer with each second."""

_SETTLED_LEAST: Final = 2 * SAMPLE_RATE
"""Samples that are settled, at least: words are known by their neighbours."""

_UNSETTLED_LEAST: Final = SAMPLE_RATE
"""Samples that stay open, at least: the end of what was heard is what changes."""


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
            self._settle(segment)
        draft = self._engine.draft(part(segment, self._open_from, segment.end), self._memo)
        self._memo = draft.memo
        words = self._settled + draft.text.split()
        # What was called stable stays, whatever is heard now: captions only grow by it.
        words[: _end_of(self._stable, words)] = self._stable
        agreed = takewhile(_equal, zip(words, self._last, strict=False))
        self._stable = words[: max(len(self._stable), len(list(agreed)))]
        self._last = words
        return Words(" ".join(words), " ".join(self._stable))

    def _settle(self, segment: Segment) -> None:
        start = self._open_from
        last = min(start + _LONGEST, segment.end) - _UNSETTLED_LEAST
        end = quietest(segment, start + _SETTLED_LEAST, last)
        self._settled += self._engine.draft(part(segment, start, end), self._memo).text.split()
        self._open_from = end
        self._memo = None


def _equal(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _end_of(stable: list[str], words: list[str]) -> int:
    """Returns how many words say what ``stable`` says: of all beginnings, the most alike.

    Heard anew, the same may be more words or fewer ("42", "forty two"), and by number alone those
    behind it would be doubled or left out.
    """
    if words[: len(stable)] == stable:
        return len(stable)
    bare = [_bare(word) for word in words]
    # Edit distances of the stable words so far to each beginning.
    row = list(range(len(words) + 1))
    for said in map(_bare, stable):
        above, row = row, [row[0] + 1]
        for place, word in enumerate(bare):
            row.append(min(above[place] + (said != word), above[place + 1] + 1, row[place] + 1))
    return min(range(len(row)), key=lambda end: (row[end], abs(end - len(stable))))


def _bare(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold()
