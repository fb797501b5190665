"""A transcriber's presence in the fleet: says about once a second what it is and what it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable
from scripta_common.fleet import ANNOUNCE_SECONDS, Member
from scripta_common.sessionlog import Roster

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 1.0


class Presence:
    """Keeps a transcriber on the roster.

    It is there while its model is being loaded, too, so that its pool is known and sessions can
    wait for it.

    Args:
        roster: Who is in the fleet.
        transcriber_id: This transcriber.
        describe: Returns what is to be said of it now.
    """

    def __init__(self, roster: Roster, transcriber_id: str, describe: Callable[[], Member]) -> None:
        self._roster = roster
        self._id = transcriber_id
        self._describe = describe
        self._slots = 0

    @property
    def offering(self) -> bool:
        """Whether gateways can know that there are slots."""
        return self._slots > 0

    async def run(self) -> None:
        """Announces the transcriber until cancelled: every round, and whatever changes at once."""
        while True:
            said = self._describe()
            try:
                await self._roster.enlist(self._id, said)
                self._slots = said.slots
            except (BrokerUnavailable, RedisError) as error:
                logger.warning("not enlisted", extra={"error": describe(error)})
            for _ in range(round(ANNOUNCE_SECONDS / _LOOK_SECONDS)):
                await asyncio.sleep(_LOOK_SECONDS)
                # Sessions end all the time: how many is told with the next round.
                if not self._describe().offers_as(said):
                    break

    async def leave(self) -> None:
        """Takes the transcriber off the roster."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._roster.strike(self._id)
        except (BrokerUnavailable, RedisError, TimeoutError) as error:
            logger.warning("not struck from the roster", extra={"error": describe(error)})
