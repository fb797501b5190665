"""The tenants of one pool: how they stand, by what all gateways say and by what is known here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from scripta_common.errors import NoCapacity
from scripta_common.fleet import Pool, Standing
from scripta_gateway.access.caller import Caller
from scripta_gateway.admission.fairness import (
    added_up,
    comes_too_soon,
    is_over_share,
    may_wait,
    next_upload,
)
from scripta_gateway.admission.prospects import TurnedAway
from scripta_gateway.admission.queue import Queue, Ticket
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.quotas.over import Refused, counted

_TOLD: Final = 200
"""Tenants of one gateway and pool that others are told of: first those that wait."""
_REMEMBERED: Final = 1000
"""Tenants of which it is remembered when they got a slot."""


class Tenants:
    """Knows who waits, and whose turn it is.

    Args:
        gateway_id: This gateway.
        served: Returns how many sessions each tenant has in the pool's line from this gateway.
        clock: Translates this process's monotonic clock to the broker's; ``None``: not known yet.

    Attributes:
        queue: Uploads that wait here.
        turned_away: Live clients that were refused here.
    """

    def __init__(
        self,
        gateway_id: str,
        served: Callable[[], Mapping[str, int]],
        clock: Callable[[float], float | None],
    ) -> None:
        self._gateway_id = gateway_id
        self._served = served
        self._clock = clock
        self.queue = Queue()
        self.turned_away = TurnedAway()
        # When a session of each last went in line, in ms of the broker; the last at the end.
        self._last: dict[str, int] = {}

    def joined(self, tenant: str, now: float) -> None:
        """Records that a session of a tenant has gone in line."""
        self._last.pop(tenant, None)
        self._last[tenant] = self._broker_ms(now)
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]

    def wait(self, caller: Caller, now: float) -> Ticket:
        """Returns the ticket of an upload that begins to wait."""
        ticket = Ticket(caller.tenant, now, caller.share)
        self.queue.add(ticket)
        return ticket

    def standings(self) -> dict[str, Standing]:
        """Returns how the tenants stand at this gateway, for the others."""
        own = self._own()
        names = sorted(
            own, key=lambda name: (not own[name].waiting, -own[name].served, -own[name].last)
        )
        return {name: own[name] for name in names[:_TOLD]}

    def next_upload(self, pool: Pool, free: int) -> Ticket | None:
        """Returns the upload that gets the next slot; ``None`` if it does not wait here."""
        tenant = next_upload(self._all(pool), pool.slots, free)
        return None if tenant is None else self.queue.first_of(tenant)

    def may_wait(self, pool: Pool, caller: Caller, most: int) -> bool:
        """As ``fairness.may_wait``."""
        return may_wait(self._all(pool), caller.tenant, most)

    def check_turn(self, pool: Pool, caller: Caller, free: int) -> None:
        """Raises an error if a live session has to leave the free places to other tenants.

        Raises:
            OverLimit: Its tenant has its share, and others wait.
            NoCapacity: Others have fewer sessions, and wait.
        """
        if not (self.queue or pool.uploads or pool.turned_away or self._refused_lately):
            return
        tenants = self._all(pool)
        own = tenants.get(caller.tenant, Standing())
        tenants[caller.tenant] = Standing(
            own.served,
            own.uploads,
            own.since,
            own.turned_away,
            min(own.share, caller.share),
            own.last,
        )
        if is_over_share(tenants, caller.tenant, pool.slots):
            shared = caller.own.share is None or caller.share < caller.own.share
            raise counted(Refused(Limit.SHARE, shared=shared), caller)
        if comes_too_soon(tenants, caller.tenant, free):
            raise NoCapacity(
                f'The free slots of pool "{pool.name}" are for others who wait and have fewer '
                "sessions; try again in some seconds."
            )

    @property
    def _refused_lately(self) -> bool:
        return bool(self.turned_away.expected(time.monotonic()))

    def _all(self, pool: Pool) -> dict[str, Standing]:
        others = (one for name, one in pool.standings.items() if name != self._gateway_id)
        return added_up((self._own(), *others))

    def _own(self) -> dict[str, Standing]:
        now = time.monotonic()
        served, waiting = self._served(), self.queue.count()
        expected = self.turned_away.expected(now)
        return {
            name: self._standing(name, served.get(name, 0), waiting[name], expected[name], now)
            for name in {*served, *waiting, *expected, *self._last}
        }

    def _standing(
        self, name: str, served: int, uploads: int, turned_away: int, now: float
    ) -> Standing:
        last, first = self._last.get(name, 0), self.queue.first_of(name) if uploads else None
        if first is None:
            return Standing(served, turned_away=turned_away, last=last)
        since = self._broker_ms(now) - int((now - first.since) * 1000)
        return Standing(served, uploads, since, turned_away, first.share, last)

    def _broker_ms(self, now: float) -> int:
        moment = self._clock(now)
        return int((time.time() if moment is None else moment) * 1000)
