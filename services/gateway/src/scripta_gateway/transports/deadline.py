"""A time by which something has to be done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """A time limit for one thing at a time.

    Args:
        loop: The event loop.
        seconds: How long it may take.
        passed: Called when it takes longer.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, passed: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._passed = passed
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to wait; does nothing if it waits."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._pass)

    def stop(self) -> None:
        """Waits no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass(self) -> None:
        self._timer = None
        self._passed()
