"""Back-pressure: an append waits for room in its session's backlog."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

from scripta_common.errors import NoCapacity
from scripta_gateway.telemetry import metrics

_COUNT_SECONDS: Final = 1.0
"""How often the time is counted, so that it can be seen while a client is held back."""


class Room:
    """Where the one append of a session that is under way waits until the session has moved on.

    Args:
        stall: Longest wait in seconds.

    Attributes:
        waited: Seconds that all waits have taken so far.
    """

    def __init__(self, stall: float) -> None:
        self.waited = 0.0
        self._stall = stall
        self._moved = asyncio.Event()

    def moved(self) -> None:
        """Says that the session has moved on: there may be room."""
        self._moved.set()

    async def wait(self) -> None:
        """Waits until the session moves on.

        Raises:
            NoCapacity: It does not, for too long.
        """
        self._moved.clear()
        counted = time.monotonic()
        give_up_at = counted + self._stall
        while not self._moved.is_set():
            if counted >= give_up_at:
                raise NoCapacity("No transcriber takes up this session's audio; try again later.")
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(_COUNT_SECONDS, give_up_at - counted)):
                        await self._moved.wait()
            finally:
                now = time.monotonic()
                metrics.BACKPRESSURE_SECONDS.inc(now - counted)
                self.waited += now - counted
                counted = now
