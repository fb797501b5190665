"""What is on its way to the server, in order, until the server is known to have it.

What is in here is the client's to keep: until the server has it, it may be lost with the
connection and has to be sent again. Bounded, so that a sender is held back by
acknowledgements and never by memory. Controls keep their place among the audio.
"""

from __future__ import annotations

from collections import deque

from scripta_client.wire import FINALIZE, KEEPALIVE


class Outbox:
    """Frames in line or in flight, oldest first, with a bound on the audio's bytes.

    Attributes:
        limit: Bytes of audio there may be. One message is let through whatever its size.
        pending: Audio messages that are not acknowledged.
        pending_bytes: Their bytes.
        accepted: Messages that this session has acknowledged.
        accepted_bytes: Bytes acknowledged so far, by all sessions.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pending = 0
        self.pending_bytes = 0
        self.accepted = 0
        self.accepted_bytes = 0
        self._frames: deque[bytes | str] = deque()
        # How many of the frames have been handed out on this connection.
        self._sent = 0
        # Finalizes that the server has, and whose finals are still to come.
        self._finalizing = 0

    def has_room(self, size: int) -> bool:
        """Returns whether a message of ``size`` bytes may be added now."""
        return not self.pending or self.pending_bytes + size <= self.limit

    def add(self, frame: bytes | str) -> None:
        """Puts audio or a control in line."""
        self._frames.append(frame)
        if isinstance(frame, bytes):
            self.pending += 1
            self.pending_bytes += len(frame)

    def next(self) -> bytes | str | None:
        """Returns the frame to send next, ``None`` if all are sent."""
        if self._sent == len(self._frames):
            return None
        frame = self._frames[self._sent]
        if frame == KEEPALIVE:  # worth nothing later
            del self._frames[self._sent]
        else:
            self._sent += 1
        return frame

    def rewind(self) -> None:
        """Makes everything that is left go again: there is a new connection."""
        self._sent = 0

    def restart(self) -> None:
        """Makes everything that is left go again, to a session that has nothing yet."""
        self._sent = self.accepted = self._finalizing = 0

    def acknowledge(self, size: int) -> bool:
        """Drops the oldest message, which must be sent and of ``size`` bytes.

        Returns:
            Whether it was; nothing changes otherwise.
        """
        place = self._oldest()
        if place is None or place >= self._sent or len(self._frames[place]) != size:
            return False
        self._accept(place)
        return True

    def settle(self, accepted: int) -> bool:
        """Drops the messages that a session has, which it counts from its start.

        Returns:
            Whether that can be: not fewer than it acknowledged, nor more than there are.
        """
        if not self.accepted <= accepted <= self.accepted + self.pending:
            return False
        while self.accepted < accepted:
            place = self._oldest()
            if place is not None:
                self._accept(place)
        return True

    def refuse(self, over: int | None = None) -> int:
        """Drops the message the server refused and returns its size, 0 if there is none.

        Args:
            over: The refused message is the oldest of more than this many bytes; ``None``
                means the oldest of all.
        """
        for place, frame in enumerate(self._frames):
            if isinstance(frame, bytes) and (over is None or len(frame) > over):
                self._drop(place)
                return len(frame)
        return 0

    def finalized(self) -> None:
        """Notes that a finalize is answered: it need not be sent again."""
        if self._finalizing:
            self._finalizing -= 1
        elif self._sent and self._frames[0] == FINALIZE:
            self._drop(0)

    def _oldest(self) -> int | None:
        """Returns the place of the oldest audio message."""
        frames = enumerate(self._frames)
        return next((place for place, frame in frames if isinstance(frame, bytes)), None)

    def _accept(self, place: int) -> None:
        """Drops a message that the server has, and the controls before it: it has those too."""
        for _ in range(place):
            self._finalizing += self._frames[0] == FINALIZE
            self._drop(0)
        self.accepted += 1
        self.accepted_bytes += len(self._frames[0])
        self._drop(0)

    def _drop(self, place: int) -> None:
        frame = self._frames[place]
        if isinstance(frame, bytes):
            self.pending -= 1
            self.pending_bytes -= len(frame)
        self._sent -= place < self._sent
        del self._frames[place]
