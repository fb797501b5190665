"""Misfits: sessions in line whose model this transcriber does not have.

Transcribers of a pool have the same models, but for the minutes in which a rollout changes them.
Then a session is left to those who have its model: it stays out of line for a moment, so that
the ones who do not have it do not pass it round as fast as they can. If nobody has it any more,
it is taken, and its client told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis.exceptions import ResponseError

from scripta_common.errors import BrokerUnavailable
from scripta_common.models import answering
from scripta_common.sessionlog import Assignment, Roster, TranscriberLog

logger = logging.getLogger(__name__)

_OUT_OF_LINE: Final = 1 / 3
"""Part of a lease for which a session is out of line."""


class Misfits:
    """Looks at sessions before they are claimed.

    Args:
        log: The session log.
        roster: Who is in the fleet.
        pool: The transcriber's pool.
        have: Tells whether a session with this model can be served here.
        lease: Seconds after which an assignment that nobody claims goes to another.
    """

    def __init__(
        self,
        log: TranscriberLog,
        roster: Roster,
        pool: str,
        have: Callable[[str | None], bool],
        lease: float,
    ) -> None:
        self._log = log
        self._roster = roster
        self._pool = pool
        self._have = have
        self._pause = _OUT_OF_LINE * lease
        self._closing = asyncio.Event()
        self._waiting: set[asyncio.Task[None]] = set()

    async def leave(self, assignment: Assignment) -> bool:
        """Returns whether a session is left to others; then it will be back in line soon.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        options = await self._log.options(assignment.sid)
        if options is None or self._have(options.model):
            return False
        fleet = await self._roster.observe()
        others = (one for one in fleet.roll.members.values() if one.pool == self._pool)
        if not any(answering(one.offer, options.model) for one in others):
            return False
        logger.debug("left to others", extra={"session": assignment.sid, "model": options.model})
        task = asyncio.create_task(self._put_back(assignment), name=f"misfit-{assignment.sid}")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return True

    async def close(self) -> None:
        """Puts all back in line at once."""
        self._closing.set()
        if self._waiting:
            await asyncio.wait(self._waiting)

    async def _put_back(self, assignment: Assignment) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._closing.wait()
        try:
            await self._log.put_back(assignment)
        except (BrokerUnavailable, ResponseError):
            logger.warning("not put back; its lease will expire")
