"""The roster: transcribers write themselves down, gateways read who is there and what is asked.

One hash holds it. What it says is at most as old as a transcriber's round, and nothing depends
on it for a session that has been opened.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.fleet import REMEMBER_MS, Fleet, Line, Member, Roll
from scripta_common.sessionlog import scripts

logger = logging.getLogger(__name__)

_POOL_FIELD: Final = "pool:"
_CLEAR_AWAY_MS: Final = 60_000

_decoder = msgspec.json.Decoder(Member)


class Roster:
    """Who is in the fleet.

    Args:
        broker: Connection to the broker.

    Attributes:
        clock: The broker's clock, from its answers.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.clock = BrokerClock()

    async def enlist(self, transcriber_id: str, member: Member) -> None:
        """Writes down, or renews, what a transcriber says of itself, with the broker's time."""
        said = {
            "pool": member.pool,
            "models": member.models,
            "languages": member.languages,
            "slots": member.slots,
            "served": member.served,
        }
        asked = time.monotonic()
        now = await self._broker.run(
            scripts.ENLIST,
            [keys.FLEET],
            transcriber_id,
            _POOL_FIELD + member.pool,
            msgspec.json.encode(said),
            _POOL_FIELD,
            _CLEAR_AWAY_MS,
            REMEMBER_MS,
        )
        self.clock.heard(asked, time.monotonic(), now / 1000)

    async def strike(self, transcriber_id: str) -> None:
        """Removes a transcriber that goes away; its pool is still known."""
        await self._broker.execute("HDEL", keys.FLEET, transcriber_id)

    async def observe(self, former: Fleet | None = None) -> Fleet:
        """Returns the fleet as it is.

        Args:
            former: The fleet as it was: its pools are still known if the broker has lost them.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        asked = time.monotonic()
        now, *rows = await self._broker.run(scripts.ROSTER, [keys.FLEET])
        self.clock.heard(asked, time.monotonic(), now / 1000)
        said = _decoded(dict(zip(rows[::2], rows[1::2], strict=True)))
        last = {
            name.removeprefix(_POOL_FIELD): one
            for name, one in said.items()
            if name.startswith(_POOL_FIELD)
        }
        members = {name: one for name, one in said.items() if not name.startswith(_POOL_FIELD)}
        roll = Roll.call(now, members, last, former.roll.last if former else {})
        pools = sorted(roll.pools)
        lines = await asyncio.gather(*map(self._line, pools))
        return Fleet.muster(roll, dict(zip(pools, lines, strict=True)))

    async def _line(self, pool: str) -> Line:
        sessions, *held = await self._broker.run(scripts.DEMAND, [keys.assign(pool)], keys.GROUP)
        names = [name.decode() for name in held[::2]]
        return Line(sessions, dict(zip(names, held[1::2], strict=True)))


def _decoded(rows: Mapping[bytes, bytes]) -> dict[str, Member]:
    said = {}
    for name, record in rows.items():
        try:
            said[name.decode()] = _decoder.decode(record)
        except msgspec.MsgspecError:
            logger.debug("roster not understood", extra={"transcriber": name.decode()})
    return said
