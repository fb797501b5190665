"""Rounds: quiet sessions look at their logs together, a few times a second.

Whoever has nothing to miss waits for the next round and not for each message. All that
are woken then ask the broker in one go, and are listened to in one go, which is what makes silence
cheap.
"""

from __future__ import annotations

import asyncio
from typing import Final

ROUND_SECONDS: Final = 0.15
"""Time between rounds. Speech is a quarter of a second long before it is worth an interim: found
a round late, its first words come as soon."""


class Rounds:
    """Wakes those that wait for the next round.

    Args:
        seconds: Time between rounds.
    """

    def __init__(self, seconds: float = ROUND_SECONDS) -> None:
        self._seconds = seconds
        self._waiting: set[asyncio.Event] = set()

    def wake(self, event: asyncio.Event) -> None:
        """Sets an event at the next round; may be called again before that."""
        if not self._waiting:
            loop = asyncio.get_running_loop()
            # All rounds of a process fall on the same grid, whoever asks first.
            loop.call_at((loop.time() // self._seconds + 1) * self._seconds, self._wake_all)
        self._waiting.add(event)

    def _wake_all(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for event in waiting:
            event.set()
