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
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable, ScriptaError
from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.access.caller import Caller
from scripta_gateway.quotas.counting import Counting, samples_of
from scripta_gateway.quotas.limits import Limit
from scripta_gateway.quotas.over import Refused, counted
from scripta_gateway.quotas.seats import Seat, is_counted
from scripta_gateway.sessions.session import Session

logger = logging.getLogger(__name__)

ROUND_SECONDS: Final = 4.0
"""How often seats are renewed, and running sessions are held to the day's audio."""
LAPSE_SECONDS: Final = 15.0
"""When a seat lapses that nobody renews, unless sessions are kept shorter: long enough for a client
to come back to another gateway, and nobody waits long for the seats of a gateway that has died."""
_SETTLE_SECONDS: Final = 2.0
"""After an outage, when all gateways have given the seats back to a broker that has lost them."""
_GATHER_SECONDS: Final = 0.1
"""How long seats that are given back wait for others: one call for each of them would cost a tenth
of a session's handshake."""
_LOOK_AGAIN_SECONDS: Final = 0.2
"""A session that has just ended elsewhere may have its seat for a moment more."""
_RETRY_SECONDS: Final = 1.0
_BATCH: Final = 500
"""Seats in one call: it holds the broker up for half a millisecond."""

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
        lapse = min(ttl, LAPSE_SECONDS)
        self._counting = Counting(broker, clock, lapse)
        self._round = min(ROUND_SECONDS, lapse / 4)
        self._held = held
        self._end = end
        # Seats of sessions that were taken up here.
        self._taken: list[Seat] = []
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
        if not self._renewed.is_set() or time.monotonic() < self._settled_at:
            await self._settle()
        try:
            new = await self._counting.enter(caller, names)
            if isinstance(new, Refused) and new.limit is not Limit.AUDIO_SECONDS_A_DAY:
                new = await self._look_again(caller, names, new)
        except BaseException:
            self._leave(seats, unused=False)  # it may have been counted
            raise
        if isinstance(new, Refused):
            raise counted(new, caller)
        for seat in seats:
            seat.new = seat.name in new
        return seats

    def take_up(self, caller: Caller, name: str) -> Seat | None:
        """Returns the seat of a session that is taken up here; ``None`` if nothing is counted.

        It was let in once, and its client is owed its words: no limit matters. If its seat has
        lapsed since, it gets another at once.
        """
        if not is_counted(caller):
            return None
        seat = Seat(name, caller, new=False)
        self._taken.append(seat)
        self._due.set()
        return seat

    def undo(self, seats: Iterable[Seat]) -> None:
        """Gives back the seats of sessions that have not begun; not those that they had before."""
        self._leave([seat for seat in seats if seat.new], unused=True)

    def leave(self, seat: Seat) -> None:
        """Gives back the seat of a session that is over, soon."""
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
                    await asyncio.sleep(_GATHER_SECONDS)
            self._due.clear()

    async def renew_once(self) -> None:
        """Renews all seats, and ends sessions of callers whose day's audio is used up.

        Raises:
            BrokerUnavailable: The broker does not answer.
        """
        unsettled = not self._renewed.is_set()
        async with self._writing:
            seated = [(one.seat, one) for one in self._held() if one.seat is not None]
            for some in _batches(seated, lambda pair: pair[0].caller.tenant):
                used = await self._counting.stay([seat for seat, _ in some])
                for seat, session in some:
                    self._hold_to_day(seat, session, used)
        if unsettled:
            self._settled_at = time.monotonic() + _SETTLE_SECONDS
            self._renewed.set()

    async def flush(self) -> None:
        """Renews and gives back the seats that are to be; raises ``BrokerUnavailable``."""
        if not self._taken and not self._left:
            return
        async with self._writing:
            # If this fails, the next round renews those that are held still.
            taken, self._taken = self._taken, []
            for seats in _batches(taken, lambda seat: seat.caller.tenant):
                await self._counting.stay(seats)
            left, self._left = self._left, []
            try:
                for some in _batches(
                    left, lambda pair: (pair[0].caller.tenant, pair[0].caller.key)
                ):
                    await self._counting.leave(
                        some[0][0].caller,
                        [seat.name for seat, _ in some],
                        unused=sum(unused for _, unused in some),
                    )
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

    async def _look_again(
        self, caller: Caller, names: Sequence[str], refused: Refused
    ) -> frozenset[str] | Refused:
        """Asks again: what was given back here is told now, what elsewhere in a moment."""
        new: frozenset[str] | Refused = refused
        if self._left:
            await self.flush()
            new = await self._counting.enter(caller, names)
        if isinstance(new, Refused) and new.limit is Limit.SESSIONS:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            new = await self._counting.enter(caller, names)
        return new

    def _leave(self, seats: Iterable[Seat], *, unused: bool) -> None:
        self._left += [(seat, unused) for seat in seats]
        self._due.set()

    def _hold_to_day(self, seat: Seat, session: Session, used: Mapping[str | None, int]) -> None:
        if seat.spent:
            return
        caller = seat.caller
        for quota, samples in ((caller.shared, used[None]), (caller.own, used[caller.key])):
            most = samples_of(quota)
            if most is not None and samples + session.undecided_seconds * SAMPLE_RATE >= most:
                seat.spent = True
                refused = Refused(
                    Limit.AUDIO_SECONDS_A_DAY,
                    shared=quota is caller.shared,
                    wait_ms=_until_tomorrow_ms(self._counting.now),
                )
                self._end(session, counted(refused, caller))
                return


def _until_tomorrow_ms(now: float) -> float:
    return (86400 - now % 86400) * 1000


def _batches(these: Iterable[T], group: Callable[[T], Hashable]) -> Iterator[Sequence[T]]:
    """Yields what is in the same group together, in parts that one call can take."""
    groups: defaultdict[Hashable, list[T]] = defaultdict(list)
    for each in these:
        groups[group(each)].append(each)
    for members in groups.values():
        for first in range(0, len(members), _BATCH):
            yield members[first : first + _BATCH]
