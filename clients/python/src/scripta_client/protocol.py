"""The client's side of a session, without a socket: frames in, events and frames out.

Holds what outlives a connection: the session's identity, the audio that is not acknowledged,
and how far results have come. Always: finals leave here exactly once and in order, over however
many connections and sessions; an interim never follows the final that covers it.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from scripta_client.backoff import LOSING_FAILURES, PASSING_FAILURES
from scripta_client.continuity import Continuity
from scripta_client.errors import ConnectionLost, ProtocolViolation, SessionFailed, SessionLost
from scripta_client.events import (
    Ended,
    Event,
    Final,
    GoingAway,
    Interim,
    Restarted,
    Resumed,
    ServerError,
)
from scripta_client.outbox import Outbox
from scripta_client.wire import (
    END,
    FINALIZE,
    KEEPALIVE,
    SNIFFED,
    AudioFormat,
    Failure,
    Opened,
    Place,
    Received,
    parse,
)

_TOO_LARGE = re.compile(r"Audio data too large \(max (\d+) bytes\)")
_STREAM_HAS_ENDED = "The stream has ended"
_ROUNDING_SECONDS = 0.002


class State(Enum):
    """Where a session is, as its client sees it."""

    OPEN = auto()
    """Audio may be sent."""

    ENDING = auto()
    """``end`` is asked for; the last finals are awaited."""

    ENDED = auto()
    """Everything is transcribed; nothing follows."""


class NativeProtocol:
    """The state of one session.

    Args:
        max_unacknowledged: Bytes of audio that may be ahead of acknowledgements.
        format: How the audio is encoded.
        goes_on_lossy: Whether to go on in a new session although words are lost.

    Attributes:
        state: Where the session is.
        session: The session's id; empty until the server has said it.
        client_id: The number the server gave this client; ``None`` until it has said it.
        resume_seconds: How long the server waits for a client that comes back; ``None`` until
            it has said it.
        outbox: Audio and controls that the server may not have.
        going_away: Whether the gateway has asked to connect again.
    """

    def __init__(
        self,
        max_unacknowledged: int,
        format: AudioFormat = SNIFFED,
        *,
        goes_on_lossy: bool = False,
    ) -> None:
        self.state = State.OPEN
        self.session = ""
        self.client_id: int | None = None
        self.resume_seconds: float | None = None
        self.outbox = Outbox(max_unacknowledged)
        self.going_away = False
        self._format = format
        self._goes_on_lossy = goes_on_lossy
        self._results = Continuity()
        self._resumed = False
        # What takes the session up again; empty until the server has said it.
        self._token = ""
        # The last result that the server can have, where it has said that it is less than ours.
        self._recorded: int | None = None
        # A failure of the session that may pass; the close follows.
        self._failure: SessionFailed | None = None
        # Why the session is of no use any more, though the stream goes on; the close follows.
        self._lapsed = ""

    @property
    def owed(self) -> bool:
        """Whether the server owes an answer: an acknowledgement, the end or a close."""
        closing = self._failure is not None or bool(self._lapsed)
        return self.outbox.pending > 0 or self.state is State.ENDING or closing

    @property
    def lapsed(self) -> bool:
        """Whether only a new session can go on with the stream."""
        return bool(self._lapsed)

    @property
    def place(self) -> Place | None:
        """Where to come back to; ``None`` asks for a new session."""
        if self._lapsed or not self._token:
            return None
        index = self._results.session_index
        return Place(self._token, index if self._recorded is None else min(index, self._recorded))

    @property
    def progress(self) -> tuple[int, int]:
        """How far the stream is: bytes acknowledged and finals handed out."""
        return self.outbox.accepted_bytes, self._results.last_index

    @property
    def seconds_lost(self) -> float | None:
        """Audio that is acknowledged and has no final yet, at most, in seconds.

        ``None`` where the length of the audio is not known.
        """
        if not self.outbox.accepted:
            return 0.0
        if self._format.encoding is None:
            return None
        return max(0.0, self._accepted_seconds - self._results.heard)

    def audio(self, message: bytes) -> None:
        """Puts an audio message in line.

        Raises:
            RuntimeError: If the stream has been ended.
        """
        if self.state is not State.OPEN:
            raise RuntimeError("audio after end(): the session takes no more")
        self.outbox.add(message)

    def finalize(self) -> None:
        """Puts a boundary in line, unless the end is."""
        if self.state is State.OPEN:
            self.outbox.add(FINALIZE)

    def keepalive(self) -> None:
        """Puts a sign of life in line."""
        self.outbox.add(KEEPALIVE)

    def end(self) -> None:
        """Puts the end of the stream in line. Idempotent."""
        if self.state is State.OPEN:
            self.state = State.ENDING
            self.outbox.add(END)

    def opened(self, session: str, client_id: int | None) -> None:
        """Notes who the server says we are."""
        self.session = session
        self.client_id = client_id

    def recorded(self, index: int) -> bool:
        """Notes that the server has results up to that index only, and lost some that are here.

        It makes them anew, and they are not handed out twice.

        Returns:
            Whether the place to come back to is another one by that.
        """
        place = self.place
        self._recorded = index
        return self.place != place

    def reopened(self, frame: Opened, seconds: float) -> Resumed | Restarted:
        """Takes the first frame of a further connection; all that is left goes again.

        Args:
            frame: The frame.
            seconds: Time without a connection.

        Raises:
            SessionLost: If words are lost that may not be.
            ProtocolViolation: If the server has more than it was sent.
        """
        event: Resumed | Restarted = Resumed(seconds)
        if frame.resumed:
            self._take_up(frame)
        else:
            reason = self._lapsed or frame.reason or "unknown"
            event = Restarted(reason, self._start_over(reason), seconds)
        self._take_identity(frame)
        self._resumed = frame.resumed
        self._recorded = None
        self.going_away = False
        self._failure = None
        self._lapsed = ""
        return event

    def receive(self, data: str | bytes) -> Event | None:
        """Takes a frame from the server; returns the event it makes, if any.

        Raises:
            SessionFailed: If the server gave the session up.
            SessionLost: If the server has ended it, and words are lost by that.
            ProtocolViolation: If the frame is not one that may come now.
        """
        frame = parse(data)
        match frame:
            case Received():
                if not self.outbox.acknowledge(frame.size):
                    raise ProtocolViolation(f"it acknowledged {frame.size} bytes out of turn")
            case Opened():
                self._take_identity(frame)
            case Failure():
                return self._error(frame)
            case Final():
                final = self._results.final(frame)
                if final is not None and final.reason == "finalize":
                    self.outbox.finalized()
                return final
            case Interim():
                return self._results.interim(frame)
            case Ended():
                return self._ended(frame)
            case GoingAway():
                self.going_away = True
                return frame
        return None

    def closed(self, code: int, reason: str) -> Ended | None:
        """Takes the close of the connection; returns the last event unless it came before.

        Raises:
            SessionFailed: If the server has said why.
            ConnectionLost: If the session was not over.
        """
        if self.state is State.ENDED:
            return None
        if self._failure is not None:
            raise self._failure
        if self._lapsed:
            raise ConnectionLost(1006, "the session is over on the server")
        if self.state is State.ENDING and code == 1000 and not self.outbox.pending:
            self.state = State.ENDED
            return Ended(None)
        raise ConnectionLost(code, reason)

    @property
    def _accepted_seconds(self) -> float:
        return self.outbox.accepted_bytes / self._format.bytes_per_second

    def _take_identity(self, frame: Opened) -> None:
        self.opened(frame.session, frame.client_id)
        self.resume_seconds = frame.resume_seconds
        # Told once: a session that was taken up keeps the one it had.
        self._token = frame.token if not frame.resumed else self._token

    def _take_up(self, frame: Opened) -> None:
        if frame.received < self.outbox.accepted:
            raise SessionLost("audio_missing", self.seconds_lost)
        if not self.outbox.settle(frame.received):
            raise ProtocolViolation(f"it has {frame.received} messages, more than it was sent")
        self.outbox.rewind()

    def _start_over(self, reason: str) -> float:
        lost = self._bearable(reason)
        raw = self._format.encoding is not None  # of anything else, nothing was accepted
        self._results.start_over(self._accepted_seconds if raw else 0.0)
        self.outbox.restart()
        return lost

    def _bearable(self, reason: str, message: str = "") -> float:
        """Returns the seconds that a new session would lack; raises if that is not borne."""
        lost = self.seconds_lost
        if lost is None or (lost > _ROUNDING_SECONDS and not self._goes_on_lossy):
            raise SessionLost(reason, lost, message)
        return lost if lost > _ROUNDING_SECONDS else 0.0

    def _error(self, frame: Failure) -> ServerError | None:
        if frame.code is not None:
            self._failure = SessionFailed(frame.code, frame.message)
            if frame.code in LOSING_FAILURES:
                self._bearable(frame.code, frame.message)
                self._lapsed = frame.code
            elif frame.code not in PASSING_FAILURES:
                raise self._failure
            return None
        if self._resumed and frame.message.startswith(_STREAM_HAS_ENDED):
            return None  # the server ended it while we were away; ``ended`` follows
        refused = 0
        if too_large := _TOO_LARGE.match(frame.message):
            refused = self.outbox.refuse(over=int(too_large[1]))
        elif frame.message.startswith("Audio "):
            refused = self.outbox.refuse()
        return ServerError(frame.message, refused)

    def _ended(self, ended: Ended) -> Ended | None:
        if self._resumed and (self.state is State.OPEN or self.outbox.pending):
            # All that was accepted has its words; what was not goes to a new session.
            if self._format.encoding is not None:
                self._results.heard = max(self._results.heard, self._accepted_seconds)
            self._bearable("ended")
            self._lapsed = "ended"
            return None
        if self.state is not State.ENDING:
            return None
        if self.outbox.pending:
            unanswered = self.outbox.pending_bytes
            raise ProtocolViolation(f"it ended with {unanswered} bytes not acknowledged")
        self.state = State.ENDED
        return self._results.ended(ended)
