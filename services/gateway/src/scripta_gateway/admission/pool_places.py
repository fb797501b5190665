"""The places of one pool at one gateway: who gets one, and how its session goes in line.

A live session goes in line at once or not at all. An upload stays out of the line until a slot is
free that no live session waits for; see ``UploadLine``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from scripta_common.errors import NoCapacity
from scripta_common.sessionlog import GatewayLog, LineFull, SessionOptions
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.admission.admission import Admission
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.admission.occupancy import Occupancy
from scripta_gateway.admission.reservations import Reservations
from scripta_gateway.admission.tenants import Tenants
from scripta_gateway.admission.upload_line import UploadLine
from scripta_gateway.bounds import RESERVED_SECONDS

_FEW: Final = 5
"""With no more places left than this, and a part of all of them, a newcomer is decided about by a
fresh look at the fleet."""


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
        self._tenants = tenants
        self._occupancy = Occupancy(name, fleet, admission, lambda: self.waiting, told)
        self._line = UploadLine(fleet, self._occupancy, tenants, upload_wait, tell)
        # Held by the newcomer that is being decided about; the others wait in order.
        self._deciding = asyncio.Lock()
        # Set when a place may have come free.
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Uploads that have something to be heard and wait for a slot."""
        return len(self._line)

    async def reserve(self, caller: Caller = ANONYMOUS, *, upload: bool) -> Place:
        """Returns a place for a client that has not spoken yet.

        A newcomer that finds the pool full only because of clients that have not spoken yet waits
        until they have, or their places have lapsed.

        Raises:
            NoCapacity: It would not be served in time, or others have fewer sessions and wait.
            OverLimit: Its tenant has its share, and others wait.
            BrokerUnavailable: The fleet can not be seen.
        """
        room = self._occupancy
        arrived = time.monotonic()
        until = arrived + RESERVED_SECONDS
        held = room.uploads if upload else room.live
        # Cancelled in here, a newcomer has no place, and the next one is decided about.
        async with self._deciding:
            taken, most = room.figures(upload=upload)
            if most - taken - held.count(time.monotonic()) <= _FEW + most // _FEW:
                await self._fleet.look_anew()  # other gateways give places out, too
            while True:
                now = time.monotonic()
                taken, most = room.figures(upload=upload)
                if upload and taken >= most and self._line.may_wait(caller):
                    return Place(self, held, room.most_live, caller, upload=True)
                if taken >= most:
                    await self._look_for_room(caller, upload, arrived)
                    continue
                if not upload:
                    self._check_turn(caller, most - taken)
                # Who has waited until then has outlasted everybody who was there before.
                if taken + held.count(now) < most or now >= until:
                    return Place(self, held, room.most_live, caller, upload=upload)
                await self._change(min(until, held.next_lapse(now) or until) - now)

    def _check_turn(self, caller: Caller, free: int) -> None:
        """Raises an error if a live session has to leave the free places to other tenants."""
        try:
            self._tenants.check_turn(self._occupancy.pool, caller, free)
        except NoCapacity:
            self.turned_away.note(time.monotonic(), caller.tenant)
            raise

    async def _look_for_room(self, caller: Caller, upload: bool, arrived: float) -> None:
        """Returns if a new look at the fleet finds room; raises ``NoCapacity`` if it does not."""
        await self._fleet.look_anew(arrived)
        taken, most = self._occupancy.figures(upload=upload)
        if taken >= most:
            if not upload:
                self.turned_away.note(time.monotonic(), caller.tenant)
            raise self._occupancy.refusal(upload=upload)

    async def _change(self, seconds: float) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def join_live(self, place: Place, who: Newcomer) -> None:
        """Opens a live session in the log and puts it in line.

        Raises:
            NoCapacity: The line is full; nothing is left of the session.
            BrokerUnavailable: The broker does not answer.
        """
        # Who was let in a moment ago is not refused because a transcriber is being replaced.
        promised = place.most if place.holds else 0
        for _ in range(2):
            most = max(promised, self._occupancy.most_live)
            if await self._open(place, who, most):
                self._joined(place)
                return
            await self._fleet.look_anew()
        raise self._occupancy.refusal(upload=False)

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
        try:
            await self._line.wait(place.caller, partial(self._open, place, who))
        finally:
            self.freed()
        self._joined(place)

    def _joined(self, place: Place) -> None:
        now = time.monotonic()
        place.give_back()
        self._occupancy.live.join(now)
        self._tenants.joined(place.caller.tenant, now)

    def left(self) -> None:
        """Notes that a session has been taken out of the line."""
        self._occupancy.live.leave(time.monotonic())
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
