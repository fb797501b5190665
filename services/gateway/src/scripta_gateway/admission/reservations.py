"""Places of one pool that this gateway has given out and that the fleet does not show yet. Pure.

A place is given at the handshake and holds for a moment: who has not spoken by then has none any
more, and nobody waits for it. When its session goes in line it counts until the fleet has been
looked at, which shows it from then on.

Times are seconds on any clock that does not jump.
"""

from __future__ import annotations

from collections import deque
from itertools import count, takewhile


class Reservations:
    """The books.

    Args:
        seconds: How long a place holds without a word.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._numbers = count()
        # When each lapses; the oldest stands first.
        self._held: dict[int, float] = {}
        self._joined: deque[float] = deque()
        self._left: deque[float] = deque()

    def hold(self, now: float) -> int:
        """Gives a place out; returns its number."""
        number = next(self._numbers)
        self._held[number] = now + self._seconds
        return number

    def holds(self, number: int, now: float) -> bool:
        """Returns whether a place is still held for the client that it was given to."""
        return self._held.get(number, now) > now

    def give_back(self, number: int) -> None:
        """Notes that a place is not held any more; one that has lapsed may be given back, too."""
        self._held.pop(number, None)

    def join(self, now: float) -> None:
        """Notes that a session has gone in line."""
        self._joined.append(now)

    def leave(self, now: float) -> None:
        """Notes that a session has been taken out of the line."""
        self._left.append(now)

    def joined_since(self, seen_at: float) -> int:
        """Returns how many more are in line than when the fleet was looked at; below 0: fewer."""
        for times in (self._joined, self._left):
            while times and times[0] <= seen_at:
                times.popleft()
        return len(self._joined) - len(self._left)

    def count(self, now: float) -> int:
        """Returns how many places are held for clients that have not spoken yet."""
        self._lapse(now)
        return len(self._held)

    def next_lapse(self, now: float) -> float | None:
        """Returns when the oldest place lapses; ``None`` if none is held."""
        self._lapse(now)
        return next(iter(self._held.values()), None)

    def _lapse(self, now: float) -> None:
        lapsed = takewhile(lambda held: held[1] <= now, self._held.items())
        for number, _ in tuple(lapsed):
            del self._held[number]
