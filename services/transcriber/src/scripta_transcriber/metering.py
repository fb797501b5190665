"""Metering: counts what a transcriber's sessions use, and again what a broker may have forgotten.

Counts are absolute. So a living session is counted every second or so; if that fails, or its
transcriber dies, the next count makes up for it. Only behind the last one comes no other: a session
is counted to its end before its end is committed.
What has ended is counted once more a while later, since a failover may have forgotten it. If the
broker turns out to have forgotten something, all that has ended lately is counted again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError

from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable
from scripta_common.usage import Meter, Used

logger = logging.getLogger(__name__)

ROUND_SECONDS: Final = 1.0

SETTLE_SECONDS: Final = 3.0
"""How long an end waits to be counted while its session's server answers. In a Cluster the tenant's
usage may be on another server, and that one may hang."""

AGAIN_SECONDS: Final = 10.0
"""When an end is counted once more: a failover forgets the last moments, and takes less."""

KEEP_SECONDS: Final = 600.0
"""How long an end can be counted again: a broker that comes back empty is back by then."""

MOST_KEPT: Final = 10_000
"""Ended sessions that can be counted again: a few megabytes."""

_RETRY_SECONDS: Final = 0.1
_AT_ONCE: Final = 64
_NOTED_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Ended:
    used: Used
    at: float
    again_at: float
    counted: int


class Metering:
    """What all sessions of a transcriber have used.

    Args:
        meter: Counts it.
        clock: Returns seconds that only grow.
    """

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        # Living sessions that have come further since they were counted.
        self._due: dict[str, Used] = {}
        # Of living sessions: samples that the broker has counted, as far as is known here.
        self._living: dict[str, int] = {}
        # In the order in which they ended.
        self._ended: dict[str, _Ended] = {}
        self._probe_at = 0.0
        # Tenants that something was counted for, and those of them that were noted down lately.
        self._tenants: set[str] = set()
        self._noted: set[str] = set()
        self._noted_at = -math.inf
        # Whether the broker did not answer the last time: that is logged once.
        self._away = False

    def progress(self, used: Used) -> None:
        """Records how far a living session is; the next round counts it."""
        self._due[used.sid] = used
        self._living.setdefault(used.sid, -1)

    async def settle(self, used: Used, answers: Callable[[], Awaitable[object]]) -> None:
        """Counts a session to its end, before the end is committed.

        Cancelled, it may be counted or not: whoever has the session next does it again.

        Args:
            used: What it has used.
            answers: Raises ``BrokerUnavailable`` while the session's server does not answer. If it
                does, and counting has failed for long, the end waits no more; rounds go on.
        """
        self._due.pop(used.sid, None)
        give_up_at = self._clock() + SETTLE_SECONDS
        while not (counted := await self._count(used)):
            await asyncio.sleep(_RETRY_SECONDS)
            if self._clock() >= give_up_at and await _succeeds(answers):
                break
        if counted:
            self._end(used, self._clock() + AGAIN_SECONDS, used.samples)
        else:
            self._end(used)

    def lose(self, used: Used) -> None:
        """Takes what a session had used that the broker does not know any more."""
        self._end(used)

    def leave(self, sid: str) -> None:
        """Takes a session's end at this transcriber, whoever has it next."""
        if sid in self._due:
            self._end(self._due[sid])
        self._living.pop(sid, None)

    async def run(self) -> None:
        """Counts until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            await self.run_once()

    async def run_once(self) -> None:
        """Counts what living sessions have used, and what has ended and is due again.

        What fails is tried again in the next round. Cancelled, some of it is not counted; living
        sessions are counted when they come further.
        """
        due, self._due = list(self._due.values()), {}
        due += self._again()
        for first in range(0, len(due), _AT_ONCE):
            page = due[first : first + _AT_ONCE]
            for used, counted in zip(
                page, await asyncio.gather(*map(self._count, page)), strict=True
            ):
                if not counted and used.sid in self._living:
                    self._due.setdefault(used.sid, used)
        await self._note()

    async def close(self) -> None:
        """Counts, for a moment, what nobody would count any more."""
        for ended in self._ended.values():
            if ended.again_at < math.inf:
                ended.again_at = 0.0
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.run_once()
        except TimeoutError:
            logger.warning("usage not counted to the end")

    def _end(self, used: Used, again_at: float = 0.0, counted: int = -1) -> None:
        self._due.pop(used.sid, None)
        self._probe_at = self._clock() + AGAIN_SECONDS
        known = self._living.pop(used.sid, -1)
        self._ended.pop(used.sid, None)
        self._ended[used.sid] = _Ended(used, self._clock(), again_at, max(known, counted))
        while len(self._ended) > MOST_KEPT:
            del self._ended[next(iter(self._ended))]

    def _again(self) -> list[Used]:
        """Returns what has ended and is due; now and then the last end, to see if it is known."""
        now = self._clock()
        self._ended = {
            sid: ended
            for sid, ended in self._ended.items()
            if now - ended.at < KEEP_SECONDS or ended.again_at < math.inf
        }
        due = [ended.used for ended in self._ended.values() if ended.again_at <= now]
        if not due and self._ended and now >= self._probe_at:
            due = [next(reversed(self._ended.values())).used]
        if due:
            self._probe_at = now + AGAIN_SECONDS
        return due

    async def _count(self, used: Used) -> bool:
        try:
            before = await self._meter.count(used)
        except (BrokerUnavailable, RedisError) as error:
            if not self._away:
                logger.warning("usage not counted", extra={"error": describe(error)})
            self._away = True
            return False
        self._away = False
        self._tenants.add(used.tenant)
        ended = self._ended.get(used.sid)
        known = ended.counted if ended is not None else self._living.get(used.sid, -1)
        if before < known:
            self._count_again()
        if ended is not None:
            ended.counted = max(before, used.samples)
            if ended.again_at <= self._clock():
                ended.again_at = math.inf
        elif used.sid in self._living:
            self._living[used.sid] = max(before, used.samples)
        return True

    def _count_again(self) -> None:
        if any(ended.again_at for ended in self._ended.values()):
            logger.warning("the broker has forgotten usage; the latest is counted again")
        self._noted.clear()
        for ended in self._ended.values():
            ended.again_at = 0.0

    async def _note(self) -> None:
        now = self._clock()
        if now - self._noted_at >= _NOTED_SECONDS:
            self._noted, self._noted_at = set(), now
        self._tenants -= self._noted
        if not self._tenants:
            return
        new = frozenset(self._tenants)
        try:
            await self._meter.note(new)
            self._noted |= new
        except (BrokerUnavailable, RedisError) as error:
            # Tried again in the next round; an outage is logged where counting fails.
            logger.debug("tenants not noted", extra={"error": describe(error)})


async def _succeeds(attempt: Callable[[], Awaitable[object]]) -> bool:
    try:
        await attempt()
    except BrokerUnavailable:
        return False
    return True
