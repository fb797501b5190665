"""One session's transcription: from its log to its finals, in one task.

Reads entries behind the checkpoint, lets the segmenter cut, decodes each segment alone and
commits. Everything here can be thrown away at any moment: another transcriber goes on from the
last checkpoint and comes to the same finals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final as Constant
from typing import TypeVar

from scripta_common.broker_clock import BrokerClock
from scripta_common.errors import BrokerUnavailable, EngineFailure
from scripta_common.sessionlog import Claim, Fenced, SessionGone, TranscriberLog
from scripta_common.usage import Used
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Entry, Final, Origin
from scripta_transcriber import metrics
from scripta_transcriber.decisions import Decisions, is_audible
from scripta_transcriber.engine_call import EngineCall
from scripta_transcriber.engines.base import Segment, Segmentation, Transcript
from scripta_transcriber.engines.choice import Choice
from scripta_transcriber.interims import Interims
from scripta_transcriber.lease_trace import LeaseTrace
from scripta_transcriber.listening import Listening
from scripta_transcriber.lookout import Lookout
from scripta_transcriber.metering import Metering
from scripta_transcriber.metrics import Failure, Kind
from scripta_transcriber.quarantine import Quarantine
from scripta_transcriber.rounds import Rounds
from scripta_transcriber.scheduler import Priority, Scheduler
from scripta_transcriber.segmenter.base import Segmenter
from scripta_transcriber.segmenter.speech_watch import SpeechWatch
from scripta_transcriber.segmenter.together import Decided

logger = logging.getLogger(__name__)

T = TypeVar("T")

_READ_ENTRIES: Constant = 64
_PORTION_BYTES: Constant = 8 * SAMPLE_RATE * BYTES_PER_SAMPLE
"""Audio that is listened to in one go, about: bounds how long others wait behind a replay."""

_CHECK_SECONDS: Constant = 1.0
"""How often a silent session is looked at without a ring."""

_POISON: Constant = "This session's audio has ended its transcriber again and again."

_RETRY_FIRST: Constant = 0.05
_RETRY_MOST: Constant = 1.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What all transcriptions of a transcriber share."""

    log: TranscriberLog
    scheduler: Scheduler
    listening: Listening
    rounds: Rounds
    quarantine: Quarantine
    clock: BrokerClock
    metering: Metering
    interim_seconds: float


class Transcription:
    """The work on one claimed session.

    Args:
        claim: Ownership of the session.
        segmenter: Made at the claim's checkpoint.
        choice: What decodes it, or why nothing does.
        tools: What it works with.
        watch: Watches its speech; ``None``: nobody asks about it.

    Attributes:
        claim: Ownership of the session.
        trace: What its trace is told.
        began: When it was made, by the monotonic clock.
    """

    def __init__(
        self,
        claim: Claim,
        segmenter: Segmenter,
        choice: Choice,
        tools: Tools,
        watch: SpeechWatch | None = None,
    ) -> None:
        self.claim = claim
        self._watch = watch
        self._segmenter = segmenter
        self._choice = choice
        self._engine = choice.engine
        self._tools = tools
        self._seq = claim.checkpoint.seq
        self._samples = claim.checkpoint.sample
        by_speech = self._engine.capabilities.segmentation is Segmentation.SPEECH
        self._decisions = Decisions(claim, by_speech=by_speech)
        self._wake = asyncio.Event()
        self._stopping = False
        self.began = time.monotonic()
        self._trial = tools.quarantine.trial(claim)
        self._interims = Interims(claim, tools.log, self._engine, tools.scheduler)
        self.trace = LeaseTrace()

    def ring(self, *, urgent: bool = True) -> None:
        """Says that the log has something new.

        Args:
            urgent: Whether it is looked at even if nobody speaks, and not with the next round.
        """
        if urgent or not self._segmenter.quiet:
            self._wake.set()
        else:
            self._tools.rounds.wake(self._wake)

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks in what it has heard."""
        return self._segmenter.quiet

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping

    def stop(self) -> None:
        """Asks ``run`` to return at the next point where nothing is half done."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> bool:
        """Works until the session is over or ``stop`` is heeded.

        Returns:
            Whether the session is over.

        Raises:
            Fenced: Another transcriber owns the session.
            SessionGone: The broker has lost the session.
        """
        lookout = Lookout(self._wake, _CHECK_SECONDS)
        try:
            return await self._work(lookout)
        except SessionGone:
            # Nobody will decide what was accepted. If its gateway writes the session anew, what is
            # counted here is not counted again.
            self._tools.metering.lose(self._used(self._samples, self._decisions.finals, over=True))
            raise
        finally:
            self._tools.metering.leave(self.claim.sid)
            lookout.close()
            self._interims.close()
            self._trial.close()

    async def _work(self, lookout: Lookout) -> bool:
        if refusal := self._choice.refusal:
            await self._fail(refusal.why, refusal.error.code, str(refusal.error))
            return True
        if not await self._patiently(self._trial.begin):
            await self._fail(Failure.POISON, EngineFailure.code, _POISON)
            return True
        while not self._stopping:
            # Cleared before the read: what comes behind it rings again.
            self._wake.clear()
            entries = await self._patiently(
                partial(self._tools.log.read_on, self.claim, self._seq, _READ_ENTRIES)
            )
            if entries:
                self._samples = entries[-1].end_sample
            was_quiet = self._segmenter.quiet
            if entries and await self._take(entries):
                return True
            # Who has just begun to speak may have rung for the next round meanwhile.
            begins = was_quiet and not self._segmenter.quiet
            if len(entries) < _READ_ENTRIES and not begins and not self._wake.is_set():
                await self._patiently(self._trial.acquit)
                await self._wake.wait()
                if lookout.unrung():
                    await self._patiently(partial(self._tools.log.check, self.claim))
        return False

    async def _take(self, entries: Sequence[Entry]) -> bool:
        self.trace.arrived(entries)
        catching_up = len(entries) == _READ_ENTRIES
        for portion in _portions(entries):
            cuts = await self._listen(portion)
            self._seq = portion[-1].seq
            if self._watch is not None and (signals := self._watch.take()):
                with suppress(BrokerUnavailable):  # nobody is owed them
                    await self._tools.log.ring_speech(self.claim, signals)
            if cuts and await self._decide(cuts, self._interims.close()):
                return True
            if self._stopping:
                return False
        if self._interims.wanted and not catching_up:
            self._interims.offer(self._segmenter.open_segment(), self._tools.interim_seconds)
        return False

    async def _listen(self, entries: Sequence[Entry]) -> Decided:
        if self._engine.capabilities.instant:
            return [(cut, entry.seq) for entry in entries for cut in self._segmenter.feed(entry)]
        return await self._tools.listening.hear(self._segmenter, entries)

    async def _decide(self, cuts: Decided, memo: object) -> bool:
        for cut, by in cuts:
            segment = self._decisions.due(cut)
            utterance = self.trace.utterance(segment)
            try:
                heard, seconds = await self._hear(segment, memo)
            except Exception:
                logger.exception("engine failed")
                self.trace.engine_failed(EngineFailure.code)
                await self._commit()
                message = "The engine failed on this audio."
                await self._fail(Failure.ENGINE_FAILURE, EngineFailure.code, message)
                return True
            origin = Origin(by, seconds, utterance.traceparent)
            self._decisions.decide(cut, segment, heard, origin)
        await self._commit()
        return cuts[-1][0].ended

    async def _hear(self, segment: Segment | None, memo: object) -> tuple[Transcript | None, float]:
        if segment is None or not is_audible(segment):
            return None, 0.0
        transcribe = self._engine.transcribe
        if memo is not None:
            transcribe = partial(transcribe, memo=memo)
        call = EngineCall(transcribe, segment, Kind.FINAL)
        if self._engine.capabilities.instant:
            heard = call()
        else:
            heard = await self._tools.scheduler.run(Priority.FINAL, call)
        call.record()
        self.trace.decoded(call, segment, self._engine.name, self._choice.model)
        return heard, call.seconds

    async def _commit(self) -> None:
        commit = self._decisions.pending()
        used = self._used(commit.checkpoint.sample, commit.finals, over=commit.over)
        if used.over:
            await self._tools.metering.settle(used, partial(self._tools.log.check, self.claim))
        began = time.monotonic()
        attempt = partial(
            self._tools.log.commit,
            self.claim,
            commit.checkpoint,
            commit.after,
            commit.results,
            origins=commit.origins,
            sent_at=self._tools.clock.at(began),
        )
        try:
            await self._patiently(attempt)
        except Fenced:
            metrics.FENCED_COMMITS.inc()
            raise
        metrics.COMMIT_SECONDS.observe(time.monotonic() - began)
        self.trace.committed(began, commit.results, commit.checkpoint.sample)
        self._decisions.committed(commit)
        if not used.over:
            self._tools.metering.progress(used)
        metrics.FINALS.inc(sum(isinstance(result, Final) for result in commit.results))
        self._trial.close()  # it has moved on: the commit has taken everything back

    async def _fail(self, why: Failure, code: str, message: str) -> None:
        self.trace.session_failed(code)
        self._decisions.fail(code, message)
        await self._commit()
        metrics.SESSIONS_FAILED[why].inc()

    def _used(self, samples: int, finals: int, *, over: bool) -> Used:
        options = self.claim.options
        model = self._choice.model
        return Used(self.claim.sid, options.tenant, options.key, model, samples, finals, over)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        # Without end: whether the session is still ours is for the lease to say.
        pause = _RETRY_FIRST
        while True:
            try:
                return await attempt()
            except BrokerUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_MOST)


def _portions(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yields the entries in pieces of some seconds of audio."""
    first = size = 0
    for after, entry in enumerate(entries, start=1):
        size += len(entry.pcm)
        if size >= _PORTION_BYTES or after == len(entries):
            yield entries[first:after]
            first, size = after, 0
