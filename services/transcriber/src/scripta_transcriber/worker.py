"""The worker: leases sessions into slots, keeps the leases, hands sessions off when it drains.

Always true: a session's task runs only while its lease was held at the last heartbeat; a lease
is given up only after its task has ended; draining never waits for speech to end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from redis.exceptions import ResponseError

from scripta_common.errors import BrokerUnavailable
from scripta_common.logs import session_id
from scripta_common.sessionlog import Assignment, Claim, Fenced, SessionGone, TranscriberLog
from scripta_transcriber import metrics
from scripta_transcriber.transcription import Transcription

logger = logging.getLogger(__name__)

_ASSIGNMENT_WAIT: Final = 1.0
_HEARTBEATS_PER_LEASE: Final = 4
_PATIENT_BEATS: Final = 2
_RETRY_SECONDS: Final = 0.3
_SETTLE_SECONDS: Final = 3.0
"""How long a drain lets a session finish the commit it is at."""


class Worker:
    """Serves up to ``slots`` sessions at a time.

    Args:
        log: The session log.
        slots: Sessions at a time.
        lease: Seconds without a heartbeat after which a session may be taken over.
        transcribe: Makes the transcription of a claimed session.
    """

    def __init__(
        self,
        log: TranscriberLog,
        *,
        slots: int,
        lease: float,
        transcribe: Callable[[Claim], Transcription],
    ) -> None:
        self._log = log
        self._slots = slots
        self._beat = lease / _HEARTBEATS_PER_LEASE
        self._transcribe = transcribe
        self._live: dict[bytes, Transcription] = {}
        self._by_session: dict[str, Transcription] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._placing = asyncio.Lock()
        self._freed = asyncio.Event()
        # Set while it drains and holds no lease: nothing is left to beat for.
        self._drained = asyncio.Event()
        self._joined = asyncio.Event()
        self._draining = False
        self._beaten_at: float | None = None
        # Beats left until expired leases are taken over again.
        self._patience = 0
        metrics.SLOTS.set(slots)

    @property
    def ready(self) -> bool:
        """Whether it takes sessions: it has joined the group and does not drain."""
        return self._joined.is_set() and not self._draining

    def ring(self, message: bytes) -> None:
        """Passes a doorbell message, a session's id, on to its transcription."""
        transcription = self._by_session.get(message.decode())
        if transcription is not None:
            transcription.ring()

    def ring_all(self) -> None:
        """Makes every transcription look at its log: rings may have been missed."""
        for transcription in self._by_session.values():
            transcription.ring()

    async def run(self) -> None:
        """Serves until it has drained, or is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(self.claim_once, self._takes_sessions), name="claim")
            tasks.create_task(self._repeat(self.beat_once, self._has_leases), name="heartbeat")
        if self._tasks:  # claimed in the moment that the drain began
            await asyncio.wait(self._tasks.values(), timeout=_SETTLE_SECONDS)
        try:
            await self._log.leave()
        except (BrokerUnavailable, ResponseError) as error:
            logger.warning("group not left", extra={"error": str(error)})

    async def drain(self) -> None:
        """Stops taking sessions and hands every live one off at its last checkpoint.

        1. No new lease is taken.
        2. Each transcription stops where nothing is half done, or is cut off after a bound.
        3. Each session goes back in line; another transcriber goes on with it.

        Leases are renewed meanwhile; ``run`` returns once the last one is given up.
        """
        self._draining = True
        for transcription in self._live.values():
            transcription.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_SETTLE_SECONDS)
        for task in self._tasks.values():
            task.cancel()
        if not self._tasks:
            self._drained.set()

    def _takes_sessions(self) -> bool:
        return not self._draining

    def _has_leases(self) -> bool:
        return not self._draining or bool(self._tasks)

    async def claim_once(self) -> None:
        """Waits for a free slot and then, for a bounded time, for a session to fill it."""
        if len(self._tasks) >= self._slots:
            self._freed.clear()
            await self._freed.wait()
            if self._draining:
                return
        assignment = await self._log.next_assignment(_ASSIGNMENT_WAIT)
        if assignment is not None:
            await self._start(assignment, "new")

    async def beat_once(self) -> None:
        """Renews the leases, lets go of lost ones, takes over those that have expired."""
        if self._tasks:
            leases = set(self._tasks)
            lost = leases - await self._log.renew(tuple(leases))
            for entry_id in lost & self._tasks.keys():
                logger.warning("lease lost", extra={"session": self._live[entry_id].claim.sid})
                self._tasks[entry_id].cancel("lease lost")
        free = self._slots - len(self._tasks)
        if self._others_had_time() and free > 0 and not self._draining:
            for assignment in await self._log.reclaim(free):
                await self._start(assignment, "expired")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._beat):
                await self._drained.wait()

    def _others_had_time(self) -> bool:
        """Notes a beat; returns whether leases that look expired now have been given up.

        After a late beat the broker may have stood still, and with it all renewals: their owners
        get two beats to renew, or whoever comes first would take all sessions of all others.
        """
        now = time.monotonic()
        late = self._beaten_at is not None and now - self._beaten_at > 2 * self._beat
        self._beaten_at = now
        if self._patience:
            self._patience -= 1
        elif late:
            self._patience = _PATIENT_BEATS
        return not self._patience

    async def _repeat(
        self, once: Callable[[], Awaitable[None]], wanted: Callable[[], bool]
    ) -> None:
        while wanted():
            try:
                if not self._joined.is_set():
                    await self._log.join()
                    self._joined.set()
                await once()
            except BrokerUnavailable as error:
                logger.warning("broker unavailable", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                # The broker came back empty: nobody holds a lease any more.
                logger.warning("assignment stream lost")
                self._joined.clear()
                for task in tuple(self._tasks.values()):
                    task.cancel("lease lost")

    async def _start(self, assignment: Assignment, how: str) -> None:
        # New and expired leases come from two loops: one slot must not go to both.
        async with self._placing:
            if assignment.entry_id in self._tasks:
                return  # our own lease, expired while we were held up: its task goes on
            # A drain's own blocked read may get what it has just handed off.
            if self._draining or len(self._tasks) >= self._slots:
                await self._log.put_back(assignment)
                return
            claim = await self._log.claim(assignment)
            if claim is not None:
                self._serve_claim(claim, how)

    def _serve_claim(self, claim: Claim, how: str) -> None:
        transcription = self._transcribe(claim)
        if self._draining:
            transcription.stop()
        task = asyncio.create_task(self._serve(transcription), name=f"session-{claim.sid}")
        self._live[claim.entry_id] = transcription
        self._by_session[claim.sid] = transcription
        self._tasks[claim.entry_id] = task
        self._drained.clear()
        metrics.SLOTS_IN_USE.set(len(self._tasks))
        metrics.CLAIMS.labels(how).inc()
        task.add_done_callback(lambda _: self._forget(transcription))
        extra = {"session": claim.sid, "epoch": claim.epoch, "how": how}
        logger.info("session claimed", extra=extra)

    def _forget(self, transcription: Transcription) -> None:
        claim = transcription.claim
        del self._live[claim.entry_id]
        del self._tasks[claim.entry_id]
        if self._by_session.get(claim.sid) is transcription:
            del self._by_session[claim.sid]
        metrics.SLOTS_IN_USE.set(len(self._tasks))
        self._freed.set()
        if self._draining and not self._tasks:
            self._drained.set()

    async def _serve(self, transcription: Transcription) -> None:
        claim = transcription.claim
        session_id.set(claim.sid)
        try:
            over = await transcription.run()
            if over:
                await self._drop_quietly(claim)
                logger.info("session over")
            else:
                await self._hand_off(claim)
        except asyncio.CancelledError:
            if self._draining:
                await self._hand_off(claim)
            raise
        except Fenced:
            logger.warning("session fenced", extra={"epoch": claim.epoch})
            # It is in line twice, or the lease is not ours: kept, it would fence the new owner.
            await self._drop_quietly(claim)
        except SessionGone:
            logger.warning("session gone")
            await self._drop_quietly(claim)
        except Exception:
            # The lease expires and another transcriber tries.
            logger.exception("transcription failed")

    async def _hand_off(self, claim: Claim) -> None:
        try:
            await self._log.hand_off(claim)
        except (BrokerUnavailable, ResponseError):
            logger.warning("not handed off; its lease will expire")
        else:
            logger.info("session handed off")

    async def _drop_quietly(self, claim: Claim) -> None:
        try:
            await self._log.drop(claim.entry_id)
        except (BrokerUnavailable, ResponseError):
            logger.warning("lease not dropped; it will expire")
