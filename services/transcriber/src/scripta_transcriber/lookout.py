"""A lookout: has a session look at its log when nobody has rung for a while."""

from __future__ import annotations

import asyncio


class Lookout:
    """Wakes one session that has not been woken for some time: a ring may have been lost.

    One timer that comes twice in that time; a time-out for each wait would cost a silent session
    more than all else that it does.

    Args:
        wake: What the session waits for.
        seconds: Time after which it is woken, at most.
    """

    def __init__(self, wake: asyncio.Event, seconds: float) -> None:
        self._wake = wake
        self._pause = seconds / 2
        self._woken = True
        self._unrung = False
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._look)

    def unrung(self) -> bool:
        """Notes that the session was woken; returns whether the lookout did it."""
        self._woken = True
        unrung, self._unrung = self._unrung, False
        return unrung

    def close(self) -> None:
        """Ends it."""
        self._timer.cancel()

    def _look(self) -> None:
        if not self._woken:
            self._unrung = True
            self._wake.set()
        self._woken = False
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._look)
