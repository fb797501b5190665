"""The broker's clock, as a process that asks it now and then can tell it.

It is the one clock that processes on different machines share: moments of one can be told to the
other on it. Good to about a millisecond on a quiet network; used for measuring and nothing else.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_SAMPLES: Final = 8
"""Answers that count: about as many seconds, so that another server's clock is soon taken up."""


class BrokerClock:
    """Translates between this process's clock and the broker's, both in seconds."""

    def __init__(self) -> None:
        # How long the answer took, and what to add to our clock.
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._ahead: float | None = None

    def heard(self, asked: float, answered: float, broker_time: float) -> None:
        """Takes the broker's time.

        Args:
            asked: When it was asked for, on our monotonic clock.
            answered: When the answer came.
            broker_time: The answer.
        """
        self._samples.append((answered - asked, broker_time - (asked + answered) / 2))
        # The fastest answer says it best: the time was told at an unknown moment while it was out.
        self._ahead = min(self._samples)[1]

    def at(self, moment: float) -> float | None:
        """Returns the broker's time at a moment of ours; ``None`` if it was never heard."""
        return None if self._ahead is None else moment + self._ahead
