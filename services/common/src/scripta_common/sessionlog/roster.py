"""The roster: transcribers write themselves down, gateways read who is there and what is asked.

One hash holds it. Gateways write into it, too, who waits at them outside of the lines. What it
says is at most as old as a round of the writer, and nothing depends on it for a session that is
in line.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.fleet import REMEMBER_MS, Fleet, Line, Member, Roll, Wish
from scripta_common.sessionlog import scripts

logger = logging.getLogger(__name__)

_POOL_FIELD: Final = "pool:"
_GATEWAY_FIELD: Final = "gateway:"
_CLEAR_AWAY_MS: Final = 60_000

_members = msgspec.json.Decoder(Member)
_wishes = msgspec.json.Decoder(Wish)

T = TypeVar("T")


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
            "finished": member.finished,
            "meters": member.meters,
            "uploads": member.uploads,
        }
        await self._write(transcriber_id, _POOL_FIELD + member.pool, said)

    async def wish(self, gateway_id: str, wish: Wish) -> None:
        """Writes down who waits at a gateway outside of the lines, with the broker's time.

        It counts for ``ALIVE_MS`` and has to be renewed.
        """
        said = {
            "uploads": wish.uploads,
            "turned_away": wish.turned_away,
            "gateway": gateway_id,
            "tenants": wish.tenants,
        }
        await self._write(_GATEWAY_FIELD + gateway_id, "", said)

    async def _write(self, field: str, remembered: str, said: Mapping[str, object]) -> None:
        asked = time.monotonic()
        now = await self._broker.run(
            scripts.ENLIST,
            [keys.FLEET],
            field,
            remembered,
            msgspec.json.encode(said),
            _POOL_FIELD,
            _CLEAR_AWAY_MS,
            REMEMBER_MS,
        )
        self.clock.heard(asked, time.monotonic(), now / 1000)

    async def strike(self, transcriber_id: str) -> None:
        """Removes a transcriber that goes away; its pool is still known."""
        await self._broker.execute("HDEL", keys.FLEET, transcriber_id)

    async def unwish(self, gateway_id: str) -> None:
        """Removes what a gateway has written: nobody waits there any more."""
        await self._broker.execute("HDEL", keys.FLEET, _GATEWAY_FIELD + gateway_id)

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
        said = {name.decode(): record for name, record in zip(rows[::2], rows[1::2], strict=True)}
        wishes = _decoded(_wishes, _GATEWAY_FIELD, _cut(said, _GATEWAY_FIELD))
        last = _decoded(_members, _POOL_FIELD, _cut(said, _POOL_FIELD))
        members = _decoded(_members, "", said)
        before = former.roll.last if former else {}
        roll = Roll.call(now, members, last, before, wishes.values())
        pools = sorted(roll.pools)
        lines = await asyncio.gather(*map(self._line, pools))
        return Fleet.muster(roll, dict(zip(pools, lines, strict=True)))

    async def _line(self, pool: str) -> Line:
        sessions, *held = await self._broker.run(scripts.DEMAND, [keys.assign(pool)], keys.GROUP)
        names = [name.decode() for name in held[::2]]
        return Line(sessions, dict(zip(names, held[1::2], strict=True)))


def _cut(said: dict[str, bytes], prefix: str) -> dict[str, bytes]:
    """Takes the fields that begin with a prefix out of what is written down."""
    return {
        name.removeprefix(prefix): said.pop(name) for name in tuple(said) if name.startswith(prefix)
    }


def _decoded(
    decoder: msgspec.json.Decoder[T], kind: str, records: Mapping[str, bytes]
) -> dict[str, T]:
    decoded = {}
    for name, record in records.items():
        try:
            decoded[name] = decoder.decode(record)
        except msgspec.MsgspecError:
            logger.debug("roster not understood", extra={"field": kind + name})
    return decoded
