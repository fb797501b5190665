"""The sessions that one gateway holds, and the room for them.

Always true: a session is held by one connection, or waits for its client without one, or is held no
more. Whoever stops holding a session frees what it had here: its place, its polls, its results.
While the gateway drains, every session that comes to be held is sent away at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from scripta_common.errors import (
    Draining,
    GatewayFull,
    ScriptaError,
    SessionIdle,
    Superseded,
    Unauthorized,
)
from scripta_gateway.access.caller import Caller
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
_SPREAD_STEP: Final = 0.02
"""Seconds between two goodbyes of a drain; many sessions share the time that is set for all."""


class HeldSessions:
    """Holds sessions.

    Args:
        most: Sessions held at once.
        ping: Raises ``BrokerUnavailable`` while no client can come back.
        patience: Seconds for which such an outage may put off the end of a session.
        free: Called with the seat of a session that is over.
        resume_seconds: How long a session waits for a client whose connection broke.

    Attributes:
        resume_seconds: As given.
        draining: Whether this gateway goes away.
        by_id: All of them.
        unattended: Those without a connection.
        upkeep: Compares them with their logs.
    """

    def __init__(
        self,
        most: int,
        ping: Callable[[], Awaitable[None]],
        patience: float,
        free: Callable[[Seat], None],
        *,
        resume_seconds: float,
    ) -> None:
        self._most = most
        self._free = free
        self.resume_seconds = resume_seconds
        self.draining = False
        self._silent = Silent()
        self.by_id: dict[str, Session] = {}
        self.unattended = Unattended(self.part, ping, patience)
        self.upkeep = Upkeep(self.by_id.values, self.lose)
        # Set while no session has a connection.
        self._quiet = asyncio.Event()
        self._quiet.set()

    def check_room(self) -> None:
        """Raises an error if another session can not be held, and no room can be made for it.

        Raises:
            Draining: This gateway is going away.
            GatewayFull: It holds all the sessions it may.
        """
        if self.draining:
            raise Draining("This gateway is going away.")
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

    def leave(
        self, session: Session, *, comes_back: bool, outcome: Outcome = Outcome.ABANDONED
    ) -> None:
        """Takes back a session whose connection is gone.

        Args:
            session: The session.
            comes_back: Whether its client may come back. Then it is kept for a while (on a drain
                by the log alone) if it has ever been in line; otherwise its stream is ended as
                soon as there is room for it.
            outcome: How it came to that.
        """
        if self.by_id.get(session.sid) is not session:
            return  # another connection has it
        comes_back = comes_back and session.in_line
        # That of a session which another connection has is that one's to end.
        if session.over or not session.in_log or outcome is Outcome.SUPERSEDED:
            self.part(session, outcome)
        elif comes_back and self.draining:
            self.part(session, Outcome.HANDED_OVER)
        elif comes_back:
            self._keep_unattended(session, Outcome.ABANDONED, wait=self.resume_seconds)
        else:
            self._keep_unattended(session, outcome)

    def part(self, session: Session, outcome: Outcome) -> None:
        """Stops holding a session, and counts how it came to that."""
        if self.by_id.get(session.sid) is session:
            del self.by_id[session.sid]
        self._let_go(session)
        if session.seat is not None and outcome not in _GOES_ON:
            self._free(session.seat)
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

    def end(self, session: Session, error: ScriptaError) -> None:
        """Ends a session for its client; nothing more comes of one without a connection."""
        if session not in self.unattended:
            session.fail(error)

    def dismiss(self, admitted: Callable[[Caller], bool]) -> None:
        """Ends the sessions of all callers that are not admitted any more."""
        for session in tuple(self.by_id.values()):
            if not admitted(session.caller):
                self.lose(session, Unauthorized("This key was revoked, or has expired."))

    async def drain(self, spread: float) -> None:
        """Holds no new session and has every connection closed; returns when all are gone.

        1. New sessions are refused from the first moment.
        2. Sessions that wait for their client are left to the log.
        3. Connections are told to go, spread out so that they do not all come back at once.
        4. The ends of streams that have to be written still are written.

        Args:
            spread: Seconds over which the connections are told, at most.
        """
        self.draining = True
        for session in self.unattended.waiting:
            self.part(session, Outcome.HANDED_OVER)
        sessions = tuple(self.by_id.values())
        spread = min(spread, _SPREAD_STEP * len(sessions))
        loop = asyncio.get_running_loop()
        for number, session in enumerate(sessions):
            loop.call_later(spread * number / len(sessions), session.fail, _farewell())
        await self._quiet.wait()
        await self.unattended.settle()

    def suspect_all(self) -> None:
        """Has all sessions compared with their logs soon: rings may have been missed."""
        for session in self.by_id.values():
            session.heard_at = float("-inf")

    def audio_lags(self) -> list[float]:
        """Returns of each session the seconds of audio accepted and not yet decided."""
        return [session.undecided_seconds for session in self.by_id.values()]

    def tenants(self) -> list[str]:
        """Returns the tenant of each session."""
        return [session.options.tenant for session in self.by_id.values()]

    def in_line(self, pool: str) -> Counter[str]:
        """Returns how many sessions each tenant has in a pool's line."""
        return Counter(
            session.options.tenant
            for session in self.by_id.values()
            if session.options.pool == pool and session.in_line and not session.over
        )

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
        if self.draining:  # it was on its way here when the drain told all others
            session.fail(_farewell())

    def _keep_unattended(self, session: Session, outcome: Outcome, *, wait: float = 0.0) -> None:
        self.unattended.take(session, outcome, wait=wait)
        self._notice_quiet()

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


def _farewell() -> Draining:
    return Draining("This gateway is going away; connect again.")
