"""Brings a session back onto a connection after the last one broke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection

from scripta_client.backoff import DEFAULT_WINDOW_SECONDS, Backoff, Outage, may_pass
from scripta_client.dialer import Dialer
from scripta_client.errors import (
    ConnectionLost,
    ReconnectFailed,
    Refused,
    ScriptaError,
    SessionError,
)
from scripta_client.events import Reconnecting, Restarted, Resumed
from scripta_client.protocol import NativeProtocol

_RESTARTING = 1012


class Reconnector:
    """Tries again, for as long as there is hope.

    Args:
        dialer: Opens connections.
        protocol: The session's state.
        patience: Seconds to try after a break; ``None`` for as long as the server waits, 0 for
            not at all.
        backoff: The waits between tries.
    """

    def __init__(
        self,
        dialer: Dialer,
        protocol: NativeProtocol,
        patience: float | None,
        backoff: Backoff,
    ) -> None:
        self._dialer = dialer
        self._protocol = protocol
        self._patience = patience
        self._backoff = backoff
        self._outage: Outage | None = None

    def can_help(self, error: SessionError) -> bool:
        """Returns whether a new connection may go on where this error ended the last one."""
        return self._patience != 0 and (self._protocol.lapsed or may_pass(error))

    async def reconnect(
        self, error: ScriptaError, tell: Callable[[Reconnecting], None]
    ) -> tuple[ClientConnection, Resumed | Restarted]:
        """Returns a connection for which all that is left is in line, and how it came.

        Args:
            error: How the last connection ended.
            tell: Is told of each try before it.

        Raises:
            ReconnectFailed: If there is none in time.
            SessionLost: If the server can not go on without a loss.
            ScriptaError: If a try fails for good.
        """
        clock = asyncio.get_running_loop().time
        broke = clock()
        outage = self._outage_at(broke)
        while True:
            delay = self._next_delay(outage, clock(), error)
            tell(Reconnecting(outage.attempt, delay, str(error)))
            await asyncio.sleep(delay)
            try:
                socket, frame = await self._dialer.open_again(self._protocol.place)
                break
            except ScriptaError as failed:
                if not may_pass(failed) and not self._falls_back(failed):
                    raise
                error = failed
        outage.connected(clock())
        try:
            return socket, self._protocol.reopened(frame, clock() - broke)
        except SessionError:
            await socket.close()  # ends the new session, which nobody wants
            raise

    def _falls_back(self, error: ScriptaError) -> bool:
        # The server has lost results that are here: come back from the last that it has.
        known = error.index if isinstance(error, Refused) else None
        return known is not None and self._protocol.recorded(known)

    def _outage_at(self, now: float) -> Outage:
        mark = self._protocol.progress
        if self._outage is None or not self._outage.goes_on(now, mark):
            self._outage = Outage(self._backoff, now, mark)
        return self._outage

    def _next_delay(self, outage: Outage, now: float, error: ScriptaError) -> float:
        patience = self._patience
        if patience is None:
            patience = self._protocol.resume_seconds
        restarting = isinstance(error, ConnectionLost) and error.code == _RESTARTING
        delay = outage.next_delay(
            now,
            DEFAULT_WINDOW_SECONDS if patience is None else patience,
            prompt=restarting or self._protocol.going_away,
            retry_after=error.retry_after if isinstance(error, Refused) else None,
        )
        if delay is None:
            unsent = self._protocol.outbox.pending_bytes
            lost = self._protocol.seconds_lost
            raise ReconnectFailed(now - outage.began, str(error), unsent, lost) from error
        return delay
