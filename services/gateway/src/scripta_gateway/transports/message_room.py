"""Room for large messages that are not complete, shared by all connections of the process.

Whoever begins a large message asks for room first and reads on once there is some. While others
wait, one that has held room for too long loses it, and its connection: a message that is left
unfinished costs those who finish theirs at most some seconds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from scripta_gateway.bounds import Bound
from scripta_gateway.telemetry import metrics


class Tenant(Protocol):
    """Somebody who holds room or waits for it."""

    def on_room(self) -> None:
        """Is called when there is room after all."""

    def on_evicted(self) -> None:
        """Is called when the room is needed by others; it is not held any more."""


@dataclass(slots=True)
class _Hold:
    size: int
    since: float


class MessageRoom:
    """The room.

    Args:
        capacity: Bytes that may be held at the same time.
        patience: Seconds that one may hold room while others wait.
        until_heard: Whether a complete message keeps its room until it is dealt with.
    """

    def __init__(self, capacity: int, patience: float, *, until_heard: bool = False) -> None:
        self._free = capacity
        self._patience = patience
        self._until_heard = until_heard
        self._complete: dict[Tenant, int] = {}
        self._holds: dict[Tenant, _Hold] = {}  # in the order of their beginning
        self._waiting: dict[Tenant, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, tenant: Tenant, size: int) -> bool:
        """Returns whether there is room; if not, the tenant waits for it and is called."""
        if tenant in self._holds:
            return True
        if not self._waiting and size <= self._free:
            self._hold(tenant, size)
            return True
        if tenant not in self._waiting:
            metrics.BOUNDS_HIT[Bound.UNFINISHED_BYTES].inc()
            self._waiting[tenant] = size
        self._watch()
        return False

    def release(self, tenant: Tenant) -> None:
        """Gives back what a tenant holds, or takes it out of the line."""
        self._waiting.pop(tenant, None)
        hold = self._holds.pop(tenant, None)
        if hold is not None:
            self._free += hold.size
            self._admit()

    def complete(self, tenant: Tenant) -> None:
        """Notes that a tenant's message is complete; nobody can take its room any more."""
        if self._until_heard and (hold := self._holds.pop(tenant, None)) is not None:
            self._complete[tenant] = hold.size
        self.release(tenant)

    def heard(self, tenant: Tenant) -> None:
        """Gives back the room of a complete message, which is dealt with."""
        if size := self._complete.pop(tenant, 0):
            self._free += size
            self._admit()

    def _hold(self, tenant: Tenant, size: int) -> None:
        self._free -= size
        self._holds[tenant] = _Hold(size, asyncio.get_running_loop().time())

    def _admit(self) -> None:
        while self._waiting:
            tenant, size = next(iter(self._waiting.items()))
            if size > self._free:
                self._watch()
                return
            del self._waiting[tenant]
            self._hold(tenant, size)
            tenant.on_room()

    def _watch(self) -> None:
        if self._timer is None and self._holds:
            oldest = next(iter(self._holds.values()))
            due = oldest.since + self._patience
            self._timer = asyncio.get_running_loop().call_at(due, self._evict)

    def _evict(self) -> None:
        self._timer = None
        if not (self._waiting and self._holds):
            return
        tenant, oldest = next(iter(self._holds.items()))
        if asyncio.get_running_loop().time() >= oldest.since + self._patience:
            self.release(tenant)
            tenant.on_evicted()
        if self._waiting:
            self._watch()
