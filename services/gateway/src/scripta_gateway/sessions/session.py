"""A client's session at the gateway: audio in, results out, whatever happens in between.

The async shell round ``Exchange``. Audio that comes in is entered at once. Whoever calls ``write``
(the connection, while there is one) brings it into the log. One task asks for results, which come
by the hub's doorbell; see ``Outflow``. Back-pressure: ``write`` waits while the session is too far
ahead of its transcript. Whoever enters audio has to heed ``too_far_ahead``.
"""

from __future__ import annotations

import time

from scripta_common.errors import ScriptaError
from scripta_common.sessionlog import GatewayLog, SessionOptions
from scripta_common.tracing import Span
from scripta_common.wire import (
    BYTES_PER_SAMPLE,
    SAMPLE_RATE,
    EntryKind,
    Interim,
    Reason,
    Recorded,
    Ring,
    Speech,
)
from scripta_common.wire import Final as FinalResult
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.admission.pool_places import Place
from scripta_gateway.bounds import MAX_RESULTS_KEPT
from scripta_gateway.quotas.seats import Seat
from scripta_gateway.sessions.exchange import Exchange
from scripta_gateway.sessions.ledger import Ledger
from scripta_gateway.sessions.log_writer import Limits, LogWriter
from scripta_gateway.sessions.outflow import Outflow
from scripta_gateway.sessions.speech_news import SpeechNews
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.latency import Stopwatch
from scripta_gateway.telemetry.tenant_metrics import TENANTS

__all__ = ["Limits", "Session"]


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
        caller: For whom it is.
        token_digest: Digest of the token that takes it up again; empty: none does.

    Attributes:
        caller: For whom it is.
        seat: Its seat; ``None`` if its caller has no limits that it counts for.
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
        caller: Caller = ANONYMOUS,
        token_digest: str = "",
    ) -> None:
        self.caller = caller
        self.seat: Seat | None = None
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
        self._outflow = Outflow(
            log,
            sid,
            self._exchange,
            self._writer,
            self.stopwatch,
            keep=MAX_RESULTS_KEPT if token_digest else 0,
        )
        self._watch_speech()
        self.heard_at = time.monotonic()
        self.ending = False

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
        return self._outflow.hoards

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
        return self._exchange.too_far_ahead

    def configure(self, options: SessionOptions, place: Place | None) -> None:
        """Takes other options; only before anything is entered.

        Args:
            options: The options.
            place: The place that it has from now on; ``None`` leaves it the one that it has.
        """
        self.options = options
        if place is not None:
            self.give_back_place()
            self._place = place
        self._writer.configure(options, self._place)
        self._watch_speech()

    def _watch_speech(self) -> None:
        asked = self.options.speech_events or self.options.silence_ms is not None
        index = self._exchange.ledger.index
        self._outflow.speech_news = SpeechNews(index) if asked else None

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
        TENANTS.accepted(self.options.tenant, seconds)

    def finalize(self, reason: Reason) -> None:
        """Enters a boundary that ends the current segment; exactly one final follows."""
        self._enter_control(EntryKind.FINALIZE, reason)

    def pause(self) -> None:
        """Enters that the client paused: a boundary if speech had ended before, else nothing."""
        ledger = self._exchange.ledger
        ledger.enter_pause(int(time.time() * 1000))
        self.stopwatch.control(ledger.last_seq, time.monotonic())

    def clear(self) -> None:
        """Drops what is accepted and not decided: no final follows, and no interim any more."""
        if self._exchange.ledger.enter_clear(int(time.time() * 1000)):
            self.stopwatch.control(self._exchange.ledger.last_seq, time.monotonic())
            self._outflow.cleared(self.seconds)

    def end(self) -> None:
        """Enters the end of the stream, once: the last finals and then ``Ended`` follow."""
        if self.ending:
            return
        self.ending = True
        if not self.in_log and not self.spoken:
            self._outflow.take(self._exchange.end_unheard())
        else:
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
        if not more:
            self._outflow.notice()  # how it ended stands in the results
        return more

    async def heal(self) -> None:
        """Writes what the log lacks, as far as there is room; raises as ``write_once``."""
        await self._writer.heal()

    async def next_results(self) -> list[Recorded | Interim | Speech]:
        """Waits for results and returns all there are, in order; an interim comes last.

        Signals of speech, if the session asks for them, stand before the results of that speech.

        Raises:
            ScriptaError: The session can not go on.
        """
        return await self._outflow.next_results()

    def ring(self, ring: Ring, commit: float = 0.0) -> None:
        """Takes what came by the doorbell; never blocks.

        Args:
            ring: What came.
            commit: Seconds since its sender first tried to commit it.
        """
        self.heard_at = time.monotonic()
        self._outflow.ring(ring, self.heard_at, commit)

    async def reconcile(self) -> None:
        """Compares with the log: heals whatever the doorbell missed or the broker lost.

        Raises:
            ScriptaError: As ``write_once``.
        """
        self.heard_at = time.monotonic()
        if not self.in_line:
            return  # the log has nothing of it yet
        confirmed = self._exchange.logged
        drop = self._outflow.needless
        progress = await self._log.poll(self.sid, self.connection, drop=drop)
        self._outflow.dropped(drop)
        self._outflow.take(self._exchange.polled(progress, confirmed))
        await self.heal()
        if progress is not None and not progress.over and self.outstanding:
            await self._writer.stay_in_line(progress.owner)

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
        return self._outflow.begin_delivery(final)

    def read_up(self) -> None:
        """Makes the deliverer look into the log: rings may have been missed."""
        self._exchange.behind = True
        self._outflow.notice()

    def fail(self, error: ScriptaError) -> None:
        """Ends the session for its client, once what is there has been delivered."""
        self._outflow.fail(error)

    def go_on(self) -> None:
        """Takes back ``fail``: what is still owed to its client is delivered after all."""
        self._outflow.go_on()

    def drop(self) -> None:
        """Frees its audio and results at once: errors keep their frames until garbage is sought."""
        self._exchange.ledger.drop()
        self._outflow.clear()
