"""How many live sessions a running system sustains, by trying."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rig import Level, quantile


@dataclass(frozen=True, slots=True)
class Bar:
    """What a number of sessions must keep to be sustained.

    Attributes:
        final: Most seconds that 95 of 100 finals may take.
        interims: Least share of the interims that the bare engine makes; they give way first, so
            that without it nothing bounds the load.
    """

    final: float = 0.5
    interims: float = 0.9

    def passes(self, level: Level) -> bool:
        """Returns whether a load was sustained."""
        on_time = quantile(level.finals, 0.95) < self.final
        return on_time and level.interims >= self.interims and not level.tally.lost


async def most_sustained(
    measure: Callable[[int], Awaitable[Level]], bar: Bar, start: int
) -> Level | None:
    """Returns the largest load that was sustained; ``None`` if not even one session is.

    Args:
        measure: Puts a number of sessions on the system.
        bar: What they must keep.
        start: Number to begin with.
    """
    step = max(1, start // 8)
    best, good, bad, tried = None, 0, math.inf, max(1, start)
    while bad - good > 1:
        level = await measure(tried)
        if bar.passes(level):
            best, good = level, tried
        else:
            bad = tried
        if bad == math.inf:
            tried = good + step
        elif not good:
            tried = max(1, 3 * int(bad) // 4)
        else:
            tried = (good + int(bad)) // 2
    return best
