"""Sessions without a connection: each waits for its client for a while, then its stream is ended.

One that no transcriber has yet is taken out of the line instead: nobody will read its transcript,
and its place is free for others. The others are held until the end stands in the log, so that
rings and upkeep reach them: an upload that was held back gets its end as soon as there is room.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from scripta_common.errors import BrokerUnavailable, ScriptaError
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry.metrics import Outcome

logger = logging.getLogger(__name__)

_PING_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 5.0
"""Longest that a drain waits until the ends of streams stand in the log, when all connections are
gone. A stream whose end is not written by then expires with its session."""


class Unattended:
    """Sees sessions off whose connection is gone.

    Args:
        part: Called with a session that is done with, and how it came to that.
        ping: Raises ``BrokerUnavailable`` while no client can come back.
        patience: Seconds for which such an outage may put off the end of a session.
    """

    def __init__(
        self,
        part: Callable[[Session, Outcome], None],
        ping: Callable[[], Awaitable[None]],
        patience: float,
    ) -> None:
        self._part = part
        self._ping = ping
        self._patience = patience
        self._tasks: dict[Session, asyncio.Task[None]] = {}
        # Those whose clients may come back.
        self._waiting: set[Session] = set()

    def __contains__(self, session: object) -> bool:
        return session in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def waiting(self) -> Iterable[Session]:
        """Those whose clients may come back."""
        return tuple(self._waiting)

    def take(self, session: Session, outcome: Outcome, *, wait: float = 0.0) -> None:
        """Takes a session over.

        Args:
            session: The session; not over.
            outcome: How it came to that.
            wait: Seconds for which its client may come back.
        """
        if wait:
            self._waiting.add(session)
        work = self._see_off(session, outcome, wait)
        self._tasks[session] = asyncio.create_task(work, name=f"end-{session.sid}")

    def forget(self, session: Session) -> None:
        """Leaves a session alone: another connection has it, or it is done with."""
        self._waiting.discard(session)
        task = self._tasks.pop(session, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def settle(self) -> None:
        """Waits until all ends are written, but not for long: the gateway goes away.

        Cancelled, the ends that are not written stay to be written.
        """
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_SETTLE_SECONDS)

    async def close(self) -> None:
        """Gives up all sessions."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._waiting.clear()

    async def _see_off(self, session: Session, outcome: Outcome, wait: float) -> None:
        if wait:
            # Its client sends again what the log lacks then: on a connection that breaks again and
            # again, it would never come further.
            with suppress(ScriptaError):  # the upkeep tries again, or finds that it is lost
                await session.heal()
            await self._wait(wait)
            self._waiting.discard(session)
        try:
            # For as long as the backlog may be full, or the broker may be gone, and no longer.
            # Cancelled here, a part of what is to be written may be in the log already.
            if await session.withdraw():
                self._part(session, outcome)
                return
            session.end()
            await session.write()
        except ScriptaError as error:
            logger.warning("end not recorded", extra={"session": session.sid, "code": error.code})
        except Exception:
            logger.exception("end not recorded", extra={"session": session.sid})
        self._part(session, outcome)

    async def _wait(self, seconds: float) -> None:
        # While the broker is away a client that comes back is refused. It gets all of its time once
        # the broker is back.
        left, give_up_at = seconds, time.monotonic() + seconds + self._patience
        while left > 0 and time.monotonic() < give_up_at:
            step = min(_PING_SECONDS, left)
            await asyncio.sleep(step)
            try:
                await self._ping()
                left -= step
            except BrokerUnavailable:
                left = seconds
