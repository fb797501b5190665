"""What a trace is told of one lease: its utterances, from their first audio to their commit.

An utterance is a segment that a final is made of. Its span ends with its commit, so that all that
was decided can be seen even if this process is killed; what was open when the lease ended says
so. Interims have no spans: there are too many, and nobody is owed one. Nor has what is not speech
(the mock engine's messages).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from scripta_common import keys
from scripta_common.sessionlog import Claim
from scripta_common.span_kinds import Kind
from scripta_common.tracing import NO_SPAN, Span, Tracing, sibling
from scripta_common.wire import SAMPLE_RATE, Entry, Reason, Recorded
from scripta_common.wire import Final as FinalResult
from scripta_transcriber.engine_call import EngineCall
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.leases import Ending
from scripta_transcriber.metrics import How


class LeaseTrace:
    """The spans of one lease; nothing is kept unless they are recorded.

    Args:
        span: The lease's.
    """

    def __init__(self, span: Span = NO_SPAN) -> None:
        self._span = span
        # End of what was read at a time, and the time, behind the checkpoint.
        self._arrivals: list[tuple[int, int]] = []
        # Of finals that are not committed, in their order.
        self._open: list[Span] = []

    def arrived(self, entries: Sequence[Entry]) -> None:
        """Notes that entries have just been read."""
        if self._span.recording:
            self._arrivals.append((entries[-1].end_sample, time.time_ns()))

    def utterance(self, segment: Segment | None) -> Span:
        """Returns the span of a segment that is decoded next."""
        if not self._span.recording or segment is None or segment.reason is Reason.MESSAGE:
            return NO_SPAN
        span = self._span.child(
            "utterance",
            attributes={
                "scripta.start_seconds": segment.start / SAMPLE_RATE,
                "scripta.seconds": segment.seconds,
                "scripta.reason": segment.reason,
            },
            at=self._arrival(segment.start),
        )
        self._open.append(span)
        return span

    def decoded(
        self, call: EngineCall[Transcript], segment: Segment, engine: str, model: str
    ) -> None:
        """Records that an engine with a model has heard the last utterance."""
        if not self._open:
            return
        now = time.perf_counter()
        decode = self._open[-1].child(
            "decode",
            attributes={
                "scripta.engine": engine,
                "scripta.model": model,
                "scripta.seconds": segment.seconds,
                "scripta.queue_seconds": call.queued,
            },
            at=_unix_ns(call.began, now),
        )
        decode.end(_unix_ns(call.ended, now))

    def committed(self, began: float, results: Sequence[Recorded], checkpoint: int) -> None:
        """Records that all that is open has been committed.

        Args:
            began: When it was first tried, on the monotonic clock.
            results: What was committed.
            checkpoint: Sample up to which the session is decided now.
        """
        if self._open:
            began_ns, now = _unix_ns(began, time.monotonic()), time.time_ns()
            finals = (result for result in results if isinstance(result, FinalResult))
            for utterance, final in zip(self._open, finals, strict=False):
                utterance.child("commit", at=began_ns).end(now)
                utterance.set({"scripta.index": final.index})
                utterance.end(now)
            self._open.clear()
        if self._arrivals:
            self._arrivals = [mark for mark in self._arrivals if mark[0] > checkpoint]

    def engine_failed(self, code: str) -> None:
        """Records that the engine could not decode the last utterance."""
        if self._open:
            utterance = self._open.pop()
            utterance.fail(code)
            utterance.end()

    def moved(self) -> None:
        """Records that the session is handed over to a transcriber that has less to do."""
        self._span.event("moved")

    def session_failed(self, code: str) -> None:
        """Records that the session can not go on."""
        self._span.fail(code)

    def end(self, ending: Ending) -> None:
        """Ends the lease's span, and what is open in it."""
        for utterance in self._open:
            utterance.event("not committed")
            utterance.end()
        self._span.set({"scripta.ending": ending})
        if ending is Ending.FAILED:
            self._span.fail("internal")
        self._span.end()

    def _arrival(self, sample: int) -> int | None:
        return next((at for end, at in self._arrivals if end > sample), None)


class LeaseTraces:
    """Begins the traces of a transcriber's leases.

    Args:
        tracing: Where spans begin.
        transcriber_id: This transcriber.
    """

    def __init__(self, tracing: Tracing, transcriber_id: str) -> None:
        self._tracing = tracing
        self._id = transcriber_id

    def new_span_id(self) -> str:
        """Returns the id of the span of a lease that is about to be claimed."""
        return self._tracing.new_span_id()

    def begin(self, claim: Claim, how: How, *, at: int, span_id: str) -> LeaseTrace:
        """Returns the trace of a lease, linked to that of its former owner.

        Args:
            claim: The lease.
            how: How the session came here.
            at: When it was claimed, in Unix nanoseconds.
            span_id: The id that the claim has left for those who come after it.
        """
        if not self._tracing.on:
            return LeaseTrace()
        former = sibling(claim.options.traceparent, claim.former_span)
        pool = claim.options.pool
        span = self._tracing.start(
            "lease",
            Kind.CONSUMER,
            parent=claim.options.traceparent,
            links=[former] if former else (),
            attributes={
                "messaging.system": "redis",
                "messaging.operation.type": "process",
                "messaging.destination.name": keys.assign(pool),
                "messaging.consumer.group.name": keys.GROUP,
                "scripta.session": claim.sid,
                "scripta.transcriber": self._id,
                "scripta.pool": pool,
                "scripta.epoch": claim.epoch,
                "scripta.how": how,
            },
            at=at,
            span_id=span_id,
        )
        return LeaseTrace(span)


NO_TRACES: Final = LeaseTraces(Tracing(), "")


def _unix_ns(moment: float, now: float) -> int:
    """Returns a moment on a clock that says ``now``, in Unix nanoseconds."""
    return time.time_ns() - round((now - moment) * 1e9)
