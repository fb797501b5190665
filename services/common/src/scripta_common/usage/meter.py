"""The meter: writes what sessions have used.

Numbers are absolute: how far a session is, and not how far it has come since. So a count may be
repeated, be late or be left out; the next one makes up for it, whoever makes it.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from scripta_common import keys
from scripta_common.broker import Broker, Script
from scripta_common.broker_clock import BrokerClock
from scripta_common.usage.rows import OTHERS, day_of, hour_of, row_name, total_field

DAY_SECONDS: Final = 24 * 3600

KEEP_ENDED_SECONDS: Final = 6 * 3600
"""How long the broker knows what was counted of a session that is over: far longer than anybody
counts it again. Without it all of the session would be counted once more."""

MOST_FIELDS: Final = 3000
"""Fields of an hour or a day: 1,000 keys or models, a quarter of a megabyte. Beyond, what is new is
counted with all others. Only good keys make rows, but tokens may have each a key of its own."""

METER: Final = Script.load(__package__, "meter")


@dataclass(frozen=True, slots=True)
class Used:
    """What a session has used since it began.

    Attributes:
        sid: The session.
        tenant: For whom it is; empty where callers need no key.
        key: Id of the key that it was opened with.
        model: Own name of its model.
        samples: Samples of its audio.
        finals: Its finals.
        over: Whether it comes to no more.
    """

    sid: str
    tenant: str
    key: str
    model: str
    samples: int
    finals: int
    over: bool = False


class Meter:
    """Counts for tenants.

    Args:
        broker: Connection to the broker.
        clock: The broker's clock, by which hours and days begin.
        days: How long usage is kept.
    """

    def __init__(self, broker: Broker, clock: BrokerClock, *, days: int) -> None:
        self._broker = broker
        self._clock = clock
        self._kept_ms = (days + 1) * DAY_SECONDS * 1000

    async def count(self, used: Used) -> int:
        """Counts what a session has used and was not counted before; safe to repeat.

        Returns:
            The samples that were counted before; -1 if the broker did not know the session.

        Raises:
            BrokerUnavailable: The broker does not answer; it may be counted or not.
        """
        moment, tenant = self._moment, used.tenant
        before: int = await self._broker.run(
            METER,
            [
                keys.counted(tenant, used.sid),
                keys.usage(tenant, hour_of(moment)),
                keys.usage(tenant, day_of(moment)),
            ],
            used.samples,
            used.finals,
            row_name(used.key, used.model),
            row_name(OTHERS, ""),
            total_field(used.key),
            total_field(),
            self._kept_ms,
            KEEP_ENDED_SECONDS * 1000 if used.over else self._kept_ms,
            MOST_FIELDS,
        )
        return before

    async def note(self, tenants: Collection[str]) -> None:
        """Notes tenants down where an operator's question finds them.

        Raises:
            BrokerUnavailable: The broker does not answer, or has no memory left.
        """
        moment = int(self._moment)
        places = [part for tenant in sorted(tenants) for part in (moment, tenant)]
        await self._broker.execute("ZADD", keys.TENANTS, *places)
        oldest = moment - self._kept_ms // 1000
        await self._broker.execute("ZREMRANGEBYSCORE", keys.TENANTS, "-inf", oldest)
        await self._broker.execute("PEXPIRE", keys.TENANTS, self._kept_ms)

    @property
    def _moment(self) -> float:
        now = self._clock.at(time.monotonic())
        return time.time() if now is None else now
