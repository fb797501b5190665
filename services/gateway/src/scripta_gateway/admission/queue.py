"""The uploads of one pool that wait at one gateway, each with its tenant. Pure.

Times are seconds on any clock that does not jump.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Ticket:
    """An upload that waits.

    Attributes:
        tenant: Its tenant.
        since: When it began to wait.
        share: Part of the slots that its tenant may have while others wait.
        called: Set while it is its turn.
        tried: Set when it has tried to get a slot.
    """

    tenant: str
    since: float
    share: float
    called: asyncio.Event = field(default_factory=asyncio.Event)
    tried: asyncio.Event = field(default_factory=asyncio.Event)


class Queue:
    """Holds tickets, the oldest first."""

    def __init__(self) -> None:
        self._tickets: dict[Ticket, None] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        """Adds a ticket; it is the youngest."""
        self._tickets[ticket] = None

    def remove(self, ticket: Ticket) -> None:
        """Removes a ticket."""
        del self._tickets[ticket]

    def first_of(self, tenant: str) -> Ticket | None:
        """Returns the oldest ticket of a tenant; ``None`` if it has none."""
        return next((ticket for ticket in self._tickets if ticket.tenant == tenant), None)

    def count(self) -> Counter[str]:
        """Returns how many tickets each tenant has."""
        return Counter(ticket.tenant for ticket in self._tickets)
