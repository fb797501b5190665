"""The quotas of all callers: counted on the broker, so that all gateways hold to the same figures.

Always true: a session that counts has a seat on the broker, or has had none for less than a round.
A seat lapses if nobody renews it; each gateway renews those of its sessions. Callers without such
limits cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from scripta_common import keys
from scripta_common.broker import Broker, Script
from scripta_common.broker_clock import BrokerClock
from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable, ScriptaError
from scripta_common.usage import day_of, total_field
from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.access.caller import Caller, Quota
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.quotas.over import Refused, counted
from scripta_gateway.quotas.seats import Seat, interval_ms, is_counted
from scripta_gateway.sessions.session import Session

logger = logging.getLogger(__name__)

ENTER: Final = Script.load(__package__, "enter")
LEAVE: Final = Script.load(__package__, "leave")
STAY: Final = Script.load(__package__, "stay")

ROUND_SECONDS: Final = 4.0
"""How often seats are renewed, and running sessions are held to the day's audio."""
LAPSE_SECONDS: Final = 15.0
"""When a seat lapses that nobody renews, unless sessions are kept shorter: long enough for a client
to come back to another gateway, and nobody waits long for the seats of a gateway that has died."""
_SETTLE_SECONDS: Final = 2.0
"""After an outage, when all gateways have given the seats back to a broker that has lost them."""
_LOOK_AGAIN_SECONDS: Final = 0.2
"""A session that has just ended elsewhere may have its seat for a moment more."""
_RETRY_SECONDS: Final = 1.0
_BATCH: Final = 500
"""Seats in one call: it holds the broker up for half a millisecond."""
_LIMITS: Final = (Limit.SESSIONS, Limit.SESSIONS_A_MINUTE, Limit.AUDIO_SECONDS_A_DAY)


T = TypeVar("T")


class Quotas:
    """Counts the sessions of one gateway.

    Args:
        broker: Connection to the broker.
        clock: The broker's clock, by which days begin.
        ttl: Seconds the broker keeps a session that nobody touches.
        held: Returns the sessions that the gateway holds.
        end: Called with a session that is over a limit while it runs, and what its client is told.
    """

    def __init__(
        self,
        broker: Broker,
        clock: BrokerClock,
        *,
        ttl: float,
        held: Callable[[], Iterable[Session]],
        end: Callable[[Session, ScriptaError], None],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._lapse = min(ttl, LAPSE_SECONDS)
        self._round = min(ROUND_SECONDS, self._lapse / 4)
        self._held = held
        self._end = end
        # Seats that are to be given back, and whether their sessions have not begun.
        self._left: list[tuple[Seat, bool]] = []
        # Held while seats are renewed or given back: none is renewed that was given back.
        self._writing = asyncio.Lock()
        # Set when there is something to do before the next round.
        self._due = asyncio.Event()
        self._joined = False
        # Set unless the broker was away and this gateway has not renewed its seats since.
        self._renewed = asyncio.Event()
        self._renewed.set()
        # When the others have renewed theirs, too, by the monotonic clock.
        self._settled_at = 0.0

    async def enter(self, caller: Caller, names: Sequence[str]) -> list[Seat]:
        """Returns a seat for each of some sessions of a caller; none if nothing is counted.

        A session that has a seat already keeps it. Cancelled, it leaves none.

        Args:
            caller: Who calls.
            names: Ids of the sessions.

        Raises:
            OverLimit: The caller may not have so many.
            BrokerUnavailable: The broker does not answer: nobody could be heard either.
        """
        if not is_counted(caller):
            return []
        seats = [Seat(name, caller) for name in names]
        await self._settle()
        try:
            new = await self._ask(caller, names)
            if isinstance(new, Refused) and new.limit is Limit.SESSIONS:
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                new = await self._ask(caller, names)
        except BaseException:
            self._leave(seats, unused=False)  # it may have been counted
            raise
        if isinstance(new, Refused):
            raise counted(new, caller)
        for seat in seats:
            seat.new = seat.name in new
        return seats

    def undo(self, seats: Iterable[Seat]) -> None:
        """Gives back the seats of sessions that have not begun; not those that they had before."""
        self._leave([seat for seat in seats if seat.new], unused=True)

    def leave(self, seat: Seat) -> None:
        """Gives back the seat of a session that is over; at once, or with the next round."""
        self._leave([seat], unused=False)

    def suspect(self) -> None:
        """Records that the broker was away and may have lost seats."""
        if self._joined:
            self._renewed.clear()
            self._due.set()
        self._joined = True

    async def run(self) -> None:
        """Renews seats, and gives them back, until cancelled."""
        renewed_at = float("-inf")
        while True:
            try:
                await self.flush()
                if not self._renewed.is_set() or time.monotonic() - renewed_at >= self._round:
                    renewed_at = time.monotonic()
                    await self.renew_once()
            except BrokerUnavailable as error:
                logger.warning("seats not renewed", extra={"error": describe(error)})
                self._renewed.clear()
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(renewed_at + self._round - time.monotonic()):
                    await self._due.wait()
            self._due.clear()

    async def renew_once(self) -> None:
        """Renews all seats, and ends sessions of callers whose day's audio is used up.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        unsettled = not self._renewed.is_set()
        async with self._writing:
            tenants: defaultdict[str, list[Session]] = defaultdict(list)
            for session in self._held():
                if session.seat is not None:
                    tenants[session.seat.caller.tenant].append(session)
            for tenant, sessions in tenants.items():
                for some in _batches(sessions):
                    await self._renew(tenant, some)
        if unsettled:
            self._settled_at = time.monotonic() + _SETTLE_SECONDS
            self._renewed.set()

    async def flush(self) -> None:
        """Gives back the seats that are to be; raises ``BrokerUnavailable``."""
        if not self._left:
            return
        async with self._writing:
            left, self._left = self._left, []
            grouped: defaultdict[tuple[str, str], list[tuple[Seat, bool]]] = defaultdict(list)
            for seat, unused in left:
                grouped[seat.caller.tenant, seat.caller.key].append((seat, unused))
            try:
                for group in grouped.values():
                    for some in _batches(group):
                        await self._give_back(some)
            except BrokerUnavailable:
                self._left += left
                raise

    async def _settle(self) -> None:
        """Waits until the broker knows all seats again, and what this gateway has given back."""
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self._renewed.wait()
        except TimeoutError:
            raise BrokerUnavailable from None
        await asyncio.sleep(max(0.0, self._settled_at - time.monotonic()))
        await self.flush()

    async def _ask(self, caller: Caller, names: Sequence[str]) -> frozenset[str] | Refused:
        """Returns which of the sessions have a new seat, or the limit that does not allow it."""
        quotas = caller.shared, caller.own
        what, whose, wait_ms, *new = await self._broker.run(
            ENTER,
            [*_counts(caller), keys.usage(caller.tenant, self._today)],
            int(self._lapse * 1000),
            *(_said(quota.sessions) for quota in quotas),
            *(_said(quota.sessions_a_minute) for quota in quotas),
            *(_said(_samples(quota)) for quota in quotas),
            total_field(),
            total_field(caller.key),
            *names,
        )
        if what:
            return Refused(_LIMITS[what - 1], shared=whose == 1, wait_ms=wait_ms)
        return frozenset(name.decode() for name in new)

    def _leave(self, seats: Iterable[Seat], *, unused: bool) -> None:
        self._left += [(seat, unused) for seat in seats]
        self._due.set()

    async def _give_back(self, seats: Sequence[tuple[Seat, bool]]) -> None:
        caller, unused = seats[0][0].caller, sum(unused for _, unused in seats)
        await self._broker.run(
            LEAVE,
            list(_counts(caller)),
            *(_said(unused * interval_ms(quota)) for quota in (caller.shared, caller.own)),
            *(seat.name for seat, _ in seats),
        )

    async def _renew(self, tenant: str, sessions: Sequence[Session]) -> None:
        seats = [session.seat for session in sessions if session.seat is not None]
        names = sorted({seat.caller.key for seat in seats})
        places = {name: place for place, name in enumerate(names, 1)}
        used = await self._broker.run(
            STAY,
            [
                keys.seats(tenant),
                keys.usage(tenant, self._today),
                *(keys.seats(tenant, name) for name in names),
            ],
            int(self._lapse * 1000),
            total_field(),
            *(total_field(name) for name in names),
            *(part for seat in seats for part in (places[seat.caller.key], seat.name)),
        )
        samples = dict(zip(names, used[1:], strict=True))
        for session in sessions:
            self._hold_to_day(session, used[0], samples)

    def _hold_to_day(self, session: Session, shared: int, own: dict[str, int]) -> None:
        seat = session.seat
        if seat is None or seat.spent:
            return
        for quota, used in ((seat.caller.shared, shared), (seat.caller.own, own[seat.caller.key])):
            most = _samples(quota)
            if most is not None and used + session.undecided_seconds * SAMPLE_RATE >= most:
                seat.spent = True
                refused = Refused(
                    Limit.AUDIO_SECONDS_A_DAY,
                    shared=quota is seat.caller.shared,
                    wait_ms=_until_tomorrow_ms(self._now),
                )
                self._end(session, counted(refused, seat.caller))
                return

    @property
    def _today(self) -> str:
        return day_of(self._now)

    @property
    def _now(self) -> float:
        now = self._clock.at(time.monotonic())
        return time.time() if now is None else now


def _counts(caller: Caller) -> tuple[str, str, str, str]:
    tenant, key = caller.tenant, caller.key
    return keys.seats(tenant), keys.seats(tenant, key), keys.rate(tenant), keys.rate(tenant, key)


def _samples(quota: Quota) -> float | None:
    seconds = quota.audio_seconds_a_day
    return None if seconds is None else seconds * SAMPLE_RATE


def _said(limit: float | None) -> str:
    return "" if limit is None else f"{limit:.15g}"


def _until_tomorrow_ms(now: float) -> float:
    return (86400 - now % 86400) * 1000


def _batches(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(all_of_them), _BATCH):
        yield all_of_them[first : first + _BATCH]
