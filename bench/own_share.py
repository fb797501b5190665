"""How much of a final's latency is the system's own, and not the engine's: pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from engine_log import Task, Work
from talkers import Delivery


class BusyTime:
    """When all threads were at work.

    Args:
        works: The calls, by when they began.
        threads: How many threads there are.
    """

    def __init__(self, works: Sequence[Work], threads: int) -> None:
        turns = [(w.began, 1) for w in works]
        turns += [(w.ended, -1) for w in works]
        turns.sort()
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._before = [0.0]
        running = 0
        for when, change in turns:
            running += change
            if change > 0 and running == threads:
                self._begins.append(when)
            elif change < 0 and running == threads - 1:
                self._ends.append(when)
                self._before.append(self._before[-1] + when - self._begins[-1])

    def within(self, begin: float, end: float) -> float:
        """Returns for how many seconds between two times all threads were at work."""
        return self._until(end) - self._until(begin)

    def _until(self, when: float) -> float:
        place = bisect_left(self._begins, when)
        if place and place <= len(self._ends) and self._ends[place - 1] > when:
            return self._before[place] - (self._ends[place - 1] - when)
        return self._before[min(place, len(self._ends))]


def own_shares(finals: Iterable[Delivery], works: Sequence[Work], threads: int) -> list[float]:
    """Returns of each final for how long it was under way while no engine was at work.

    That is what passed before its decoding while a thread was idle, and all that passed behind
    it. Waiting for a thread that works for others is the engine's share.
    """
    busy = BusyTime(works, threads)
    decoded: dict[int, list[Work]] = {}
    for work in works:
        if work.task is Task.FINAL:
            decoded.setdefault(work.key, []).append(work)
    shares = []
    for final in finals:
        for work in decoded.get(final.key, ()):
            if final.sent <= work.began and work.ended <= final.received < math.inf:
                idle = work.began - final.sent - busy.within(final.sent, work.began)
                shares.append(idle + final.received - work.ended)
                break
    return shares
