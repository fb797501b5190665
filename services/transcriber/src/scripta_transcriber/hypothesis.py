"""What is thought to be said in an open segment: audio in, words so far out, at a bounded price.

An interim hears the segment anew each time, and a segment may last fifteen seconds. So it is heard
in pieces: speech that is a while ago is settled, cut off at the quietest place, heard once
more and then left alone; only what came after it is heard again. The engine's last draft of that
goes along, since most of it will be right again. The final hears the whole segment and owes
nothing to any of this, but hardly ever has another word where one was called stable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Draft, Engine, Segment
from scripta_transcriber.engines.quiet import part, quietest

_LONGEST: Final = 5 * SAMPLE_RATE
"""Samples that are heard again, at most: dearer with each second."""

_SETTLED_LEAST: Final = 2 * SAMPLE_RATE
"""Samples that are settled, at least: words are known by their neighbours."""

_UNSETTLED_LEAST: Final = SAMPLE_RATE
"""Samples that stay open, at least: the end of what was heard is what changes."""

_STEADY: Final = round(0.4 * SAMPLE_RATE)
"""Samples of more audio in which a stable word stayed the same. With no more than a tenth of a
second an engine nearly always says the same again."""


class Words(NamedTuple):
    """Words of an open segment.

    Attributes:
        text: All so far.
        stable: The first of them: those that two interims agreed on, that the engine was sure of,
            and that a cut for length leaves in the segment. Later interims of the segment begin
            with them, and nearly always its final, too.
    """

    text: str
    stable: str


class Told(NamedTuple):
    """A word as it was heard.

    Attributes:
        text: The word.
        sure: Whether the engine was sure of it.
        since: Session sample up to which audio had been heard when the word was first told.
        seam: Whether what lies before it was cut off: it may be the rest of a word. Then it is
            sure only if a draft from before the cut was sure of it.
    """

    text: str
    sure: bool
    since: int
    seam: bool = False


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
        self._settled: list[Told] = []
        self._open: list[Told] = []
        self._heard_to = start
        self._memo: object = None
        self._last: list[Told] = []
        self._stable = 0

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
        self._open, self._heard_to = _told(draft, segment.end), segment.end
        if self._open_from > self._start:
            self._open[:1] = [word._replace(sure=False, seam=True) for word in self._open[:1]]
        words = self._settled + self._open
        # What was called stable stays, whatever is heard now: captions only grow by it.
        stable = self._last[: self._stable]
        words[: _end_of(_texts(stable), _texts(words))] = stable
        self._last = _grown_old(words, self._last)
        self._stable = self._steady(segment)
        texts = _texts(self._last)
        return Words(" ".join(texts), " ".join(texts[: self._stable]))

    def _steady(self, segment: Segment) -> int:
        """Returns how many of the first words are stable now."""
        count = self._stable
        for word in self._last[count:]:
            kept = segment.kept is None or word.since <= segment.kept
            if not (word.sure and kept and segment.end - word.since >= _STEADY):
                break
            count += 1
        return count

    def _settle(self, segment: Segment) -> None:
        """Settles what is a while ago: as it was last told, where it was told with what followed.

        The last draft knew the words on both sides of the cut; heard anew, the piece says how
        many of its words lie before the cut.
        """
        start = self._open_from
        last = min(start + _LONGEST, segment.end) - _UNSETTLED_LEAST
        end = quietest(segment, start + _SETTLED_LEAST, last)
        words = _told(self._engine.draft(part(segment, start, end), self._memo), segment.end)
        known = self._heard_to >= end
        count = _end_of(_texts(words), _texts(self._open)) if known else len(self._open)
        self._settled += self._open[:count] if known else words
        self._open = self._open[count:]
        self._open_from = end
        self._memo = None


def _told(draft: Draft, now: int) -> list[Told]:
    words = draft.text.split()
    sure = draft.sure or (True,) * len(words)
    return [Told(word, one, now) for word, one in zip(words, sure, strict=True)]


def _grown_old(words: Sequence[Told], last: Sequence[Told]) -> list[Told]:
    """Returns the words; the first ones that were the same before were told then."""
    agreed = 0
    for word, before in zip(words, last, strict=False):
        if word.text != before.text:
            break
        agreed += 1
    old = [
        word._replace(since=before.since, sure=before.sure if word.seam else word.sure)
        for word, before in zip(words, last[:agreed], strict=False)
    ]
    return [*old, *words[agreed:]]


def _texts(words: Sequence[Told]) -> list[str]:
    return [word.text for word in words]


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
