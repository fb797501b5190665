"""Misfits: sessions in line whose model this transcriber does not have.

Transcribers of a pool have the same models, but for the minutes in which a rollout changes them.
Then a session is left in line to those who have its model. Who has been through all that wait
there rests for a moment, or those who can not serve a session would pass it round as fast as they
can. If nobody has its model any more, it is taken, and its client told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from scripta_common.models import answering
from scripta_common.sessionlog import Assignment, Roster, TranscriberLog

logger = logging.getLogger(__name__)

_REST_SECONDS: Final = 0.5


class Misfits:
    """Looks at sessions before they are claimed.

    Args:
        log: The session log.
        roster: Who is in the fleet.
        pool: The transcriber's pool.
        have: Tells whether a session with this model can be served here.
    """

    def __init__(
        self,
        log: TranscriberLog,
        roster: Roster,
        pool: str,
        have: Callable[[str | None], bool],
    ) -> None:
        self._log = log
        self._roster = roster
        self._pool = pool
        self._have = have
        # Sessions that were left a moment ago, and when.
        self._left: dict[str, float] = {}
        self._met_again = False

    async def leave(self, assignment: Assignment) -> bool:
        """Returns whether a session is left to others; then it is in line again.

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
        now = time.monotonic()
        self._left = {sid: at for sid, at in self._left.items() if now - at < _REST_SECONDS}
        self._met_again = assignment.sid in self._left
        self._left[assignment.sid] = now
        await self._log.put_back(assignment)
        return True

    async def rest(self) -> None:
        """Waits for a moment if all that is in line may be for others."""
        if self._met_again:
            self._met_again = False
            await asyncio.sleep(_REST_SECONDS)
