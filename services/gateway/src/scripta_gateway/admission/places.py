"""Places: who may be heard, from the handshake until its session is in its pool's line.

At the handshake a place is reserved, by what is known of the fleet and of other places given out
here. A session goes in line with the first thing that it has to be heard; only then the broker
hears of it.

All gateways and autoscalers are told who wants to be heard and is in no line: uploads that wait,
and live clients that were refused and will come back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final

from scripta_common.errors import BrokerUnavailable, NoCapacity
from scripta_common.fleet import ANNOUNCE_SECONDS, Standing, Wish
from scripta_common.sessionlog import GatewayLog, Roster
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.admission.admission import Admission
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.pool_places import Place, PoolPlaces
from scripta_gateway.admission.routing import Route, route
from scripta_gateway.admission.tenants import Tenants
from scripta_gateway.bounds import RESERVED_SECONDS

logger = logging.getLogger(__name__)

_DECIDE_SECONDS: Final = RESERVED_SECONDS + 2.0
"""Longest that a newcomer waits for an answer, even if the broker does not give one."""


class Places:
    """All places of one gateway.

    Args:
        log: The session log.
        roster: Where the others are told who waits here.
        fleet: What is known of the transcribers.
        gateway_id: This gateway.
        admission: How long and how many may wait.
        upload_wait: Longest wait of an upload in seconds.
        served: Returns how many sessions each tenant has in a pool's line from this gateway.
    """

    def __init__(
        self,
        log: GatewayLog,
        roster: Roster,
        fleet: FleetWatch,
        gateway_id: str,
        *,
        admission: Admission,
        upload_wait: float,
        served: Callable[[str], Mapping[str, int]] = lambda _: {},
    ) -> None:
        self._served = served
        self._log = log
        self._roster = roster
        self._fleet = fleet
        self._gateway_id = gateway_id
        self._admission = admission
        self._upload_wait = upload_wait
        self._pools: dict[str, PoolPlaces] = {}
        self._tenants: dict[str, Tenants] = {}
        # What the others have been told last.
        self._told = Wish()

    async def route(
        self, model: str | None, language: str | None, caller: Caller = ANONYMOUS
    ) -> Route:
        """Returns where a new session goes; see ``routing.route``.

        Raises:
            Forbidden, UnknownModel, UnsupportedLanguage, NoCapacity: As ``routing.route``.
            BrokerUnavailable: The fleet can not be seen.
        """
        with suppress(NoCapacity):
            found = route(self._fleet.known, model, language, caller)
            if found.model is not None or self._has_slots(found.pool):
                return found
        # What this went by may be a second old: transcribers may have come. A session without a
        # model of its own would get another one when another transcriber takes it over.
        await self._fleet.look_anew(monotonic())
        return route(self._fleet.known, model, language, caller)

    def _has_slots(self, pool: str) -> bool:
        known = self._fleet.known.pools.get(pool)
        return known is not None and known.slots > 0

    def heeds_keyterms(self, pool: str, model: str | None) -> bool:
        """Returns whether a pool's model can be given keyterms, as far as is known."""
        known = self._fleet.known.serving(pool, model)
        return known is not None and known.keyterms is True

    async def reserve(
        self, pool: str, caller: Caller = ANONYMOUS, *, upload: bool = False
    ) -> Place:
        """Returns a place for a new session.

        Args:
            pool: Where it goes.
            caller: For whom it is.
            upload: Whether it can wait for a slot.

        Raises:
            NoCapacity: It would not be served in time, or others have fewer sessions and wait.
            OverLimit: Its tenant has its share, and others wait.
            BrokerUnavailable: The fleet can not be seen.
        """
        try:
            async with asyncio.timeout(_DECIDE_SECONDS):
                return await self._places_of(pool).reserve(caller, upload=upload)
        except TimeoutError:
            raise BrokerUnavailable from None

    def _places_of(self, pool: str) -> PoolPlaces:
        if pool not in self._pools:
            tenants = self._tenants[pool] = Tenants(
                self._gateway_id, partial(self._served, pool), self._fleet.clock.at
            )
            self._pools[pool] = PoolPlaces(
                pool,
                self._log,
                self._fleet,
                admission=self._admission,
                upload_wait=self._upload_wait,
                told=lambda: self._told.uploads.get(pool, 0),
                tenants=tenants,
                tell=self.tell_once,
            )
        return self._pools[pool]

    async def run(self) -> None:
        """Tells the others who waits here, until cancelled."""
        while True:
            try:
                await self.tell_once()
            except BrokerUnavailable as error:
                logger.debug("wishes not told", extra={"error": str(error)})
            await asyncio.sleep(ANNOUNCE_SECONDS)

    async def tell_once(self) -> None:
        """Tells the others who waits here; raises ``BrokerUnavailable``."""
        now, pools = monotonic(), self._pools.values()
        wish = Wish(
            uploads=_of_some({pool.name: pool.waiting for pool in pools}),
            turned_away=_of_some({pool.name: pool.turned_away.count(now) for pool in pools}),
            tenants=self._standings(),
        )
        if wish != Wish():
            await self._roster.wish(self._gateway_id, wish)
        elif self._told != wish:
            await self._roster.unwish(self._gateway_id)
        self._told = wish

    def _standings(self) -> dict[str, dict[str, Standing]]:
        """Returns how tenants stand in pools where somebody waits, here or elsewhere."""
        known = self._fleet.known.pools if self._fleet.seen else {}
        wanted = {name for name, pool in known.items() if pool.uploads or pool.turned_away}
        wanted |= {pool.name for pool in self._pools.values() if pool.waiting}
        return {
            name: tenants.standings()
            for name, tenants in self._tenants.items()
            if name in wanted or tenants.turned_away.count(monotonic())
        }


def _of_some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
