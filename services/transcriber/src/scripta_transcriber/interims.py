"""Interims of one session: at most one under way, only of the open segment, never owed."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import Claim, TranscriberLog
from scripta_common.wire import SAMPLE_RATE, Interim, Origin
from scripta_transcriber import metrics
from scripta_transcriber.engine_call import EngineCall
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.hypothesis import Hypothesis, Words
from scripta_transcriber.metrics import Kind
from scripta_transcriber.scheduler import Priority, Scheduler
from scripta_transcriber.streamed import Streamed

logger = logging.getLogger(__name__)

_HEAD_START: Final = 2.0
"""Seconds by which the first words of a segment go before words that are renewed: its audience
has seen nothing of it. Who has waited for so much longer goes first all the same."""


class Interims:
    """Decides when an interim is worth it, and sends it.

    A streaming engine hears an open segment also for sessions that want no interims: what it has
    heard when the segment ends, the final need not wait for.

    Attributes:
        wanted: Whether anything is to be offered.
    """

    def __init__(
        self, claim: Claim, log: TranscriberLog, engine: Engine, scheduler: Scheduler
    ) -> None:
        self._told = claim.options.interim_results
        self.wanted = self._told or engine.capabilities.streaming
        self._claim = claim
        self._log = log
        self._engine = engine
        self._scheduler = scheduler
        self._task: asyncio.Task[None] | None = None
        self._call: EngineCall[Words] | None = None
        self._hypothesis = self._begin()
        self._last_end = 0
        self._skipped_end = 0
        self._waiting_since: float | None = None

    def offer(self, segment: Segment | None, interval: float) -> None:
        """Starts an interim of the open segment if enough is new and none is under way.

        One that still waits for a thread is about the newest audio when it gets it.

        Args:
            segment: The open segment so far; ``None`` in silence.
            interval: Seconds of new audio that make another one worth it.
        """
        if segment is None or not self._engine.capabilities.interims:
            return
        told, new = max(self._last_end, segment.start), interval * SAMPLE_RATE
        if segment.end - told < new:
            return
        if self._task is not None:
            if self._call is not None:
                self._call.segment = segment
            if segment.end - max(told, self._skipped_end) >= new:
                self._skipped_end = segment.end
                metrics.INTERIMS_SKIPPED.inc(self._told)
            return
        self._last_end = segment.end
        self._call = EngineCall(self._hypothesis.hear, segment, Kind.INTERIM)
        self._task = asyncio.create_task(self._send(self._call), name=f"interim-{self._claim.sid}")
        self._task.add_done_callback(self._finished)

    def close(self) -> object:
        """Drops the interim under way: its segment is decided, or its session is not ours.

        Returns:
            The memo of a streaming engine, for the final of the segment; else ``None``. Nothing
            here keeps it.
        """
        if self._task is not None:
            self._task.cancel()
            self._task = self._call = None
            metrics.INTERIMS_SKIPPED.inc(self._told)
        # Another one, not emptied: a thread may still be at work on it.
        last, self._hypothesis = self._hypothesis, self._begin()
        self._waiting_since = None
        return last.memo if isinstance(last, Streamed) else None

    def _begin(self) -> Hypothesis | Streamed:
        streaming = self._engine.capabilities.streaming
        return Streamed(self._engine) if streaming else Hypothesis(self._engine)

    def _finished(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = self._call = None
            self._waiting_since = time.monotonic()
        if not task.cancelled() and task.exception() is not None:
            logger.warning("interim failed", exc_info=task.exception())

    async def _send(self, call: EngineCall[Words]) -> None:
        since = self._waiting_since
        if since is None:
            since = time.monotonic() - _HEAD_START
        words = await self._scheduler.run(Priority.INTERIM, call, since)
        call.record()
        heard = call.taken
        self._last_end = max(self._last_end, heard.end)
        if not self._told:
            return
        interim = Interim(
            heard.start / SAMPLE_RATE, heard.end / SAMPLE_RATE, words.text, words.stable
        )
        with suppress(BrokerUnavailable):
            if await self._log.ring_interim(self._claim, interim, Origin(0, call.seconds)):
                metrics.INTERIMS.inc()
