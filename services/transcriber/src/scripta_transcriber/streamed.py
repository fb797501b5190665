"""What is said in an open segment, by an engine whose decoder hears audio once.

No audio is heard again and no word is taken back, so nothing has to be settled or compared: words
are stable as soon as no audio behind them can change them.
"""

from __future__ import annotations

from itertools import takewhile

from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.engines.quiet import part
from scripta_transcriber.hypothesis import Words


class Streamed:
    """The words of one open segment so far.

    Args:
        engine: A streaming one.

    Attributes:
        memo: The state of the decoder, once it has heard something.
    """

    def __init__(self, engine: Engine) -> None:
        self.memo: object = None
        self._engine = engine
        self._start: int | None = None
        self._stable = 0

    def hear(self, segment: Segment) -> Words:
        """Returns the words of the segment so far; blocking, never called concurrently.

        The decoder hears only what the segment will have, however it ends in silence: so the final
        can go on from there. A cut for length may still fall before that.

        Args:
            segment: All of it; one with another first sample is another one.
        """
        if segment.start != self._start:
            self.memo, self._start, self._stable = None, segment.start, 0
        end = segment.end if segment.least_end is None else segment.least_end
        draft = self._engine.draft(part(segment, segment.start, end), self.memo)
        self.memo = draft.memo
        if segment.kept is None or end <= segment.kept:
            self._stable = len(list(takewhile(bool, draft.sure or ())))
        words = draft.text.split()
        return Words(" ".join(words), " ".join(words[: self._stable]))
