"""The client's side of a session, without a socket: frames in, events and frames out.

Holds what has to outlive a connection: what is asked for, the session's identity, the audio
that is not acknowledged, and the index of the last final. Always: finals leave here exactly
once and in order; an interim never follows the final that covers it.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from scripta_client.errors import ConnectionLost, ProtocolViolation, SessionFailed
from scripta_client.events import Ended, Event, Final, Interim, ServerError
from scripta_client.outbox import Outbox
from scripta_client.wire import END, Failure, Opened, Received, parse

_TOO_LARGE = re.compile(r"Audio data too large \(max (\d+) bytes\)")


class State(Enum):
    """Where a session is, as its client sees it."""

    OPEN = auto()
    """Audio may be sent."""

    ENDING = auto()
    """``end`` is sent; the last finals are awaited."""

    ENDED = auto()
    """Everything is transcribed; nothing follows."""


class NativeProtocol:
    """The state of one session.

    Attributes:
        state: Where the session is.
        session: The session's id; empty until the server has said it.
        client_id: The number the server gave this client; ``None`` until it has said it.
        outbox: Audio sent and not acknowledged.
        last_index: Index of the last final that was handed out.
    """

    def __init__(self, max_unacknowledged: int) -> None:
        self.state = State.OPEN
        self.session = ""
        self.client_id: int | None = None
        self.outbox = Outbox(max_unacknowledged)
        self.last_index = 0
        self._heard = 0.0

    @property
    def owed(self) -> bool:
        """Whether the server owes an answer: an acknowledgement or the end."""
        return len(self.outbox) > 0 or self.state is State.ENDING

    def audio(self, message: bytes) -> bytes:
        """Keeps an audio message and returns the frame to send.

        Raises:
            RuntimeError: If the stream has been ended.
        """
        if self.state is not State.OPEN:
            raise RuntimeError("audio after end(): the session takes no more")
        self.outbox.add(message)
        return message

    def end(self) -> str | None:
        """Returns the frame that ends the stream, or ``None`` if it was ended before."""
        if self.state is not State.OPEN:
            return None
        self.state = State.ENDING
        return END

    def opened(self, session: str, client_id: int | None) -> None:
        """Notes who the server says we are."""
        self.session = session
        self.client_id = client_id

    def receive(self, data: str | bytes) -> Event | None:
        """Takes a frame from the server; returns the event it makes, if any.

        Raises:
            SessionFailed: If the server gave the session up.
            ProtocolViolation: If the frame is not one that may come now.
        """
        frame = parse(data)
        match frame:
            case None:
                return None
            case Received():
                if not self.outbox.acknowledge(frame.size):
                    raise ProtocolViolation(f"it acknowledged {frame.size} bytes out of turn")
                return None
            case Opened():
                self.opened(frame.session, frame.client_id)
                return None
            case Failure():
                return self._error(frame)
            case Final():
                return self._final(frame)
            case Interim():
                return frame if frame.end > self._heard else None
            case Ended():
                return self._ended(frame)
        return frame

    def closed(self, code: int, reason: str) -> Ended | None:
        """Takes the close of the connection; returns the last event unless it came before.

        Raises:
            ConnectionLost: If the session was not over.
        """
        if self.state is State.ENDED:
            return None
        if self.state is State.ENDING and code == 1000 and not len(self.outbox):
            self.state = State.ENDED
            return Ended(None)
        raise ConnectionLost(code, reason)

    def _error(self, frame: Failure) -> ServerError:
        if frame.code is not None:
            raise SessionFailed(frame.code, frame.message)
        refused = 0
        if too_large := _TOO_LARGE.match(frame.message):
            refused = self.outbox.refuse(over=int(too_large[1]))
        elif frame.message.startswith("Audio "):
            refused = self.outbox.refuse()
        return ServerError(frame.message, refused)

    def _final(self, final: Final) -> Final | None:
        if final.index <= self.last_index:
            return None
        if final.index != self.last_index + 1:
            raise ProtocolViolation(f"final {final.index} follows final {self.last_index}")
        self.last_index = final.index
        self._heard = max(self._heard, final.end)
        return final

    def _ended(self, ended: Ended) -> Ended | None:
        if self.state is not State.ENDING:
            return None
        if len(self.outbox):
            unanswered = self.outbox.pending_bytes
            raise ProtocolViolation(f"it ended with {unanswered} bytes not acknowledged")
        self.state = State.ENDED
        return ended
