"""The sessions that one gateway holds, and the room for them.

Always true: a session is held by one connection, or waits for its client without one, or is held no
more. Whoever stops holding a session frees what it had here: its place, its polls, its results.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from scripta_common.errors import GatewayFull, ScriptaError, SessionIdle, Superseded
from scripta_gateway.bounds import Bound
from scripta_gateway.quotas.seats import Seat
from scripta_gateway.sessions.exchange import TAKEN_OVER
from scripta_gateway.sessions.session import Session
from scripta_gateway.sessions.silent import Silent
from scripta_gateway.sessions.unattended import Unattended
from scripta_gateway.sessions.upkeep import Upkeep
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Outcome

_GOES_ON: Final = (Outcome.HANDED_OVER, Outcome.SUPERSEDED)
"""How sessions part that another gateway has, or may come to have, in the same seat."""


class HeldSessions:
    """Holds sessions.

    Args:
        most: Sessions held at once.
        ping: Raises ``BrokerUnavailable`` while no client can come back.
        patience: Seconds for which such an outage may put off the end of a session.
        leave: Called with the seat of a session that is over.

    Attributes:
        by_id: All of them.
        unattended: Those without a connection.
        upkeep: Compares them with their logs.
    """

    def __init__(
        self,
        most: int,
        ping: Callable[[], Awaitable[None]],
        patience: float,
        leave: Callable[[Seat], None],
    ) -> None:
        self._most = most
        self._leave = leave
        self._silent = Silent()
        self.by_id: dict[str, Session] = {}
        self.unattended = Unattended(self.part, ping, patience)
        self.upkeep = Upkeep(self.by_id.values, self.lose)
        # Set while no session has a connection.
        self._quiet = asyncio.Event()
        self._quiet.set()

    def check_room(self) -> None:
        """Raises ``GatewayFull`` if there is no room for another, and none can be made."""
        if self._full and self._silent.oldest(time.monotonic()) is None:
            raise _too_many()

    def make_room(self) -> None:
        """Closes the client that has been silent for longest if there is no room for another.

        Raises:
            GatewayFull: No client has been silent for long enough.
        """
        if not self._full:
            return
        silent = self._silent.oldest(time.monotonic())
        if silent is None:
            raise _too_many()
        metrics.BOUNDS_HIT[Bound.SILENT_CONNECTIONS].inc()
        self.part(silent, Outcome.IDLE)
        silent.fail(
            SessionIdle("You sent no audio and others need the room; connect again to speak.")
        )

    def hold_new(self, session: Session) -> None:
        """Holds a session that has just been opened; ``make_room`` comes first."""
        self._hold(session)
        self._silent.opened(session, time.monotonic())

    def hold_newest(self, session: Session) -> None:
        """Holds a session that has been taken up, unless a newer connection has it already.

        Attachments may end in another order than they began in: the numbers decide.
        """
        former = self.by_id.get(session.sid)
        if former is not None and former.connection > session.connection:
            session.fail(Superseded(TAKEN_OVER))
            return
        if former is not None:
            former.fail(Superseded(TAKEN_OVER))
        self._hold(session)

    def keep_unattended(
        self, session: Session, outcome: Outcome = Outcome.ABANDONED, *, wait: float = 0.0
    ) -> None:
        """Holds a session on whose connection is gone; as ``Unattended.take``."""
        self.unattended.take(session, outcome, wait=wait)
        self._notice_quiet()

    def part(self, session: Session, outcome: Outcome) -> None:
        """Stops holding a session, and counts how it came to that."""
        if self.by_id.get(session.sid) is session:
            del self.by_id[session.sid]
        self._let_go(session)
        if session.seat is not None and outcome not in _GOES_ON:
            self._leave(session.seat)
        session.drop()
        self._notice_quiet()
        metrics.SESSIONS.set(len(self.by_id))
        metrics.SESSIONS_ENDED[outcome].inc()

    def lose(self, session: Session, error: ScriptaError) -> None:
        """Ends a session that can not go on; its client hears why, if there is one."""
        if session in self.unattended:
            self.part(session, metrics.outcome_of_error(error))
        else:
            session.fail(error)

    def suspect_all(self) -> None:
        """Has all sessions compared with their logs soon: rings may have been missed."""
        for session in self.by_id.values():
            session.heard_at = float("-inf")

    async def wait_quiet(self) -> None:
        """Waits until no session has a connection."""
        await self._quiet.wait()

    @property
    def _full(self) -> bool:
        return len(self.by_id) >= self._most

    def _hold(self, session: Session) -> None:
        former = self.by_id.get(session.sid)
        if former is not None:
            self._let_go(former)
        self.by_id[session.sid] = session
        self._quiet.clear()
        metrics.SESSIONS.set(len(self.by_id))

    def _let_go(self, session: Session) -> None:
        self._silent.gone(session)
        session.give_back_place()
        self.unattended.forget(session)
        self.upkeep.forget(session)

    def _notice_quiet(self) -> None:
        if len(self.by_id) == len(self.unattended):
            self._quiet.set()


def _too_many() -> GatewayFull:
    metrics.BOUNDS_HIT[Bound.SILENT_CONNECTIONS].inc()
    return GatewayFull("This gateway holds as many sessions as it may; try again.")
