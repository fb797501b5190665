"""Sessions whose clients have not spoken yet: the oldest make room for newcomers. No I/O."""

from __future__ import annotations

from scripta_gateway.bounds import SILENT_LEAST_SECONDS
from scripta_gateway.sessions.session import Session


class Silent:
    """All of one gateway's."""

    def __init__(self) -> None:
        # When each was opened; the oldest stands first.
        self._opened: dict[Session, float] = {}

    def opened(self, session: Session, now: float) -> None:
        """Notes a session that has just been opened."""
        self._opened[session] = now

    def gone(self, session: Session) -> None:
        """Notes that a session is held no more."""
        self._opened.pop(session, None)

    def oldest(self, now: float) -> Session | None:
        """Returns the session that has been silent for longest; ``None`` if none has for long."""
        while self._opened:
            session, opened = next(iter(self._opened.items()))
            if not session.spoken:
                return session if now - opened >= SILENT_LEAST_SECONDS else None
            del self._opened[session]
        return None
