"""Misfits: sessions in line whose model this transcriber does not have.

Transcribers of a pool have the same models, but for the minutes in which a rollout changes them.
Then a session is left in line to those who have its model. Who has been through all that wait
there rests for a moment, or those who can not serve a session would pass it round as fast as they
can. If nobody has had its model for a while, it is taken, and its client told; a while, because a
broker that was away or comes back empty does not know who is there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Final

from scripta_common.fleet import ALIVE_MS, ANNOUNCE_SECONDS, Member
from scripta_common.models import answering
from scripta_common.sessionlog import Assignment, Roster, TranscriberLog

logger = logging.getLogger(__name__)

_REST_SECONDS: Final = 0.5

_GONE_SECONDS: Final = ALIVE_MS / 1000 + ANNOUNCE_SECONDS
"""Time after which everybody who lives has said so again."""

_LOOK_SECONDS: Final = 4 * _REST_SECONDS
"""Time between two looks, at most, in which nobody can have come and gone."""

_WATCH_SECONDS: Final = 60.0
"""Time for which a model that nobody has is looked for."""


class Misfits:
    """Looks at sessions before they are claimed.

    Args:
        log: The session log.
        roster: Who is in the fleet.
        pool: The transcriber's pool.
        have: Returns whether a session with this model can be served here.
        gone: Seconds for which nobody has a model until it is gone.
    """

    def __init__(
        self,
        log: TranscriberLog,
        roster: Roster,
        pool: str,
        have: Callable[[str | None], bool],
        gone: float = _GONE_SECONDS,
    ) -> None:
        self._log = log
        self._roster = roster
        self._pool = pool
        self._have = have
        self._gone = gone
        # Sessions that were left since the last rest.
        self._left: set[str] = set()
        # Since when nobody has a model, and when that was last seen.
        self._missed: dict[str | None, tuple[float, float]] = {}
        self._met_again = False

    async def leave(self, assignment: Assignment) -> bool:
        """Returns whether a session is left to others; then it is in line again.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        options = await self._log.options(assignment.sid)
        if options is None or self._have(options.model):
            return False
        if self._is_gone(options.model, await self._members()):
            return False
        logger.debug("left to others", extra={"session": assignment.sid, "model": options.model})
        self._met_again = assignment.sid in self._left
        self._left.add(assignment.sid)
        await self._log.put_back(assignment)
        return True

    async def look(self) -> None:
        """Looks again for the models that nobody has; to be called every second or so.

        While all slots are taken no session is met, and who looks too seldom can not tell that
        nobody has come and gone.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        if not self._missed:
            return
        pool = await self._members()
        for model, (since, _) in list(self._missed.items()):
            if time.monotonic() - since > _WATCH_SECONDS:
                del self._missed[model]
            else:
                self._is_gone(model, pool)

    async def _members(self) -> list[Member]:
        fleet = await self._roster.observe()
        return [one for one in fleet.roll.members.values() if one.pool == self._pool]

    def _is_gone(self, model: str | None, pool: Collection[Member]) -> bool:
        now = time.monotonic()
        since, seen = self._missed.pop(model, (now, now))
        # A pool without anybody, even us, is one that the broker has forgotten.
        if not pool or any(answering(one.offer, model) for one in pool):
            return False
        since = since if now - seen < _LOOK_SECONDS else now
        self._missed[model] = (since, now)
        return now - since >= self._gone

    async def rest(self) -> None:
        """Waits for a moment if all that is in line may be for others."""
        if self._met_again:
            self._met_again = False
            await asyncio.sleep(_REST_SECONDS)
            self._left.clear()
