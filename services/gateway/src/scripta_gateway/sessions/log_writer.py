"""Brings the log up to a session's ledger, whatever the broker does meanwhile.

The async shell round the writes of ``Exchange``. Always true: one call is under way at a time, and
it carries all that waits, as far as there is room; an interrupted one is taken up by the next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import GatewayLog, SessionOptions, Standing
from scripta_common.tracing import NO_SPAN
from scripta_common.wire import Entry
from scripta_gateway.admission.pool_places import Place
from scripta_gateway.sessions.exchange import Append, AwaitRoom, Exchange, Join, Restore
from scripta_gateway.sessions.room import Room
from scripta_gateway.telemetry.latency import Stopwatch

logger = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_FIRST: Final = 0.05
_RETRY_MOST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a session, in seconds."""

    backlog: float
    stall: float
    broker_patience: float


class LogWriter:
    """Writes one session.

    Args:
        log: The session log.
        sid: The session's id.
        options: What the session was opened with.
        limits: Bounds.
        exchange: What is to be written.
        stopwatch: Is told when the log had what.
        place: By which the session goes in line; ``None`` if it has been there already.
        token_digest: Digest of the token that takes the session up again; empty: none does.

    Attributes:
        room: Where it waits for room in the backlog.
        span: The connection's span.
    """

    def __init__(
        self,
        log: GatewayLog,
        sid: str,
        options: SessionOptions,
        limits: Limits,
        exchange: Exchange,
        stopwatch: Stopwatch,
        *,
        place: Place | None = None,
        token_digest: str = "",
    ) -> None:
        self._log = log
        self._place = place
        self._sid = sid
        self._options = options
        self._token_digest = token_digest
        self._patience = limits.broker_patience
        self._exchange = exchange
        self._stopwatch = stopwatch
        self._writing = asyncio.Lock()
        self.room = Room(limits.stall)
        self.span = NO_SPAN

    def configure(self, options: SessionOptions, place: Place | None) -> None:
        """Takes other options and another place, before anything is written."""
        self._options = options
        self._place = place

    @property
    def busy(self) -> bool:
        """Whether somebody writes just now, or waits for room to."""
        return self._writing.locked()

    async def write_once(self, *, wait: bool = True) -> bool:
        """Makes one call that brings the log nearer to the ledger.

        Cancelled, it leaves open whether the log has what the call carried; the next call carries
        it again, and the log passes over what it has.

        Args:
            wait: Whether to wait for room; otherwise what there is no room for is left.

        Returns:
            Whether there may be more to write.

        Raises:
            Superseded: Another connection has the session.
            SessionLost: The broker has lost what can not be written anew.
            NoCapacity: The transcript does not move on and the backlog is full.
            BrokerUnavailable: The broker does not answer, for too long.
        """
        async with self._writing:
            match write := self._exchange.next_write():
                case None:
                    return False
                case Join():
                    await self.join()
                    return True
                case AwaitRoom():
                    return wait and await self._await_room()
                case Restore(standing):
                    await self._restore(write, standing)
                    return True
                case Append(entries):
                    return await self._append(write, entries)

    async def heal(self) -> None:
        """Writes what the log lacks, as far as there is room; raises as ``write_once``.

        Does nothing while somebody else writes, who does the same.
        """
        while self._exchange.unwritten and not self.busy:
            if not await self.write_once(wait=False):
                break

    async def join(self) -> None:
        """Opens the session in the log and puts it in line, perhaps after a wait.

        Cancelled, it leaves open whether the session is in line: it is joined again or withdrawn.

        Raises:
            NoCapacity: There is no place for it any more, or not in time.
            BrokerUnavailable: The broker does not answer, for too long.
        """
        if self._place is not None:
            join = partial(self._place.join, self._sid, self._options, self._token_digest)
            await self._patiently(join)
        self._exchange.joined = True

    async def stay_in_line(self, owner: str) -> None:
        """Puts a session that is owed results in line again if its place there is lost.

        Args:
            owner: The transcriber that has it; empty for none.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        pool = self._options.pool
        if self._exchange.looked_in_line(await self._log.is_served(owner, pool)):
            await self._log.assign(self._sid, pool)
            self.span.event("put in line again")
            logger.warning("session put in line again", extra={"session": self._sid})

    async def withdraw(self) -> bool:
        """Takes the session out of the line and the log, unless a transcriber has it.

        Returns:
            Whether nothing of it is left.

        Raises:
            BrokerUnavailable: The broker does not answer, for too long.
        """
        # Before it has joined nothing of it is accepted: it goes even if a transcriber has it.
        certainly = not self._exchange.joined
        pool = self._options.pool
        withdraw = partial(self._log.withdraw, self._sid, pool, certainly=certainly)
        gone = await self._patiently(withdraw)
        if gone and self._place is not None and self._exchange.joined:
            self._place.leave()
        return gone

    async def _await_room(self) -> bool:
        if not self.room.waited:
            self.span.event("held back")
        await self.room.wait()
        return True

    async def _restore(self, write: Restore, standing: Standing) -> None:
        restore = partial(
            self._log.restore,
            self._sid,
            self._options,
            standing,
            token_digest=self._token_digest,
        )
        self._exchange.restored(write, await self._patiently(restore))
        seq = self._exchange.logged
        self.span.event("restored", {"scripta.seq": seq})
        logger.warning("session restored", extra={"session": self._sid, "seq": seq})

    async def _append(self, write: Append, entries: Sequence[Entry]) -> bool:
        append = partial(self._log.append, self._sid, entries, self._exchange.connection)
        outcome, last = await self._patiently(append)
        self._stopwatch.arrivals.logged(entries[0].seq, entries[-1].seq, time.monotonic())
        return self._exchange.appended(write, outcome, last) and self._exchange.unwritten

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeats a call to the log while the broker does not answer, for a bounded time."""
        pause = _RETRY_FIRST
        give_up_at = time.monotonic() + self._patience
        while True:
            try:
                return await attempt()
            except BrokerUnavailable:
                if time.monotonic() >= give_up_at:
                    raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_MOST)
