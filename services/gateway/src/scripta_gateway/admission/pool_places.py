"""The places of one pool at one gateway: who gets one, and how its session goes in line.

A live session goes in line at once or not at all. An upload stays out of the line until a slot is
free that no live session waits for. Among tenants that wait, the one with the fewest sessions is
next, at whatever gateway; among the uploads of a tenant, at each gateway the oldest.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from scripta_common.errors import BrokerUnavailable, NoCapacity
from scripta_common.fleet import Pool
from scripta_common.sessionlog import GatewayLog, LineFull, SessionOptions
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.admission.admission import Admission
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.queue import Ticket
from scripta_gateway.admission.reservations import Reservations
from scripta_gateway.admission.tenants import Tenants
from scripta_gateway.bounds import RESERVED_SECONDS

_FEW: Final = 5
"""With no more places left than this, and a part of all of them, a newcomer is decided about by a
fresh look at the fleet."""
_TRY_SECONDS: Final = (0.5, 1.5)
"""Pause of the foremost upload between two looks for a free slot: apart from other gateways'."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A session that is about to go in line: as ``GatewayLog.open`` takes it."""

    sid: str
    options: SessionOptions
    token_digest: str


class PoolPlaces:
    """All places of one pool.

    Args:
        name: The pool.
        log: The session log.
        fleet: What is known of the transcribers.
        admission: How long and how many may wait.
        upload_wait: Longest wait of an upload in seconds.
        told: Returns how many waiting uploads of this gateway the fleet's figures include.
        tenants: Compares the tenants of a pool.
        tell: Tells the others who waits here.

    Attributes:
        name: The pool.
        turned_away: Live clients that were refused.
    """

    def __init__(
        self,
        name: str,
        log: GatewayLog,
        fleet: FleetWatch,
        *,
        admission: Admission,
        upload_wait: float,
        told: Callable[[], int],
        tenants: Tenants,
        tell: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self.turned_away = tenants.turned_away
        self._log = log
        self._fleet = fleet
        self._admission = admission
        self._upload_wait = upload_wait
        self._told = told
        self._tenants = tenants
        self._tell = tell
        self._live = Reservations(RESERVED_SECONDS)
        self._uploads = Reservations(RESERVED_SECONDS)
        # Held by the newcomer that is being decided about; the others wait in order.
        self._deciding = asyncio.Lock()
        # Calls the uploads that wait, one at a time; ``None`` while none waits.
        self._usher: asyncio.Task[None] | None = None
        # Set when a place may have come free.
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Uploads that have something to be heard and wait for a slot."""
        return len(self._tenants.queue)

    async def reserve(self, caller: Caller = ANONYMOUS, *, upload: bool) -> Place:
        """Returns a place for a client that has not spoken yet.

        A newcomer that finds the pool full only because of clients that have not spoken yet waits
        until they have, or their places have lapsed.

        Raises:
            NoCapacity: It would not be served in time, or others have fewer sessions and wait.
            OverLimit: Its tenant has its share, and others wait.
            BrokerUnavailable: The fleet can not be seen.
        """
        arrived = time.monotonic()
        until = arrived + RESERVED_SECONDS
        held = self._uploads if upload else self._live
        # Cancelled in here, a newcomer has no place, and the next one is decided about.
        async with self._deciding:
            taken, most = self._figures(upload)
            if most - taken - held.count(time.monotonic()) <= _FEW + most // _FEW:
                await self._fleet.look_anew()  # other gateways give places out, too
            while True:
                now = time.monotonic()
                taken, most = self._figures(upload)
                if upload and taken >= most and self._tenants.may_wait(self._pool, caller, most):
                    return Place(self, held, self._most_live, caller, upload=True)
                if taken >= most:
                    await self._look_for_room(caller, upload, arrived)
                    continue
                if not upload:
                    self._check_turn(caller, most - taken)
                # Who has waited until then has outlasted everybody who was there before.
                if taken + held.count(now) < most or now >= until:
                    return Place(self, held, self._most_live, caller, upload=upload)
                await self._change(min(until, held.next_lapse(now) or until) - now)

    def _check_turn(self, caller: Caller, free: int) -> None:
        """Raises an error if a live session has to leave the free places to other tenants."""
        try:
            self._tenants.check_turn(self._pool, caller, free)
        except NoCapacity:
            self.turned_away.note(time.monotonic(), caller.tenant)
            raise

    async def _look_for_room(self, caller: Caller, upload: bool, arrived: float) -> None:
        """Returns if a new look at the fleet finds room; raises ``NoCapacity`` if it does not."""
        await self._fleet.look_anew(arrived)
        taken, most = self._figures(upload)
        if taken >= most:
            if not upload:
                self.turned_away.note(time.monotonic(), caller.tenant)
            raise self._admission.refusal(self._pool, upload=upload)

    async def _change(self, seconds: float) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _figures(self, upload: bool) -> tuple[int, int]:
        """Returns how many have a place for something that was heard, and how many may have."""
        if not upload:
            return self._sessions, self._most_live
        elsewhere = max(0, self._pool.uploads - self._told())
        soon = self._sessions + self._live.count(time.monotonic())
        return elsewhere + self.waiting, self._admission.most_uploads(self._pool, soon)

    @property
    def _pool(self) -> Pool:
        return self._fleet.known.pools.get(self.name) or Pool(self.name)

    @property
    def _sessions(self) -> int:
        return max(0, self._pool.sessions + self._live.joined_since(self._fleet.seen_at))

    @property
    def _most_live(self) -> int:
        coming = self._fleet.coming_free(self.name, self._admission.live_wait)
        return self._admission.most_live(self._pool, coming)

    async def join_live(self, place: Place, who: Newcomer) -> None:
        """Opens a live session in the log and puts it in line.

        Raises:
            NoCapacity: The line is full; nothing is left of the session.
            BrokerUnavailable: The broker does not answer.
        """
        # Who was let in a moment ago is not refused because a transcriber is being replaced.
        promised = place.most if place.holds else 0
        for _ in range(2):
            most = max(promised, self._most_live)
            if await self._open(place, who, most):
                self._joined(place)
                return
            await self._fleet.look_anew()
        raise self._admission.refusal(self._pool, upload=False)

    async def _open(self, place: Place, who: Newcomer, most: int) -> bool:
        """Returns whether the session is in line; otherwise nothing of it is left."""
        place.begun = True
        try:
            await self._log.open(who.sid, who.options, token_digest=who.token_digest, most=most)
        except LineFull:
            place.begun = False
        return place.begun

    async def join_upload(self, place: Place, who: Newcomer) -> None:
        """Waits for a slot that no live session wants; then opens the session and puts it in line.

        Raises:
            NoCapacity: Too many uploads wait, or this one has waited for too long.
        """
        place.give_back()
        waiting, most = self._figures(upload=True)
        if waiting >= most and not self._tenants.may_wait(self._pool, place.caller, most):
            raise self._admission.refusal(self._pool, upload=True)
        ticket = self._tenants.wait(place.caller, time.monotonic())
        try:
            async with asyncio.timeout(self._upload_wait):
                if self._tenants.queue.first_of(ticket.tenant) is ticket:
                    with suppress(BrokerUnavailable):
                        await self._tell()  # whose turn it is, others have to know at once
                # Cancelled, because its client has gone, it leaves the turn to the next.
                await self._join_when_called(place, who, ticket)
        except TimeoutError:
            raise NoCapacity(
                f"No slot has come free for this upload in {self._upload_wait:g} s; "
                "try again later."
            ) from None
        finally:
            self._tenants.queue.remove(ticket)
            ticket.tried.set()
            self._changed.set()
            if not self.waiting and self._usher is not None:
                self._usher.cancel()
                self._usher = None
        self._joined(place)

    async def _join_when_called(self, place: Place, who: Newcomer, ticket: Ticket) -> None:
        if self._usher is None:
            self._usher = asyncio.create_task(self._call_uploads(), name=f"uploads-{self.name}")
        while True:
            await ticket.called.wait()
            with suppress(BrokerUnavailable):
                # With fewer sessions in line than slots one is free, and nobody waits for it.
                if await self._open(place, who, self._pool.slots):
                    return
            ticket.called.clear()
            ticket.tried.set()

    async def _call_uploads(self) -> None:
        """Calls the upload that is next while a slot is free, until cancelled."""
        while True:
            ticket: Ticket | None = None
            with suppress(BrokerUnavailable):
                if self._free > 0:
                    await self._fleet.look_anew()  # others may have come at another gateway
                    ticket = self._tenants.next_upload(self._pool, self._free)
            if ticket is not None:
                ticket.tried.clear()
                ticket.called.set()
                await ticket.tried.wait()
            if ticket is None or not ticket.called.is_set():
                await asyncio.sleep(random.uniform(*_TRY_SECONDS))

    @property
    def _free(self) -> int:
        return self._pool.slots - self._sessions - self._live.count(time.monotonic())

    def _joined(self, place: Place) -> None:
        now = time.monotonic()
        place.give_back()
        self._live.join(now)
        self._tenants.joined(place.caller.tenant, now)

    def left(self) -> None:
        """Notes that a session has been taken out of the line."""
        self._live.leave(time.monotonic())
        self.freed()

    def freed(self) -> None:
        """Notes that a place may have come free."""
        self._changed.set()


class Place:
    """A place of one session, from the handshake on.

    Args:
        pool: Its pool's places.
        held: Where it is held until its client speaks.
        most: Sessions that the pool may have.
        caller: For whom it is.
        upload: Whether its session can wait for a slot.

    Attributes:
        caller: For whom it is.
        most: Sessions that the pool may have, by what was known when it was reserved.
        begun: Whether the broker may have heard of its session.
    """

    def __init__(
        self, pool: PoolPlaces, held: Reservations, most: int, caller: Caller, *, upload: bool
    ) -> None:
        self.caller = caller
        self.most = most
        self.begun = False
        self._pool = pool
        self._upload = upload
        self._held = held
        self._number = held.hold(time.monotonic())

    @property
    def holds(self) -> bool:
        """Whether it is still held for its client, which has not spoken yet."""
        return self._held.holds(self._number, time.monotonic())

    async def join(self, sid: str, options: SessionOptions, token_digest: str) -> None:
        """Puts its session in line: it has something to be heard for the first time.

        Raises:
            NoCapacity: There is no place any more, or not in time.
            BrokerUnavailable: The broker does not answer; it can be said again.
        """
        who = Newcomer(sid, options, token_digest)
        if self._upload:
            await self._pool.join_upload(self, who)
        else:
            await self._pool.join_live(self, who)

    def give_back(self) -> None:
        """Frees it: its client has gone or needs it no more."""
        self._held.give_back(self._number)
        self._pool.freed()

    def leave(self) -> None:
        """Notes that its session has been taken out of the line."""
        self._pool.left()
