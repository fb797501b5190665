"""Holds audio back to the speed at which it was spoken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pacer:
    """A clock of audio: a block is due when its last sample would have been heard.

    The schedule is kept from the first block on, so that waits do not add up to a drift;
    after a hold-up the blocks that are overdue go at once, as they would from a microphone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._started: float | None = None
        self._played = 0.0

    async def play(self, seconds: float) -> None:
        """Waits until the next ``seconds`` of audio have been heard."""
        if self._started is None:
            self._started = self._clock()
        self._played += seconds
        ahead = self._started + self._played - self._clock()
        if ahead > 0:
            await self._sleep(ahead)
