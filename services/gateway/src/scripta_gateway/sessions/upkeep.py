"""Upkeep: polls the sessions of which nothing was heard for a while, each by itself.

Always true: a session has at most one poll under way, and no poll waits for another session's. So
there are never more polls than sessions held, and a session that can not write delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from scripta_common.errors import BrokerUnavailable, NoCapacity, ScriptaError
from scripta_gateway.sessions.session import Session

logger = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 1.0
_POLL_OUTSTANDING: Final = 2.0
_POLL_QUIET: Final = 20.0


class Upkeep:
    """Compares sessions with their logs.

    Args:
        held: Returns the sessions that the gateway holds.
        lose: Called with a session that can not go on, and why.
    """

    def __init__(
        self,
        held: Callable[[], Iterable[Session]],
        lose: Callable[[Session, ScriptaError], None],
    ) -> None:
        self._held = held
        self._lose = lose
        self._polls: dict[Session, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Starts polls until cancelled; those under way are cancelled, too."""
        try:
            while True:
                await asyncio.sleep(_ROUND_SECONDS)
                await self.run_once()
        finally:
            polls = tuple(self._polls.values())
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)

    async def run_once(self) -> None:
        """Polls the sessions that are due, and waits for the answers for at most a second."""
        started = [self._start(session) for session in tuple(self._held()) if self._due(session)]
        if started:
            # Cancelled here, the polls go on: they are their own tasks.
            await asyncio.wait(started, timeout=_ROUND_SECONDS)

    def forget(self, session: Session) -> None:
        """Ends the poll of a session that is not held any more."""
        poll = self._polls.get(session)
        if poll is not None and poll is not asyncio.current_task():
            poll.cancel()

    def _due(self, session: Session) -> bool:
        if session in self._polls:
            return False
        silent = time.monotonic() - session.heard_at
        return session.hoards or silent >= (
            _POLL_OUTSTANDING if session.outstanding else _POLL_QUIET
        )

    def _start(self, session: Session) -> asyncio.Task[None]:
        poll = asyncio.create_task(self._poll(session), name=f"poll-{session.sid}")
        self._polls[session] = poll
        poll.add_done_callback(lambda _: self._polls.pop(session))
        return poll

    async def _poll(self, session: Session) -> None:
        try:
            await session.reconcile()
        except (BrokerUnavailable, NoCapacity) as error:
            logger.warning(
                "session not reconciled", extra={"session": session.sid, "code": error.code}
            )
        except ScriptaError as error:
            self._lose(session, error)
        except Exception:
            # One session's trouble: the others are polled all the same.
            logger.exception("session not reconciled", extra={"session": session.sid})
