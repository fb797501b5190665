"""A client's session at the gateway: audio in, results out, whatever happens in between.

The async shell round ``Exchange``. One task appends (the connection's receiver), one takes
results (its deliverer); the hub rings. Back-pressure: ``append`` returns when the audio is in
the log, and waits while the session is too far ahead of its transcript.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Self, TypeVar

from scripta_common.errors import BrokerUnavailable, ScriptaError
from scripta_common.sessionlog import Attachment, GatewayLog, SessionOptions
from scripta_common.tracing import NO_SPAN, Span
from scripta_common.wire import (
    BYTES_PER_SAMPLE,
    SAMPLE_RATE,
    EntryKind,
    Interim,
    Origin,
    Reason,
    Recorded,
    Ring,
)
from scripta_common.wire import Final as FinalResult
from scripta_gateway import metrics
from scripta_gateway.deliveries import Deliveries
from scripta_gateway.exchange import Append, AwaitRoom, Exchange, News, Restore
from scripta_gateway.latency import Stopwatch
from scripta_gateway.ledger import Ledger
from scripta_gateway.room import Room
from scripta_gateway.takeover import Takeover

logger = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_UNDELIVERED: Final = 512
"""Results kept for a client that does not read; more stay in the log until it does."""

_RETRY_FIRST: Final = 0.05
_RETRY_MOST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a session, in seconds."""

    backlog: float
    stall: float
    broker_patience: float


class Session:
    """One session, from open to ended, as one connection sees it.

    Args:
        log: The session log.
        sid: The session's id: secret enough to resume by.
        options: What the session was opened with.
        limits: Bounds.

    Attributes:
        span: The connection's span.
        stopwatch: Times its results.
        heard_at: When it was last heard of the session, by the monotonic clock.
        ending: Whether its stream has ended.
    """

    def __init__(self, log: GatewayLog, sid: str, options: SessionOptions, limits: Limits) -> None:
        self.sid = sid
        self.options = options
        self._log = log
        self._limits = limits
        self._exchange = Exchange(Ledger(int(limits.backlog * SAMPLE_RATE)))
        self._undelivered: deque[Recorded] = deque()
        self._interim: Interim | None = None
        # Set when there is something to deliver, to read up on, or to fail with.
        self._wake = asyncio.Event()
        self._room = Room(limits.stall)
        self._flushing = asyncio.Lock()
        # End of the last final, in seconds: an interim of what lies before comes too late.
        self._decided_until = 0.0
        self._failure: ScriptaError | None = None
        self.span = NO_SPAN
        self._deliveries = Deliveries()
        self.stopwatch = Stopwatch()
        self.heard_at = time.monotonic()
        self.ending = False

    @classmethod
    async def resumed(
        cls, log: GatewayLog, sid: str, attachment: Attachment, index: int, limits: Limits
    ) -> Self:
        """Returns a session that an earlier connection began.

        Args:
            log: The session log.
            sid: The session's id.
            attachment: Where it stands; it is this connection's already.
            index: Last result that the client has.
            limits: Bounds.

        Raises:
            NotResumable: The log has lost a part of it meanwhile.
            BrokerUnavailable: The broker does not answer.
        """
        session = cls(log, sid, attachment.options, limits)
        takeover = Takeover(attachment)
        while (after := takeover.next_read()) is not None:
            if not takeover.read(await log.read_entries(sid, after)):
                takeover.polled(await log.poll(sid))
        attachment, retained = takeover.attachment, takeover.entries
        ledger = Ledger.resumed(int(limits.backlog * SAMPLE_RATE), attachment, retained, index)
        session._exchange = Exchange(
            ledger, connection=attachment.connection, logged=attachment.seq
        )
        session.stopwatch = Stopwatch(before=attachment.seq)
        over = attachment.status != "open"
        session.ending = over or any(entry.kind is EntryKind.END for entry in retained)
        session.read_up()
        return session

    @property
    def client_id(self) -> int:
        """Number that the client sees."""
        return self.options.client_id

    @property
    def connection(self) -> int:
        """Number of this connection among all that the session has had."""
        return self._exchange.connection

    @property
    def over(self) -> bool:
        """Whether the last result is here."""
        return self._exchange.over

    @property
    def messages(self) -> int:
        """Audio messages accepted since the session's start."""
        return self._exchange.ledger.intake.messages

    @property
    def seconds(self) -> float:
        """Seconds of audio accepted."""
        return self._exchange.ledger.samples / SAMPLE_RATE

    @property
    def undecided_seconds(self) -> float:
        """Seconds of audio accepted and not yet covered by a checkpoint."""
        ledger = self._exchange.ledger
        return 0.0 if self.over else (ledger.samples - ledger.checkpoint.sample) / SAMPLE_RATE

    @property
    def held_back(self) -> float:
        """Seconds for which the client has had to wait for room."""
        return self._room.waited

    @property
    def outstanding(self) -> bool:
        """Whether results are still owed."""
        return self._exchange.ledger.outstanding and not self.over

    async def append(
        self,
        pcm: bytes,
        message_bytes: int,
        *,
        at_rest: bool = True,
        arrived: float | None = None,
        more: bool = False,
    ) -> None:
        """Puts a message's audio into the log; when this returns, it is accepted.

        A message may come in several calls, all but the last with ``more`` and without a size.

        Args:
            pcm: Mono s16le at 16 kHz; may be empty.
            message_bytes: Size of the client's message; 0 for what a decoder held back.
            at_rest: Whether the decoder holds nothing back now.
            arrived: When the message was received, on the monotonic clock; by default now.
            more: Whether the message goes on with the next call.

        Raises:
            Superseded: Another connection has the session.
            SessionLost: The broker has lost what can not be written anew.
            NoCapacity: The transcript does not move on and the backlog is full.
            BrokerUnavailable: The broker does not answer, for too long.
        """
        now_ms = int(time.time() * 1000)
        ledger, seconds = self._exchange.ledger, len(pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE)
        ledger.enter_audio(pcm, message_bytes, now_ms, at_rest=at_rest, more=more)
        self.stopwatch.audio(ledger.last_seq, arrived or time.monotonic(), seconds)
        await self._flush()
        self.stopwatch.handled(time.monotonic())
        metrics.AUDIO_SECONDS.inc(seconds)

    async def finalize(self, reason: Reason) -> None:
        """Ends the current segment now; exactly one final follows. Raises as ``append``."""
        await self._enter_control(EntryKind.FINALIZE, reason)

    async def end(self) -> None:
        """Ends the stream: the last finals and then ``Ended`` follow. Raises as ``append``."""
        if self.ending:
            await self._flush()
        else:
            self.ending = True
            await self._enter_control(EntryKind.END, Reason.END)

    async def _enter_control(self, kind: EntryKind, reason: Reason) -> None:
        ledger = self._exchange.ledger
        ledger.enter_control(kind, reason, int(time.time() * 1000))
        self.stopwatch.control(ledger.last_seq, time.monotonic())
        await self._flush()

    async def next_results(self) -> list[Recorded | Interim]:
        """Waits for results and returns all there are, in order; an interim comes last.

        Raises:
            ScriptaError: The session can not go on.
        """
        while True:
            if self._undelivered or self._interim:
                batch: list[Recorded | Interim] = list(self._undelivered)
                self._undelivered.clear()
                if self._interim is not None:
                    batch.append(self._interim)
                    self._interim = None
                return batch
            if self._failure is not None:
                raise self._failure
            if self._exchange.behind:
                await self._catch_up()
                continue
            self._wake.clear()
            await self._wake.wait()

    def ring(self, ring: Ring, commit: float = 0.0) -> None:
        """Takes what came by the doorbell; never blocks.

        Args:
            ring: What came.
            commit: Seconds since its sender first tried to commit it.
        """
        self.heard_at = time.monotonic()
        if ring.checkpoint_seq < 0:
            interim = ring.results[-1]
            if not isinstance(interim, Interim) or self._exchange.behind:
                return
            if interim.start >= self._decided_until:  # a slow one may come behind its final
                self._interim = interim  # only the newest matters
                self._time_interim(interim, ring.origins)
                self._wake.set()
            return
        room = len(self._undelivered) < _MAX_UNDELIVERED
        if room and self.span.recording:
            self._deliveries.rang(ring)
        if room:
            self.stopwatch.rang(ring.results, ring.origins, self.heard_at, commit)
        self._take(self._exchange.ring(ring, room=room))

    def _time_interim(self, interim: Interim, origins: Sequence[Origin | None]) -> None:
        if origins and (origin := origins[-1]) is not None:
            seq = self._exchange.ledger.seq_at(round(interim.start * SAMPLE_RATE))
            self.stopwatch.rang_interim(interim.start, seq, origin, self.heard_at)

    async def reconcile(self) -> None:
        """Compares with the log: heals whatever the doorbell missed or the broker lost.

        Raises:
            ScriptaError: As ``append``.
        """
        self.heard_at = time.monotonic()
        confirmed = self._exchange.logged
        progress = await self._log.poll(self.sid)
        self._take(self._exchange.polled(progress, confirmed))
        await self._heal()
        if progress is not None and not progress.over and self.outstanding:
            await self._stay_in_line(progress.owner)

    async def _stay_in_line(self, owner: str) -> None:
        pool = self.options.pool
        if self._exchange.looked_in_line(await self._log.is_served(owner, pool)):
            await self._log.assign(self.sid, pool)
            self.span.event("put in line again")
            logger.warning("session put in line again", extra={"session": self.sid})

    async def _heal(self) -> None:
        # Whoever is at it, perhaps waiting for room, writes again what is lost.
        if self._exchange.unwritten and not self._flushing.locked():
            await self._flush(wait=False)

    def begin_delivery(self, final: FinalResult) -> Span:
        """Returns the span of a final that is about to be sent."""
        return self._deliveries.begin(self.span, final) if self.span.recording else NO_SPAN

    def read_up(self) -> None:
        """Makes the deliverer look into the log: rings may have been missed."""
        self._exchange.behind = True
        self._wake.set()

    def fail(self, error: ScriptaError) -> None:
        """Ends the session for its client, once what is there has been delivered."""
        if self._failure is None:
            self._failure = error
        self._wake.set()

    def _take(self, news: News) -> None:
        if news.fresh:
            # What was open is decided; an interim of it would only confuse.
            self._interim = None
            self._undelivered.extend(news.fresh)
            ends = (result.end for result in news.fresh if isinstance(result, FinalResult))
            self._decided_until = max(self._decided_until, *ends, 0.0)
        if news.moved:
            self.stopwatch.arrivals.forget(self._exchange.ledger.checkpoint.seq)
            self._room.moved()
        if news.fresh or self._exchange.behind:
            self._wake.set()

    async def _catch_up(self) -> None:
        try:
            results = await self._log.read_results(self.sid, self._exchange.next_read())
        except BrokerUnavailable:
            self._exchange.read(None)
            await asyncio.sleep(_RETRY_MOST)
            return
        self._take(self._exchange.read(results))
        if self._exchange.lost:
            await self._heal()
            await asyncio.sleep(_RETRY_FIRST)

    async def _flush(self, *, wait: bool = True) -> None:
        """Brings the log up to the ledger; an interrupted flush is taken up by the next.

        Args:
            wait: Whether to wait for room; otherwise what there is no room for is left.
        """
        async with self._flushing:
            while (write := self._exchange.next_write()) is not None:
                match write:
                    case AwaitRoom():
                        if not wait:
                            return
                        if not self.held_back:
                            self.span.event("held back")
                        await self._room.wait()
                    case Restore(standing):
                        restore = partial(self._log.restore, self.sid, self.options, standing)
                        self._exchange.restored(write, await self._patiently(restore))
                        seq = self._exchange.logged
                        self.span.event("restored", {"scripta.seq": seq})
                        logger.warning("session restored", extra={"session": self.sid, "seq": seq})
                    case Append(entry):
                        append = partial(self._log.append, self.sid, entry, self.connection)
                        answer = await self._patiently(append)
                        self.stopwatch.arrivals.logged(entry.seq, time.monotonic())
                        if not self._exchange.appended(write, *answer):
                            self._wake.set()  # how it ended stands in the results
                            return

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeats a call to the log while the broker does not answer, for a bounded time."""
        pause = _RETRY_FIRST
        give_up_at = time.monotonic() + self._limits.broker_patience
        while True:
            try:
                return await attempt()
            except BrokerUnavailable:
                if time.monotonic() >= give_up_at:
                    raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_MOST)
