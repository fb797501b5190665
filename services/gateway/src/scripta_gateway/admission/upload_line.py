"""The uploads of one pool that wait at one gateway until a slot is free that no live session wants.

Among tenants that wait, the one with the fewest sessions is next, at whatever gateway; among the
uploads of a tenant, at each gateway the oldest.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from scripta_common.errors import BrokerUnavailable, NoCapacity
from scripta_gateway.access.caller import Caller
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.occupancy import Occupancy
from scripta_gateway.admission.queue import Ticket
from scripta_gateway.admission.tenants import Tenants

_TRY_SECONDS: Final = (0.5, 1.5)
"""Pause of the foremost upload between two looks for a free slot: apart from other gateways'."""

Open = Callable[[int], Awaitable[bool]]
"""Puts an upload in line if fewer sessions than the given number are there; returns whether it did.
"""


class UploadLine:
    """Calls uploads, one at a time.

    Args:
        fleet: What is known of the transcribers.
        occupancy: How full the pool is.
        tenants: Compares the tenants of the pool.
        longest: Longest wait in seconds.
        tell: Tells the other gateways who waits here.
    """

    def __init__(
        self,
        fleet: FleetWatch,
        occupancy: Occupancy,
        tenants: Tenants,
        longest: float,
        tell: Callable[[], Awaitable[None]],
    ) -> None:
        self._fleet = fleet
        self._occupancy = occupancy
        self._tenants = tenants
        self._longest = longest
        self._tell = tell
        # Calls the uploads that wait, one at a time; ``None`` while none waits.
        self._usher: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tenants.queue)

    def may_wait(self, caller: Caller) -> bool:
        """Returns whether an upload of a caller may wait."""
        waiting, most = self._occupancy.figures(upload=True)
        return waiting < most or self._tenants.may_wait(self._occupancy.pool, caller, most)

    async def wait(self, caller: Caller, open_it: Open) -> None:
        """Waits for a slot that no live session wants, and puts the upload in line.

        Args:
            caller: For whom it is.
            open_it: Puts it in line.

        Raises:
            NoCapacity: Too many uploads wait, or this one has waited for too long.
        """
        if not self.may_wait(caller):
            raise self._occupancy.refusal(upload=True)
        ticket = self._tenants.wait(caller, time.monotonic())
        try:
            async with asyncio.timeout(self._longest):
                if self._tenants.queue.first_of(ticket.tenant) is ticket:
                    with suppress(BrokerUnavailable):
                        await self._tell()  # whose turn it is, others have to know at once
                # Cancelled, because its client has gone, it leaves the turn to the next.
                await self._open_when_called(ticket, open_it)
        except TimeoutError:
            raise NoCapacity(
                f"No slot has come free for this upload in {self._longest:g} s; try again later."
            ) from None
        finally:
            self._tenants.queue.remove(ticket)
            ticket.tried.set()
            if not self and self._usher is not None:
                self._usher.cancel()
                self._usher = None

    async def _open_when_called(self, ticket: Ticket, open_it: Open) -> None:
        if self._usher is None:
            name = f"uploads-{self._occupancy.pool.name}"
            self._usher = asyncio.create_task(self._call(), name=name)
        while True:
            await ticket.called.wait()
            with suppress(BrokerUnavailable):
                # With fewer sessions in line than slots one is free, and nobody waits for it.
                if await open_it(self._occupancy.pool.slots):
                    return
            ticket.called.clear()
            ticket.tried.set()

    async def _call(self) -> None:
        """Calls the upload that is next while a slot is free, until cancelled."""
        while True:
            ticket: Ticket | None = None
            with suppress(BrokerUnavailable):
                if self._occupancy.free > 0:
                    await self._fleet.look_anew()  # others may have come at another gateway
                    ticket = self._tenants.next_upload(self._occupancy.pool, self._occupancy.free)
            if ticket is not None:
                ticket.tried.clear()
                ticket.called.set()
                await ticket.tried.wait()
            if ticket is None or not ticket.called.is_set():
                await asyncio.sleep(random.uniform(*_TRY_SECONDS))
