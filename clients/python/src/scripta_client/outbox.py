"""The audio messages that are sent and not yet acknowledged, in order.

What is in here is the client's to keep: until the server acknowledges a message it may be
lost with the connection, and would have to be sent again. Bounded, so that a sender is held
back by acknowledgements and never by memory.
"""

from __future__ import annotations

from collections import deque


class Outbox:
    """Messages in flight, oldest first, with a bound on their bytes.

    Attributes:
        limit: Bytes that may be in flight. One message is let through whatever its size.
        pending_bytes: Bytes in flight.
        accepted_bytes: Bytes acknowledged so far.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pending_bytes = 0
        self.accepted_bytes = 0
        self._pending: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def pending(self) -> tuple[bytes, ...]:
        """The messages in flight, oldest first."""
        return tuple(self._pending)

    def has_room(self, size: int) -> bool:
        """Returns whether a message of ``size`` bytes may be sent now."""
        return not self._pending or self.pending_bytes + size <= self.limit

    def add(self, message: bytes) -> None:
        """Keeps a message that is about to be sent."""
        self._pending.append(message)
        self.pending_bytes += len(message)

    def acknowledge(self, size: int) -> bool:
        """Drops the oldest message, which must be of ``size`` bytes; returns whether it was."""
        if not self._pending or len(self._pending[0]) != size:
            return False
        self._drop(0)
        self.accepted_bytes += size
        return True

    def refuse(self, over: int | None = None) -> int:
        """Drops the message the server refused and returns its size, 0 if there is none.

        Args:
            over: The refused message is the oldest of more than this many bytes; ``None``
                means the oldest of all.
        """
        for place, message in enumerate(self._pending):
            if over is None or len(message) > over:
                self._drop(place)
                return len(message)
        return 0

    def _drop(self, place: int) -> None:
        self.pending_bytes -= len(self._pending[place])
        del self._pending[place]
