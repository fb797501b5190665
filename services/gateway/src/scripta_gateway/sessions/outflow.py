"""The way of a session's results to its client.

Results come by the doorbell or, where that has missed any, are read from the log. Each is given out
once and in order. Always true: a bounded number waits here for a client that does not read; the
others stay in the log. What the client surely has may be dropped from the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from scripta_common.errors import BrokerUnavailable, ScriptaError
from scripta_common.sessionlog import GatewayLog
from scripta_common.tracing import NO_SPAN, Span
from scripta_common.wire import SAMPLE_RATE, Interim, Origin, Recorded, Ring, Speech
from scripta_common.wire import Final as FinalResult
from scripta_gateway.bounds import DROP_STEP, MAX_UNDELIVERED
from scripta_gateway.sessions.deliveries import Deliveries
from scripta_gateway.sessions.exchange import Exchange, News
from scripta_gateway.sessions.log_writer import LogWriter
from scripta_gateway.sessions.speech_news import SpeechNews
from scripta_gateway.telemetry.latency import Stopwatch

_RETRY_FIRST: Final = 0.05
_RETRY_MOST: Final = 1.0


class Outflow:
    """Results of one session that its client has not got yet.

    Args:
        log: The session log.
        sid: The session's id.
        exchange: Where the session stands with its log.
        writer: Writes the session; it writes anew what the log has lost.
        stopwatch: Times the results.
        keep: Number of the last sent results that the log keeps, for a client that comes back.
    """

    def __init__(
        self,
        log: GatewayLog,
        sid: str,
        exchange: Exchange,
        writer: LogWriter,
        stopwatch: Stopwatch,
        *,
        keep: int,
    ) -> None:
        self._log = log
        self._sid = sid
        self._exchange = exchange
        self._writer = writer
        self._stopwatch = stopwatch
        self._keep = keep
        self._undelivered: deque[Recorded | Speech] = deque()
        # Sorts out signals of speech; ``None`` if nobody asks for any.
        self.speech_news: SpeechNews | None = None
        # Only the newest interim matters.
        self._interim: Interim | None = None
        # End of the last final, in seconds: an interim of what lies before comes too late.
        self._decided_until = 0.0
        # Last result that the client had when this connection began. Last one given out, and last
        # one surely sent: what was given out is sent once the next ones are asked for. Last one
        # that the log has dropped.
        self._had = self._given = self._sent = self._dropped = exchange.ledger.index
        # Set when there is something to give out, to read from the log, or to fail with.
        self._wake = asyncio.Event()
        self._failure: ScriptaError | None = None
        self._deliveries = Deliveries()

    @property
    def needless(self) -> int:
        """Last result that nobody needs from the log any more."""
        return max(self._had, self._sent - self._keep)

    @property
    def hoards(self) -> bool:
        """Whether the log holds many results that nobody needs any more."""
        return self.needless - self._dropped >= DROP_STEP

    def dropped(self, index: int) -> None:
        """Records that the log has dropped the results up to this one."""
        self._dropped = index

    async def next_results(self) -> list[Recorded | Interim | Speech]:
        """Waits for results and returns all there are, in order; an interim comes last.

        Signals of speech, if the session asks for them, stand before the results of that speech.

        Cancelled, it has given nothing out.

        Raises:
            ScriptaError: The session can not go on.
        """
        self._sent = self._given
        while True:
            if self._undelivered or self._interim:
                return self._give_out()
            if self._failure is not None:
                raise self._failure
            if self._exchange.behind:
                await self._catch_up()
                continue
            self._wake.clear()
            await self._wake.wait()

    def _give_out(self) -> list[Recorded | Interim | Speech]:
        batch: list[Recorded | Interim | Speech] = list(self._undelivered)
        for result in self._undelivered:
            if not isinstance(result, Speech):
                self._given = result.index
        self._undelivered.clear()
        if self._interim is not None:
            batch.append(self._interim)
            self._interim = None
        return batch

    def ring(self, ring: Ring, now: float, commit: float) -> None:
        """Takes what came by the doorbell; never blocks.

        Args:
            ring: What came.
            now: When it came, on the monotonic clock.
            commit: Seconds since its sender first tried to commit it.
        """
        if ring.checkpoint_seq < 0:
            interim = ring.results[-1]
            if isinstance(interim, Interim):
                self._ring_interim(interim, ring.origins, now)
            elif self.speech_news is not None and len(self._undelivered) < MAX_UNDELIVERED:
                for signal in ring.results:
                    if isinstance(signal, Speech):
                        self._tell(self.speech_news.hear(signal))
            return
        room = len(self._undelivered) < MAX_UNDELIVERED
        if room and self._writer.span.recording:
            self._deliveries.rang(ring)
        if room:
            self._stopwatch.rang(ring.results, ring.origins, now, commit)
        self.take(self._exchange.ring(ring, room=room))

    def _ring_interim(self, interim: Interim, origins: Sequence[Origin | None], now: float) -> None:
        # A slow interim may come behind the final of the same words.
        if self._exchange.behind or interim.start < self._decided_until:
            return
        if self.speech_news is not None:
            self._tell(self.speech_news.guess(interim))
        self._interim = interim
        if origins and (origin := origins[-1]) is not None:
            seq = self._exchange.ledger.seq_at(round(interim.start * SAMPLE_RATE))
            self._stopwatch.rang_interim(interim.start, seq, origin, now)
        self._wake.set()

    def take(self, news: News) -> None:
        """Takes what hearing of the log came to."""
        if news.fresh:
            # What was open is decided; an interim of it would only confuse.
            self._interim = None
            self._enter(news.fresh)
            ends = (result.end for result in news.fresh if isinstance(result, FinalResult))
            self._decided_until = max(self._decided_until, *ends, 0.0)
        if news.moved:
            self._stopwatch.arrivals.forget(self._exchange.ledger.checkpoint.seq)
            self._writer.room.moved()
        if news.fresh:
            self._wake.set()
        self.notice()

    def _enter(self, fresh: Sequence[Recorded]) -> None:
        if self.speech_news is None:
            self._undelivered.extend(fresh)
            return
        for result in fresh:
            self._tell(self.speech_news.decide(result))
            self._undelivered.append(result)
            self._tell(self.speech_news.settle())

    def _tell(self, signals: Sequence[Speech]) -> None:
        self._undelivered.extend(signals)
        if signals:
            self._wake.set()

    def notice(self) -> None:
        """Wakes the deliverer if the log may have results that did not come by the doorbell."""
        if self._exchange.behind:
            self._wake.set()

    def fail(self, error: ScriptaError) -> None:
        """Makes ``next_results`` raise once what is here has been given out."""
        if self._failure is None:
            self._failure = error
        self._wake.set()

    def go_on(self) -> None:
        """Takes back ``fail``: what is still owed is given out after all."""
        self._failure = None

    def begin_delivery(self, final: FinalResult) -> Span:
        """Returns the span of a final that is about to be sent."""
        within = self._writer.span
        return self._deliveries.begin(within, final) if within.recording else NO_SPAN

    def cleared(self, until: float) -> None:
        """Records that what is not decided, up to so many seconds, is dropped."""
        self._interim = None
        self._decided_until = max(self._decided_until, until)
        if self.speech_news is not None:
            self._tell(self.speech_news.clear(until))

    def clear(self) -> None:
        """Frees the results that wait here."""
        self._undelivered.clear()
        self._interim = None

    async def _catch_up(self) -> None:
        # Cancelled in the read, the exchange does not know that it is behind; the next poll of the
        # session tells it again.
        try:
            results = await self._log.read_results(self._sid, self._exchange.next_read())
        except BrokerUnavailable:
            self._exchange.read(None)
            await asyncio.sleep(_RETRY_MOST)
            return
        self.take(self._exchange.read(results))
        if self._exchange.lost:
            await self._writer.heal()
            await asyncio.sleep(_RETRY_FIRST)
