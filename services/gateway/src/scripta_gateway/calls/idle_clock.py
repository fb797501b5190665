"""When a silent client is flushed and when it is let go: pure, in seconds of any clock.

A client is silent when it has sent less than real time for long enough, never because one message
is late: how long that is depends on how its audio came (``rhythm``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from scripta_gateway.calls.rhythm import Rhythm
from scripta_gateway.dialects.base import Policy

_NEVER = 1e9
"""Seconds after which nothing happens any more."""


class Due(Enum):
    """What silence on the wire has made due."""

    PAUSE = auto()
    FLUSH = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may be silent, in seconds.

    Attributes:
        flush: After an upload, until it is finalized. After other audio, until a pause is noted.
        live: How far live audio may fall behind real time until it is finalized.
        close: Silence after any message until the connection is closed.
        first: Silence until a connection is closed that has not sent any audio yet.
        audio: Time until such a connection is closed whatever else it sends; ``None``: ``close``.
    """

    flush: float
    live: float
    close: float
    first: float
    audio: float | None = None

    def under(self, policy: Policy) -> Patience:
        """Returns how long a client of a dialect may be silent; itself is the gateway's setting."""
        return Patience(
            flush=self.flush if policy.flushes else _NEVER,
            live=self.live if policy.flushes else _NEVER,
            close=self.close if policy.close is None else policy.close,
            first=self.first if policy.first is None else policy.first,
            audio=self.close,
        )


class IdleClock:
    """Follows one connection's messages.

    Args:
        patience: How long it may be silent.
        now: Time at which the connection was accepted.
        goes_on: Whether it goes on with a session of an earlier connection.
    """

    def __init__(self, patience: Patience, now: float, *, goes_on: bool = False) -> None:
        self._patience = patience
        self._heard = now
        # When it has to have sent audio; ``None`` once it has.
        first_audio = patience.close if patience.audio is None else patience.audio
        self._audio_due: float | None = now + first_audio
        self._rhythm = Rhythm(now, goes_on=goes_on)
        # When silence began behind audio that no boundary has followed yet.
        self._unflushed: float | None = None
        # When a message last brought any sound; ``None``: none has yet.
        self._sounded: float | None = None
        # Whether a pause has been noted since the last audio.
        self._paused = False

    def message(self, now: float) -> None:
        """Notes any message."""
        self._heard = now

    def audio(self, arrived: float, now: float, seconds: float, *, ends_file: bool = False) -> None:
        """Notes accepted audio.

        Args:
            arrived: When its message arrived; different messages arrive at different times.
            now: When it was accepted.
            seconds: Its length; 0 if a decoder holds it back.
            ends_file: Whether a whole file ends with it.
        """
        self._heard = now
        self._audio_due = None
        if seconds > 0:
            self._sounded = now
        # A decoder that holds audio back may need some messages for it. A track that is muted while
        # others of its file go on brings none for ever, and that is silence.
        held_back = self._sounded is None or now - self._sounded < self._patience.live
        if seconds > 0 or held_back:
            self._unflushed = now
            self._paused = False
        self._rhythm.audio(arrived, seconds, ends_file=ends_file)

    def held_up(self, now: float) -> None:
        """Notes that the client may have waited for an answer until now: silence begins here."""
        self._heard = now
        if self._unflushed is not None:
            self._unflushed = now
            self._rhythm.held_up(now)

    def stood_still(self, seconds: float) -> None:
        """Notes that this process heard nobody for some time, which ends now."""
        self._rhythm.unheard(seconds)

    def paused(self) -> None:
        """Notes that the log knows of the pause."""
        self._paused = True

    def boundary(self, *, by_silence: bool = False) -> None:
        """Notes that what was said has been finalized."""
        self._unflushed = None
        self._rhythm.boundary(by_silence=by_silence)

    def deadline(self) -> float:
        """Returns the time at which something becomes due if nothing is heard."""
        if self._unflushed is None:
            return self._close_at
        at = min(self._close_at, self._unflushed + self._flush_after)
        return at if self._paused else min(at, self._unflushed + self._pause_after)

    def due(self, now: float) -> Due | None:
        """Returns what is due at ``now``."""
        if now >= self._close_at:
            return Due.CLOSE
        if self._unflushed is None:
            return None
        if now >= self._unflushed + self._flush_after:
            return Due.FLUSH
        if not self._paused and now >= self._unflushed + self._pause_after:
            return Due.PAUSE
        return None

    @property
    def _flush_after(self) -> float:
        return self._rhythm.flush_after(self._patience.flush, self._patience.live)

    @property
    def _pause_after(self) -> float:
        return self._rhythm.pause_after(self._patience.flush)

    @property
    def _close_at(self) -> float:
        if self._audio_due is None:
            return self._heard + self._patience.close
        return min(self._audio_due, self._heard + min(self._patience.first, self._patience.close))
