"""All sockets of the process, and who makes room when there are too many.

A socket that waits for a request is idle; of those the oldest is closed for a newcomer. So sockets
that say nothing never keep a probe out, however many there are.
"""

from __future__ import annotations

from typing import Protocol

from scripta_gateway.bounds import Bound
from scripta_gateway.telemetry import metrics


class Idle(Protocol):
    """A socket that waits for a request."""

    def on_evicted(self) -> None:
        """Is called when the socket has to make room; it is not counted any more."""


class Sockets:
    """The sockets.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: set[object] = set()
        self._idle: dict[object, Idle] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, transport: object) -> bool:
        """Counts a new socket; returns whether there is room for it."""
        if len(self._all) >= self._most:
            metrics.BOUNDS_HIT[Bound.CONNECTIONS].inc()
            oldest = next(iter(self._idle), None)
            if oldest is None:
                return False
            victim = self._idle[oldest]
            self.discard(oldest)
            victim.on_evicted()
        self._all.add(transport)
        return True

    def idle(self, transport: object, idle: Idle) -> None:
        """Notes that a socket waits for a request."""
        if transport in self._all:
            self._idle.setdefault(transport, idle)

    def busy(self, transport: object) -> None:
        """Notes that a socket's request is complete: it is not to be closed for others."""
        self._idle.pop(transport, None)

    def discard(self, transport: object) -> None:
        """Forgets a socket that is closed."""
        self._all.discard(transport)
        self._idle.pop(transport, None)
