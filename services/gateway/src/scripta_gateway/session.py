"""A client's session at the gateway: audio in, results out, whatever happens in between.

The async shell round ``Exchange``. What comes in is entered at once and written into the log by
whoever calls ``write`` (the connection, while there is one); one task takes results; the hub rings.
Back-pressure: ``write`` waits while the session is too far ahead of its transcript, and whoever
enters audio has to heed ``too_far_ahead``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, Self

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
from scripta_gateway.bounds import (
    DROP_STEP,
    MAX_RESULTS_KEPT,
    MAX_UNANSWERED,
    MAX_UNDELIVERED,
    MAX_UNWRITTEN_SECONDS,
)
from scripta_gateway.deliveries import Deliveries
from scripta_gateway.exchange import Exchange, News
from scripta_gateway.latency import Stopwatch
from scripta_gateway.ledger import Ledger
from scripta_gateway.log_writer import Limits, LogWriter
from scripta_gateway.pool_places import Place
from scripta_gateway.takeover import Takeover

__all__ = ["Limits", "Session"]

logger = logging.getLogger(__name__)

_MAX_UNWRITTEN: Final = int(MAX_UNWRITTEN_SECONDS * SAMPLE_RATE)

_RETRY_FIRST: Final = 0.05
_RETRY_MOST: Final = 1.0


class Session:
    """One session, from open to ended, as one connection sees it.

    Args:
        log: The session log.
        sid: The session's id, which opens nothing.
        options: What the session was opened with.
        limits: Bounds.
        exchange: Where it stands with its log; by default at the start.
        stopwatch: Times its results; by default from the start.
        place: By which it goes in line; ``None`` if it has been there already.
        token_digest: Digest of the token that takes it up again; empty: none does.

    Attributes:
        stopwatch: Times its results.
        heard_at: When it was last heard of the session, by the monotonic clock.
        ending: Whether its stream has ended.
    """

    def __init__(
        self,
        log: GatewayLog,
        sid: str,
        options: SessionOptions,
        limits: Limits,
        exchange: Exchange | None = None,
        stopwatch: Stopwatch | None = None,
        *,
        place: Place | None = None,
        token_digest: str = "",
    ) -> None:
        self.sid = sid
        self.options = options
        self.stopwatch = stopwatch or Stopwatch()
        self._log = log
        self._place = place
        ledger = Ledger(int(limits.backlog * SAMPLE_RATE))
        self._exchange = exchange or Exchange(ledger, joined=place is None)
        self._writer = LogWriter(
            log,
            sid,
            options,
            limits,
            self._exchange,
            self.stopwatch,
            place=place,
            token_digest=token_digest,
        )
        self._undelivered: deque[Recorded] = deque()
        # Last result that the client surely has, or that it was sent; the latter is sent once the
        # next ones are asked for. And the last one that the log has dropped.
        self._had = self._sent = self._exchange.ledger.index
        self._taken = self._dropped = self._sent
        self._keep = MAX_RESULTS_KEPT if token_digest else 0
        self._interim: Interim | None = None
        # Set when there is something to deliver, to read up on, or to fail with.
        self._wake = asyncio.Event()
        # End of the last final, in seconds: an interim of what lies before comes too late.
        self._decided_until = 0.0
        self._failure: ScriptaError | None = None
        self._deliveries = Deliveries()
        self.heard_at = time.monotonic()
        self.ending = False

    @classmethod
    async def resumed(
        cls,
        log: GatewayLog,
        sid: str,
        attachment: Attachment,
        index: int,
        limits: Limits,
        *,
        token_digest: str = "",
    ) -> Self:
        """Returns a session that an earlier connection began.

        Args:
            log: The session log.
            sid: The session's id.
            attachment: Where it stands; it is this connection's already.
            index: Last result that the client has.
            limits: Bounds.
            token_digest: Digest of the token that takes it up again.

        Raises:
            NotResumable: The log has lost a part of it meanwhile.
            BrokerUnavailable: The broker does not answer.
        """
        takeover = Takeover(attachment)
        while (after := takeover.next_read()) is not None:
            if not takeover.read(await log.read_entries(sid, after)):
                takeover.polled(await log.poll(sid))
        attachment, retained = takeover.attachment, takeover.entries
        ledger = Ledger.resumed(int(limits.backlog * SAMPLE_RATE), attachment, retained, index)
        exchange = Exchange(
            ledger, connection=attachment.connection, logged=attachment.seq, joined=True
        )
        stopwatch = Stopwatch(before=attachment.seq)
        session = cls(
            log,
            sid,
            attachment.options,
            limits,
            exchange,
            stopwatch,
            token_digest=token_digest,
        )
        over = attachment.status != "open"
        session.ending = over or any(entry.kind is EntryKind.END for entry in retained)
        session.read_up()
        return session

    @property
    def span(self) -> Span:
        """The connection's span."""
        return self._writer.span

    @span.setter
    def span(self, span: Span) -> None:
        self._writer.span = span

    @property
    def client_id(self) -> int:
        """Number that the client sees."""
        return self.options.client_id

    @property
    def connection(self) -> int:
        """Number of this connection among all that the session has had."""
        return self._exchange.connection

    @property
    def spoken(self) -> bool:
        """Whether its client has sent anything that has to be heard."""
        return self._exchange.ledger.last_seq > 0

    @property
    def in_log(self) -> bool:
        """Whether the log may know it; otherwise nothing of it outlives its connection."""
        return self._place is None or self._place.begun

    @property
    def in_line(self) -> bool:
        """Whether it is in its pool's line, or has been served."""
        return self._exchange.joined

    @property
    def over(self) -> bool:
        """Whether the last result is here."""
        return self._exchange.over

    @property
    def messages(self) -> int:
        """Audio messages accepted since the session's start: those that the log has."""
        return self._exchange.ledger.intake_at(self._exchange.logged).messages

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
        return self._writer.room.waited

    @property
    def outstanding(self) -> bool:
        """Whether results are still owed."""
        return self._exchange.ledger.outstanding and not self.over

    @property
    def hoards(self) -> bool:
        """Whether the log holds many results that nobody needs any more."""
        return self._needless - self._dropped >= DROP_STEP

    @property
    def _needless(self) -> int:
        return max(self._had, self._sent - self._keep)

    @property
    def last_entered(self) -> int:
        """Number of the last entry that was entered."""
        return self._exchange.ledger.last_seq

    @property
    def logged(self) -> int:
        """Number of the last entry that the log has."""
        return self._exchange.logged

    @property
    def unwritten(self) -> bool:
        """Whether the log lacks anything that was entered."""
        return self._exchange.unwritten

    @property
    def too_far_ahead(self) -> bool:
        """Whether so much is entered and not written that no more may be entered now."""
        if self.over:
            return False
        ledger, logged = self._exchange.ledger, self._exchange.logged
        waiting = ledger.last_seq - logged
        return waiting > 0 and (
            waiting >= MAX_UNANSWERED or ledger.samples_after(logged) >= _MAX_UNWRITTEN
        )

    def enter(
        self,
        pcm: bytes,
        message_bytes: int,
        *,
        at_rest: bool = True,
        more: bool = False,
        arrived: float | None = None,
    ) -> None:
        """Enters audio of a message; it is accepted once the log has it.

        A message may come in several calls, all but the last with ``more`` and without a size.

        Args:
            pcm: Mono s16le at 16 kHz; may be empty.
            message_bytes: Size of the client's message; 0 for what a decoder held back.
            at_rest: Whether the decoder holds nothing back now.
            more: Whether further audio of the same message follows.
            arrived: When the message was received, on the monotonic clock; by default now.
        """
        now_ms = int(time.time() * 1000)
        ledger, seconds = self._exchange.ledger, len(pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE)
        ledger.enter_audio(pcm, message_bytes, now_ms, at_rest=at_rest, more=more)
        self.stopwatch.audio(ledger.last_seq, arrived or time.monotonic(), seconds)
        metrics.AUDIO_SECONDS.inc(seconds)

    def finalize(self, reason: Reason) -> None:
        """Enters a boundary that ends the current segment; exactly one final follows."""
        self._enter_control(EntryKind.FINALIZE, reason)

    def end(self) -> None:
        """Enters the end of the stream, once: the last finals and then ``Ended`` follow."""
        if self.ending:
            return
        if not self.in_log and not self.spoken:
            self.ending = True
            self._take(self._exchange.end_unheard())
        else:
            self.ending = True
            self._enter_control(EntryKind.END, Reason.END)

    def _enter_control(self, kind: EntryKind, reason: Reason) -> None:
        ledger = self._exchange.ledger
        ledger.enter_control(kind, reason, int(time.time() * 1000))
        self.stopwatch.control(ledger.last_seq, time.monotonic())

    async def write(self) -> None:
        """Brings the log up to all that is entered. Raises as ``write_once``."""
        while await self.write_once():
            pass

    async def write_once(self) -> bool:
        """Makes one call that brings the log nearer to what is entered.

        Returns:
            Whether there may be more to write.

        Raises:
            ScriptaError: As ``LogWriter.write_once``.
        """
        more = await self._writer.write_once()
        if not more and self._exchange.behind:
            self._wake.set()  # how it ended stands in the results
        return more

    async def next_results(self) -> list[Recorded | Interim]:
        """Waits for results and returns all there are, in order; an interim comes last.

        Raises:
            ScriptaError: The session can not go on.
        """
        self._sent = self._taken
        while True:
            if self._undelivered or self._interim:
                batch: list[Recorded | Interim] = list(self._undelivered)
                if self._undelivered:
                    self._taken = self._undelivered[-1].index
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
        room = len(self._undelivered) < MAX_UNDELIVERED
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
        if not self.in_line:
            return  # the log has nothing of it yet
        confirmed = self._exchange.logged
        drop = self._needless
        progress = await self._log.poll(self.sid, self.connection, drop=drop)
        self._dropped = drop
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
        while self._exchange.unwritten and not self._writer.busy:
            if not await self._writer.write_once(wait=False):
                break

    async def withdraw(self) -> bool:
        """Takes it out of the line and the log for good; raises ``BrokerUnavailable``.

        Returns:
            Whether nothing of it is left; otherwise a transcriber has it.
        """
        return await self._writer.withdraw()

    def give_back_place(self) -> None:
        """Frees the place that is held for it while its client has not spoken."""
        if self._place is not None:
            self._place.give_back()

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

    def drop(self) -> None:
        """Frees its audio and results at once: errors keep their frames until garbage is sought."""
        self._exchange.ledger.drop()
        self._undelivered.clear()
        self._interim = None

    def _take(self, news: News) -> None:
        if news.fresh:
            # What was open is decided; an interim of it would only confuse.
            self._interim = None
            self._undelivered.extend(news.fresh)
            ends = (result.end for result in news.fresh if isinstance(result, FinalResult))
            self._decided_until = max(self._decided_until, *ends, 0.0)
        if news.moved:
            self.stopwatch.arrivals.forget(self._exchange.ledger.checkpoint.seq)
            self._writer.room.moved()
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
