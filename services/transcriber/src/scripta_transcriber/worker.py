"""The worker: leases sessions into slots, keeps the leases, hands sessions off when it drains.

Always true: a session's task runs only while its lease was held at the last heartbeat; a lease
is given up only after its task has ended; draining never waits for speech to end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from redis.exceptions import ResponseError

from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable
from scripta_common.keys import URGENT
from scripta_common.logs import bind
from scripta_common.sessionlog import Assignment, Claim, Fenced, SessionGone, TranscriberLog
from scripta_common.tracing import trace_of
from scripta_transcriber import metrics
from scripta_transcriber.farewells import bid
from scripta_transcriber.heartbeat import keep_beat
from scripta_transcriber.lease_trace import NO_TRACES, LeaseTrace, LeaseTraces
from scripta_transcriber.leases import Ending, Leases, Offer
from scripta_transcriber.metrics import How
from scripta_transcriber.misfits import Misfits
from scripta_transcriber.rebalancing import LOOK_SECONDS, Rebalancing
from scripta_transcriber.transcription import Transcription

logger = logging.getLogger(__name__)

_ASSIGNMENT_WAIT: Final = 1.0
_OTHERS_FIRST_SECONDS: Final = 0.2
"""How long a session in line is left to transcribers that have less to do, before one takes it that
has no empty slot, or more than its part."""
_LOOK_ONLY: Final = 0.001
_RETRY_SECONDS: Final = 0.3
_MOST_RENEWALS: Final = 6
"""Heartbeats whose answers are awaited at once: enough for a broker two seconds away."""
_TIDY_SECONDS: Final = 60.0


class Worker:
    """Serves up to ``slots`` live sessions at a time, and uploads in what is left.

    Args:
        log: The session log.
        slots: Live sessions at a time.
        transcribe: Makes the transcription of a claimed session.
        misfits: Which sessions are left to others; none by default.
        rebalancing: Which live sessions are handed over to others; none by default.
        settle: Seconds for which a drain lets a session finish the commit it is at.
        traces: Where its leases' spans begin.
    """

    def __init__(
        self,
        log: TranscriberLog,
        *,
        slots: int,
        transcribe: Callable[[Claim], Transcription],
        misfits: Misfits | None = None,
        rebalancing: Rebalancing | None = None,
        settle: float = 3.0,
        traces: LeaseTraces = NO_TRACES,
    ) -> None:
        self._log = log
        self._leases = Leases(slots)
        self._transcribe = transcribe
        self._misfits = misfits
        self._rebalancing = rebalancing
        self._settle = settle
        self._traces = traces
        self._live: dict[bytes, Transcription] = {}
        self._by_session: dict[str, Transcription] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._freed = asyncio.Event()
        # Set while it drains and holds no lease: nothing is left to beat for.
        self._drained = asyncio.Event()
        # What runs while it serves; claims join it.
        self._group = asyncio.TaskGroup()
        self._joined = asyncio.Event()
        # Whether the broker did not answer the last time: that is logged once.
        self._away = False
        self._tidied_at = float("-inf")
        metrics.SLOTS.set(slots)

    @property
    def ready(self) -> bool:
        """Whether it takes sessions: it has joined the group and does not drain."""
        return self._joined.is_set() and not self._leases.draining

    @property
    def finished(self) -> int:
        """Live sessions that have left their slots for good."""
        return self._leases.finished

    @property
    def uploads(self) -> int:
        """Uploads that it serves now."""
        return self._leases.uploads

    def ring(self, message: bytes) -> None:
        """Passes a doorbell message on: a session's id, marked if the ring is urgent."""
        sid, urgent, _ = message.decode().partition(URGENT)
        transcription = self._by_session.get(sid)
        if transcription is not None:
            transcription.ring(urgent=bool(urgent))

    def ring_all(self) -> None:
        """Makes every transcription look at its log: rings may have been missed."""
        for transcription in self._by_session.values():
            transcription.ring()

    async def run(self) -> None:
        """Serves until it has drained, is cancelled or fails; hands off what is still at work."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._group = tasks
                tasks.create_task(self._claim_on(), name="claim")
                tasks.create_task(self._rebalance_on(), name="rebalance")
                for once, most in ((self.renew_once, _MOST_RENEWALS), (self.take_over_once, 1)):
                    attempt = partial(self._attempt, once)
                    beat = keep_beat(attempt, self._log.beat, self._drained, most=most)
                    tasks.create_task(beat, name="heartbeat")
            await self._settled()  # what was claimed in the moment that the drain began
        finally:
            # Left at work when the threads end, a session would be taken for one that has failed.
            self._leases.draining = True
            self._cut_off("stopping")
            await self._settled()
        try:
            await self._log.leave()
        except (BrokerUnavailable, ResponseError) as error:
            logger.warning("group not left", extra={"error": describe(error)})

    async def drain(self) -> None:
        """Stops taking sessions and hands every live one off at its last checkpoint.

        1. No new lease is taken.
        2. Each transcription stops where nothing is half done, or is cut off after a bound.
        3. Each session goes back in line; another transcriber goes on with it.

        Leases are renewed meanwhile; ``run`` returns once the last one is given up.
        """
        self._leases.draining = True
        for transcription in self._live.values():
            transcription.stop()
        await self._settled()
        self._cut_off("draining")
        if not self._tasks:
            self._drained.set()

    async def _settled(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._settle)

    def _cut_off(self, why: str) -> None:
        for entry_id in self._leases.working:
            self._tasks[entry_id].cancel(why)

    async def _claim_on(self) -> None:
        while not self._leases.draining:
            if not await self._attempt(self.claim_once):
                await asyncio.sleep(_RETRY_SECONDS)

    async def _rebalance_on(self) -> None:
        while self._rebalancing is not None and not self._leases.draining:
            await self._attempt(self.rebalance_once)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._drained.wait()

    async def rebalance_once(self) -> None:
        """Hands live sessions over, if others have less to do; not while some are on their way."""
        live = [one for one in self._live.values() if not one.claim.options.upload]
        if self._rebalancing is None or any(one.stopping for one in live):
            return
        await self._rebalancing.look()
        for transcription in self._rebalancing.choose(live):
            logger.info("session moved", extra={"session": transcription.claim.sid})
            metrics.SESSIONS_MOVED.inc()
            transcription.trace.moved()
            transcription.stop()

    async def claim_once(self) -> None:
        """Waits for room and then, for a bounded time, for a session to fill it."""
        if time.monotonic() - self._tidied_at >= _TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            await self._log.tidy()
        while not self._leases.free:
            self._freed.clear()
            await self._freed.wait()
            if self._leases.draining:
                return
        if self._misfits is not None:
            await self._misfits.rest()
        wait = _ASSIGNMENT_WAIT
        if self._leases.full or (self._rebalancing is not None and self._rebalancing.gives_way):
            await asyncio.sleep(_OTHERS_FIRST_SECONDS)
            wait = _LOOK_ONLY
        assignment = await self._log.next_assignment(wait)
        if assignment is not None:
            self._start(assignment, How.NEW)

    async def renew_once(self) -> None:
        """Renews the leases and lets go of those that are lost."""
        leases = self._leases.held
        self._let_go(self._leases.renewed(leases, await self._log.renew(leases)))

    async def take_over_once(self) -> None:
        """Takes over leases that have expired."""
        if count := self._leases.wanted:
            for assignment in await self._log.reclaim(count):
                self._start(assignment, How.EXPIRED)
        if self._misfits is not None:
            await self._misfits.look()

    def _let_go(self, lost: Iterable[bytes]) -> None:
        for entry_id in lost:
            logger.warning("lease lost", extra={"session": self._live[entry_id].claim.sid})
            self._tasks[entry_id].cancel("lease lost")

    async def _attempt(self, once: Callable[[], Awaitable[None]]) -> bool:
        """Returns whether it could be done; what the broker is to blame for passes."""
        try:
            if not self._joined.is_set():
                await self._log.join()
                self._joined.set()
            await once()
        except BrokerUnavailable as error:
            if not self._away:
                self._away = True
                logger.warning("broker unavailable", extra={"error": describe(error)})
            return False
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            # The broker came back empty: nobody holds a lease any more.
            logger.warning("assignment stream lost")
            self._joined.clear()
            self._let_go(self._leases.working)
        self._away = False
        return True

    def _start(self, assignment: Assignment, how: How) -> None:
        # New and expired leases come from two loops, and claims take their time: a slot is kept
        # for each, and none waits for another's.
        match self._leases.offered(assignment.entry_id):
            case Offer.TAKE:
                work = partial(self._claim, assignment, how)
            case Offer.PUT_BACK:
                work = partial(self._log.put_back, assignment)
            case Offer.GO_ON:
                return
        self._group.create_task(self._place(assignment, work), name="place")

    async def _place(self, assignment: Assignment, work: Callable[[], Awaitable[None]]) -> None:
        try:
            # Cut short or failed, the lease expires and another transcriber takes it over.
            await self._attempt(work)
        finally:
            self._leases.leave(assignment.entry_id)
            self._freed.set()

    async def _claim(self, assignment: Assignment, how: How) -> None:
        if self._misfits is not None and await self._misfits.leave(assignment):
            return
        began, span_id = time.time_ns(), self._traces.new_span_id()
        claim = await self._log.claim(assignment, span_id)
        if claim is not None:
            if how is How.NEW and claim.epoch > 1:
                how = How.HANDOFF
            trace = self._traces.begin(claim, how, at=began, span_id=span_id)
            self._serve_claim(claim, how, trace)

    def _serve_claim(self, claim: Claim, how: How, trace: LeaseTrace) -> None:
        transcription = self._transcribe(claim)
        transcription.trace = trace
        self._leases.take(claim.entry_id, upload=claim.options.upload)
        if self._leases.draining:
            transcription.stop()
        task = asyncio.create_task(self._serve(transcription, how), name=f"session-{claim.sid}")
        self._live[claim.entry_id] = transcription
        self._by_session[claim.sid] = transcription
        self._tasks[claim.entry_id] = task
        self._drained.clear()
        metrics.SLOTS_IN_USE.set(len(self._tasks))
        metrics.CLAIMS[how].inc()
        task.add_done_callback(lambda _: self._forget(transcription))

    def _forget(self, transcription: Transcription) -> None:
        claim = transcription.claim
        del self._live[claim.entry_id]
        del self._tasks[claim.entry_id]
        if self._by_session.get(claim.sid) is transcription:
            del self._by_session[claim.sid]
        metrics.SLOTS_IN_USE.set(len(self._tasks))
        self._leases.give_up(claim.entry_id)
        self._freed.set()
        if self._leases.draining and not self._tasks:
            self._drained.set()

    async def _serve(self, transcription: Transcription, how: How) -> None:
        claim = transcription.claim
        trace_id = trace_of(claim.options.traceparent)
        bind(session=claim.sid, epoch=claim.epoch, trace_id=trace_id)
        ending = Ending.FAILED
        logger.info("session claimed", extra={"how": how})
        try:
            ending = Ending.OVER if await transcription.run() else Ending.STOPPED
        except asyncio.CancelledError:
            ending = Ending.CUT_OFF
            raise
        except Fenced:
            ending = Ending.FENCED
        except SessionGone:
            ending = Ending.GONE
        except Exception:
            logger.exception("transcription failed")
        finally:
            await self._part(claim, ending)
            transcription.trace.end(ending)

    async def _part(self, claim: Claim, ending: Ending) -> None:
        quietly = ending in (Ending.OVER, Ending.STOPPED)
        level = logging.INFO if quietly else logging.WARNING
        logger.log(level, "session left", extra={"ending": ending})
        await bid(self._leases.ended(claim.entry_id, ending), self._log, claim)
