"""The watch on the fleet: what this gateway knows of transcribers and of what is asked of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

from scripta_common.broker import Memory
from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable
from scripta_common.fleet import Fleet
from scripta_common.sessionlog import Roster
from scripta_gateway.admission.prospects import Releases

logger = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 1.0
_FRESH_SECONDS: Final = 0.1
"""A look that is younger is as good as another one."""
_REGROUP_SECONDS: Final = 2.0
"""What transcribers get after an outage of the broker, in which none could say a word."""


class FleetWatch:
    """Looks at the fleet about once a second.

    Args:
        roster: Who is in the fleet.
        read_memory: Asks how full the broker is.

    Attributes:
        clock: The broker's clock.
        memory: How full the broker was then; ``None`` if it did not say.
        seen_at: When the fleet was last seen, or the start, by the monotonic clock.
    """

    def __init__(self, roster: Roster, read_memory: Callable[[], Awaitable[Memory | None]]) -> None:
        self._roster = roster
        self._read_memory = read_memory
        self.clock = roster.clock
        self.memory: Memory | None = None
        self._fleet: Fleet | None = None
        self.seen_at = time.monotonic()
        self._first = asyncio.Event()
        self._looking = asyncio.Lock()
        self._releases: defaultdict[str, Releases] = defaultdict(Releases)
        # Whether transcribers are given time to show up again after an outage.
        self._regrouping = False

    @property
    def seen(self) -> bool:
        """Whether the fleet has ever been seen."""
        return self._fleet is not None

    @property
    def known(self) -> Fleet:
        """The fleet as it was last seen; there is one once ``wait_known`` has returned."""
        if self._fleet is None:
            raise RuntimeError("the fleet was not seen yet")
        return self._fleet

    @property
    def age(self) -> float:
        """Seconds since the fleet was last seen, or since the start."""
        return time.monotonic() - self.seen_at

    def coming_free(self, pool: str, seconds: float) -> int:
        """Returns how many slots of a pool are expected to come free in so many seconds."""
        return self._releases[pool].expected(time.monotonic(), seconds)

    async def wait_known(self) -> None:
        """Waits until the fleet has been seen."""
        await self._first.wait()

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.look_once()
            except BrokerUnavailable as error:
                logger.warning("fleet not seen", extra={"error": describe(error)})
                self._regrouping = True
                await asyncio.sleep(_REGROUP_SECONDS)
                self._regrouping = False
            else:
                await asyncio.sleep(_ROUND_SECONDS)

    async def look_once(self) -> None:
        """Looks at the fleet.

        Raises:
            BrokerUnavailable: It could not be seen; what was known is still known.
        """
        async with self._looking:
            await self._look()
        # Not under the lock: a shard that hangs must not hold up those who are to be admitted.
        await self._look_at_memory()

    async def look_anew(self, since: float | None = None) -> None:
        """Looks at the fleet unless what is known is as good as new: before somebody is refused.

        Args:
            since: What was seen before this time, by the monotonic clock, is not new; by default
                what is young is.

        Raises:
            BrokerUnavailable: As ``look_once``.
        """
        async with self._looking:
            new = self.age <= _FRESH_SECONDS if since is None else self.seen_at >= since
            if new or self._regrouping:
                return
            # Whoever comes meanwhile shares the look: however many come, looks are few.
            await asyncio.sleep(_FRESH_SECONDS - self.age)
            await self._look()

    async def _look(self) -> None:
        began = time.monotonic()
        self._fleet = await self._roster.observe(self._fleet)
        self.seen_at = began
        self._first.set()
        for name, pool in self._fleet.pools.items():
            self._releases[name].saw(began, pool.finished)

    async def _look_at_memory(self) -> None:
        try:
            self.memory = await self._read_memory()
        except BrokerUnavailable as error:  # the fleet was seen all the same
            self.memory = None
            logger.debug("memory not seen", extra={"error": describe(error)})
