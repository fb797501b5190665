"""Events on their way from the socket to whoever iterates over the session.

Bounded: an interim is replaced by whatever comes after it, since it is then out of date;
finals are never dropped, so that too many unread ones are an error.
"""

from __future__ import annotations

import asyncio
from collections import deque

from scripta_client.errors import ResultsUnread, ScriptaError
from scripta_client.events import Event, Interim

CAPACITY = 65_536
"""Events that may wait; hours of speech."""


class Inbox:
    """Events in order, then the end: a plain one or an error."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: deque[Event] = deque()
        self._over = False
        self._error: ScriptaError | None = None
        self._news = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether nothing more will be put in."""
        return self._over

    @property
    def error(self) -> ScriptaError | None:
        """The error that ended it, if one did."""
        return self._error

    def put(self, event: Event) -> None:
        """Adds an event.

        Raises:
            ResultsUnread: If too many wait.
        """
        if self._events and isinstance(self._events[-1], Interim):
            self._events.pop()
        if len(self._events) >= self._capacity:
            raise ResultsUnread(len(self._events))
        self._events.append(event)
        self._news.set()

    def close(self, error: ScriptaError | None = None) -> None:
        """Says that nothing follows; only the first call counts."""
        if not self._over:
            self._over = True
            self._error = error
            self._news.set()

    async def get(self) -> Event | None:
        """Returns the next event, or ``None`` after the last.

        Cancelling it loses no event.

        Raises:
            ScriptaError: The error that ended it, after the events before it.
        """
        while not self._events and not self._over:
            self._news.clear()
            await self._news.wait()
        if self._events:
            return self._events.popleft()
        if self._error is not None:
            raise self._error
        return None
