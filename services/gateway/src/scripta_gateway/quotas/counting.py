"""Counting on the broker: the seats of a tenant and of its keys, by one script for each change.

All keys of a tenant are on one server, so that a script sees all that its limits speak of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from scripta_common import keys
from scripta_common.broker import Broker, Script
from scripta_common.broker_clock import BrokerClock
from scripta_common.errors import BrokerUnavailable
from scripta_common.usage import day_of, total_field
from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.access.caller import Caller, Quota
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.quotas.over import Refused
from scripta_gateway.quotas.seats import Seat, interval_ms

ENTER: Final = Script.load(__package__, "enter")
LEAVE: Final = Script.load(__package__, "leave")
STAY: Final = Script.load(__package__, "stay")

_LIMITS: Final = (Limit.SESSIONS, Limit.SESSIONS_A_MINUTE, Limit.AUDIO_SECONDS_A_DAY)
_ANSWER_SECONDS: Final = 1.0
"""How long a client waits for a broker that does not answer until it is refused."""
_CALLERS: Final = 1024
_DAY_SECONDS: Final = 86_400


class Counting:
    """Counts seats.

    Args:
        broker: Connection to the broker.
        clock: The broker's clock, by which days begin.
        lapse: Seconds until a seat lapses that nobody renews.
    """

    def __init__(self, broker: Broker, clock: BrokerClock, lapse: float) -> None:
        self._broker = broker
        self._clock = clock
        self._lapse_ms = int(lapse * 1000)

    async def enter(self, caller: Caller, names: Sequence[str]) -> frozenset[str] | Refused:
        """Returns which of some sessions have a new seat, or the limit that does not allow it.

        Afterwards the broker is known to answer, also where the line of sessions is. Cancelled, the
        sessions may have their seats.

        Raises:
            BrokerUnavailable: It does not answer in time; the sessions may have their seats.
        """
        counts = _day_counts(caller.tenant, caller.key, int(self.now // _DAY_SECONDS))
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                what, whose, wait_ms, *new = await self._broker.run(
                    ENTER,
                    counts,
                    self._lapse_ms,
                    _told(caller.shared, caller.own),
                    total_field(),
                    total_field(caller.key),
                    *names,
                )
                if not self._broker.on_one_server(counts[0], keys.ASSIGN):
                    await self._broker.ping()
        except TimeoutError:
            raise BrokerUnavailable from None
        if what:
            return Refused(_LIMITS[what - 1], shared=whose == 1, wait_ms=wait_ms)
        return frozenset(name.decode() for name in new)

    async def leave(self, caller: Caller, names: Sequence[str], unused: int) -> None:
        """Gives seats of a caller back; raises ``BrokerUnavailable``.

        Args:
            caller: For whom they count.
            names: Ids of the sessions.
            unused: How many of them have not begun.
        """
        await self._broker.run(
            LEAVE,
            _counts(caller.tenant, caller.key),
            *(_text(unused * interval_ms(quota)) for quota in (caller.shared, caller.own)),
            *names,
        )

    async def stay(self, seats: Sequence[Seat]) -> dict[str | None, int]:
        """Renews seats of one tenant, whatever its limits; raises ``BrokerUnavailable``.

        Returns:
            The samples that count for its day: of each key, and of the tenant at ``None``.
        """
        tenant = seats[0].caller.tenant
        names = sorted({seat.caller.key for seat in seats})
        places = {name: place for place, name in enumerate(names, 1)}
        used = await self._broker.run(
            STAY,
            [
                keys.seats(tenant),
                keys.usage(tenant, day_of(self.now)),
                *(keys.seats(tenant, name) for name in names),
            ],
            self._lapse_ms,
            total_field(),
            *(total_field(name) for name in names),
            *(part for seat in seats for part in (places[seat.caller.key], seat.name)),
        )
        return dict(zip((None, *names), used, strict=True))

    @property
    def now(self) -> float:
        """Unix time in seconds by the broker's clock, as far as it is known."""
        now = self._clock.at(time.monotonic())
        return time.time() if now is None else now


def samples_of(quota: Quota) -> float | None:
    """Returns the samples that a quota allows a day; ``None``: as many as there are."""
    seconds = quota.audio_seconds_a_day
    return None if seconds is None else seconds * SAMPLE_RATE


def _counts(tenant: str, key: str) -> tuple[str, str, str, str]:
    return keys.seats(tenant), keys.seats(tenant, key), keys.rate(tenant), keys.rate(tenant, key)


@lru_cache(_CALLERS)
def _day_counts(tenant: str, key: str, day: int) -> tuple[str, ...]:
    """Returns the keys that a caller is counted by on a day, put together once for many calls."""
    return *_counts(tenant, key), keys.usage(tenant, day_of(day * _DAY_SECONDS))


@lru_cache(_CALLERS)
def _told(shared: Quota, own: Quota) -> str:
    """Returns the limits in one argument: each has its price in every call."""
    sessions = shared.sessions, own.sessions
    rates = shared.sessions_a_minute, own.sessions_a_minute
    samples = samples_of(shared), samples_of(own)
    limits = (*sessions, *rates, *samples)
    return " ".join("-" if limit is None else _text(limit) for limit in limits)


def _text(number: float) -> str:
    return f"{number:.15g}"
