"""The reader: what tenants have used, by hours or by days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.usage.rows import UsageRow, rows_of

_AT_ONCE: Final = 64
"""Hashes in one pipeline: what others ask of the broker meanwhile waits for no more than these."""


class UsageReader:
    """Reads usage.

    Args:
        broker: Connection to the broker.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._one = asyncio.Lock()

    async def tenants(self, since: float) -> list[str]:
        """Returns the tenants that have used something since a Unix time in seconds, in order.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        found = await self._broker.execute("ZRANGE", keys.TENANTS, int(since), "+inf", "BYSCORE")
        return sorted(tenant.decode() for tenant in found)

    async def rows(self, tenant: str, starts: Sequence[str]) -> list[UsageRow]:
        """Returns what a tenant has used in some hours or some days, in order; see ``pages``."""
        return [row async for page in self.pages(tenant, starts) for row in page]

    async def pages(self, tenant: str, starts: Sequence[str]) -> AsyncIterator[list[UsageRow]]:
        """Yields what a tenant has used in some hours or some days, in order.

        One page at a time is read, so that many questions at once do not hold the broker up.

        Args:
            tenant: The tenant.
            starts: Hours as ``hour_of`` names them, or days as ``day_of`` does.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        for first in range(0, len(starts), _AT_ONCE):
            page = starts[first : first + _AT_ONCE]
            # Cancelled here, nothing is left behind: these are reads.
            async with self._one:
                hashes = await asyncio.gather(*(self._hash(tenant, start) for start in page))
            yield [
                row
                for start, fields in zip(page, hashes, strict=True)
                for row in rows_of(start, fields)
            ]

    async def _hash(self, tenant: str, start: str) -> Mapping[bytes, bytes]:
        fields: Mapping[bytes, bytes] = await self._broker.execute(
            "HGETALL", keys.usage(tenant, start)
        )
        return fields
