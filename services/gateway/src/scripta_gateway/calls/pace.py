"""Whether a client sends at the pace of speech: pure, no clock.

Audio that comes faster than it can have been spoken is from a file. A live client may be ahead for
a while nonetheless: it has a buffer, or had to wait for us and sends what was said meanwhile.
"""

from __future__ import annotations

import math
from typing import Final

_MOST_AHEAD: Final = 5.0
"""Seconds of audio that live speech may be ahead of its clock: a buffer, a short clip."""


class Pace:
    """How far a client is ahead of live speech.

    Attributes:
        ahead: Seconds of audio; below 0 while it may catch up on what we held it up for.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._now = -math.inf
        # Whether the client is held up by the message that arrived last.
        self._holds_up = False

    def audio(self, arrived: float, seconds: float) -> None:
        """Takes audio of a message that arrived."""
        if self.ahead > 0:
            self.ahead = max(0.0, self.ahead - (arrived - self._now))
        self._now = arrived
        self.ahead += seconds
        self._holds_up = True

    def handled(self, now: float) -> None:
        """Records that the next message is read; until now the client was held back."""
        if self._holds_up:
            self._holds_up = False
            self.ahead -= now - self._now
            self._now = now

    @property
    def is_live(self) -> bool:
        """Whether what it sent last can have been spoken just now."""
        return self.ahead <= _MOST_AHEAD
