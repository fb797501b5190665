"""What can be expected of a pool: slots that come free soon, refused clients that come back. Pure.

Times are seconds on any clock that does not jump.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

WINDOW_SECONDS: Final = 30.0
"""How far back sessions are counted that have left their slots."""

REMEMBERED_SECONDS: Final = 15.0
"""How long a client that was refused is counted among those who want to be heard."""

RETRY_AFTER_SECONDS: Final = 5
"""When a client that was refused for want of capacity is told to come back."""

EXPECTED_SECONDS: Final = RETRY_AFTER_SECONDS + 1.0
"""How long a place may be kept for such a client of a tenant that has fewer sessions."""

_MOST_REMEMBERED: Final = 10_000
"""Refusals that are remembered: beyond, nobody needs to know how many there were."""


class Releases:
    """Slots of one pool that have come free.

    Transcribers say how many sessions they have finished since their start. What one had finished
    when it was first seen is not counted: nobody knows when that was.
    """

    def __init__(self) -> None:
        self._finished: Mapping[str, int] = {}
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, now: float, finished: Mapping[str, int]) -> None:
        """Records how many sessions each transcriber has finished since its start."""
        fresh = sum(
            max(0, count - self._finished.get(name, count)) for name, count in finished.items()
        )
        self._finished = dict(finished)
        if fresh:
            self._seen.append((now, fresh))
        while self._seen and self._seen[0][0] <= now - WINDOW_SECONDS:
            self._seen.popleft()

    def expected(self, now: float, seconds: float) -> int:
        """Returns how many slots will come free in so many seconds, with fair certainty.

        Releases come at random: of those that are due on average, one standard deviation is taken
        off, so that five of six times at least so many come.
        """
        since = now - WINDOW_SECONDS
        lately = sum(count for at, count in self._seen if at > since)
        due = lately * seconds / WINDOW_SECONDS
        return max(0, math.floor(due - math.sqrt(due)))


class TurnedAway:
    """Live clients of one pool that were refused for want of capacity."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST_REMEMBERED)
        # Those that are expected back in a moment, by when they were refused, and by tenant.
        self._lately: deque[tuple[float, str]] = deque()
        self._expected: Counter[str] = Counter()

    def note(self, now: float, tenant: str = "") -> None:
        """Notes a refusal."""
        self._times.append(now)
        if len(self._lately) == _MOST_REMEMBERED:
            self._forget_one()
        self._lately.append((now, tenant))
        self._expected[tenant] += 1

    def expected(self, now: float) -> Counter[str]:
        """Returns how many clients of each tenant come back, if they do as they were told."""
        while self._lately and self._lately[0][0] <= now - EXPECTED_SECONDS:
            self._forget_one()
        return self._expected

    def _forget_one(self) -> None:
        _, tenant = self._lately.popleft()
        self._expected[tenant] -= 1
        if not self._expected[tenant]:
            del self._expected[tenant]

    def count(self, now: float) -> int:
        """Returns how many clients these were, if they come back as they were told."""
        while self._times and self._times[0] <= now - REMEMBERED_SECONDS:
            self._times.popleft()
        return math.ceil(len(self._times) * RETRY_AFTER_SECONDS / REMEMBERED_SECONDS)
