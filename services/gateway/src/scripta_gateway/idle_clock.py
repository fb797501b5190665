"""When a silent client is flushed and when it is let go: pure, in seconds of any clock."""

from __future__ import annotations

from enum import Enum, auto


class Due(Enum):
    """What silence on the wire has made due."""

    FLUSH = auto()
    CLOSE = auto()


class IdleClock:
    """Follows one connection's messages.

    Args:
        flush_after: Silence after audio until it is finalized, once.
        close_after: Silence after any message until the connection is closed; before the first
            audio, the time until it is closed whatever else it sends.
        first_after: Silence until a connection is closed that has not sent any audio yet.
        now: Time at which the connection was accepted.
    """

    def __init__(
        self, flush_after: float, close_after: float, first_after: float, now: float
    ) -> None:
        self._flush_after = flush_after
        self._close_after = close_after
        self._first_after = first_after
        self._heard = now
        # When it has to have sent audio; ``None`` once it has.
        self._audio_due: float | None = now + close_after
        # Time of audio that no boundary has followed yet.
        self._unflushed: float | None = None

    def message(self, now: float) -> None:
        """Notes any message."""
        self._heard = now

    def audio(self, now: float) -> None:
        """Notes accepted audio."""
        self._heard = now
        self._unflushed = now
        self._audio_due = None

    def held_up(self, now: float) -> None:
        """Notes that the client may have waited for an answer until now: silence begins here."""
        self._heard = now
        if self._unflushed is not None:
            self._unflushed = now

    def boundary(self) -> None:
        """Notes that what was said has been finalized."""
        self._unflushed = None

    def deadline(self) -> float:
        """Returns the time at which something becomes due if nothing is heard."""
        if self._unflushed is None:
            return self._close_at
        return min(self._close_at, self._unflushed + self._flush_after)

    def due(self, now: float) -> Due | None:
        """Returns what is due at ``now``."""
        if now >= self._close_at:
            return Due.CLOSE
        if self._unflushed is not None and now >= self._unflushed + self._flush_after:
            return Due.FLUSH
        return None

    @property
    def _close_at(self) -> float:
        if self._audio_due is None:
            return self._heard + self._close_after
        return min(self._audio_due, self._heard + min(self._first_after, self._close_after))
