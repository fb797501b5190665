"""The trace of a lease: true times, true parents, and an end for all that was begun."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scripta_common.otlp import Otlp
from scripta_common.sessionlog import Claim, SessionOptions
from scripta_common.tracing import NO_SPAN, Tracing
from scripta_common.wire import Checkpoint, Ended, Entry, EntryKind, Final, Reason
from scripta_transcriber.engine_call import EngineCall
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.lease_trace import LeaseTrace, LeaseTraces
from scripta_transcriber.leases import Ending
from scripta_transcriber.metrics import How, Kind

pytestmark = pytest.mark.unit

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SESSION = "00f067aa0ba902b7"
FORMER = "1" * 16
OWN = "2" * 16


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Iterator[Tracing]:
    running = Tracing(Otlp(spans, Resource({})))
    yield running
    running.close(5)


def begin(tracing: Tracing, *, traceparent: str | None, former: str = "") -> LeaseTrace:
    options = SessionOptions(traceparent=traceparent, pool="big")
    claim = Claim("sid", b"1-0", 3, Checkpoint(), 0, options, former_span=former)
    traces = LeaseTraces(tracing, "t-1")
    return traces.begin(claim, How.EXPIRED, at=time.time_ns(), span_id=OWN)


def traced(tracing: Tracing) -> LeaseTrace:
    return begin(tracing, traceparent=f"00-{TRACE}-{SESSION}-01", former=FORMER)


def entry(seq: int, first: int, samples: int) -> Entry:
    return Entry(seq, EntryKind.AUDIO, first, bytes(2 * samples))


def segment(start: int, samples: int, reason: Reason = Reason.ENDPOINT) -> Segment:
    return Segment(start, bytes(2 * samples), reason)


def final(index: int) -> Final:
    return Final(index, 0.0, 1.0, "secret words", Reason.ENDPOINT)


def heard(asked: Segment) -> EngineCall[Transcript]:
    call = EngineCall(lambda _: Transcript("secret words"), asked, Kind.FINAL)
    call()
    return call


def by_name(tracing: Tracing, spans: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    tracing.close(5)
    found: dict[str, list[ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_id(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent is not None else ""


def times(span: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


def test_lease_has_the_promised_id_and_a_link_to_the_one_before(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    traced(tracing).end(Ending.OVER)
    (lease,) = by_name(tracing, spans)["lease"]
    assert (span_id(lease), parent_id(lease)) == (OWN, SESSION)
    assert [f"{link.context.span_id:016x}" for link in lease.links] == [FORMER]
    assert lease.attributes is not None
    assert lease.attributes["scripta.how"] == "expired"
    assert lease.attributes["scripta.ending"] == "over"
    assert lease.attributes["messaging.destination.name"] == "scripta:v1:assign:big"


def test_utterance_lasts_from_its_first_audio_to_its_commit(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    trace = traced(tracing)
    read_at = []
    for number in range(3):
        read_at.append(time.time_ns())
        trace.arrived([entry(number + 1, number * 100, 100)])
    asked = segment(150, 120)
    utterance = trace.utterance(asked)
    trace.decoded(heard(asked), asked, "letters", "letters-tiny")
    began = time.monotonic()
    trace.committed(began, [final(7), Ended(8, 1.0)], 270)
    trace.end(Ending.OVER)
    found = by_name(tracing, spans)
    (told,), (decode,), (commit,) = found["utterance"], found["decode"], found["commit"]
    assert utterance.traceparent == f"00-{TRACE}-{span_id(told)}-01"
    # The second of three reads brought sample 150.
    assert read_at[1] <= times(told)[0] <= read_at[2]
    assert {parent_id(decode), parent_id(commit)} == {span_id(told)}
    assert parent_id(told) == OWN
    order = [times(told)[0], *times(decode), *times(commit), times(told)[1]]
    assert order == sorted(order)
    assert told.attributes is not None
    assert told.attributes["scripta.index"] == 7
    assert "secret" not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_utterances_of_one_commit_get_their_own_indexes(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    trace = traced(tracing)
    trace.arrived([entry(1, 0, 1000)])
    for start in (0, 400):
        trace.utterance(segment(start, 300))
    trace.committed(time.monotonic(), [final(4), final(5)], 700)
    trace.end(Ending.STOPPED)
    told: Sequence[ReadableSpan] = by_name(tracing, spans)["utterance"]
    assert [(span.attributes or {})["scripta.index"] for span in told] == [4, 5]


def test_what_was_not_committed_ends_with_the_lease_and_says_so(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    trace = traced(tracing)
    trace.arrived([entry(1, 0, 1000)])
    trace.utterance(segment(0, 300))
    trace.end(Ending.FENCED)
    (told,) = by_name(tracing, spans)["utterance"]
    assert [event.name for event in told.events] == ["not committed"]
    assert "scripta.index" not in (told.attributes or {})


def test_engine_that_fails_marks_its_utterance_and_its_lease(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    trace = traced(tracing)
    trace.utterance(segment(0, 300))
    trace.engine_failed("engine_failure")
    trace.session_failed("engine_failure")
    trace.end(Ending.OVER)
    found = by_name(tracing, spans)
    failed = [span for name in ("utterance", "lease") for span in found[name]]
    assert [(span.attributes or {})["error.type"] for span in failed] == ["engine_failure"] * 2


def test_message_that_is_no_speech_and_silence_are_no_utterances(tracing: Tracing) -> None:
    trace = traced(tracing)
    assert trace.utterance(segment(0, 300, Reason.MESSAGE)) is NO_SPAN
    assert trace.utterance(None) is NO_SPAN


def test_times_of_arrival_are_forgotten_behind_the_checkpoint(tracing: Tracing) -> None:
    """Guards a list that grows for as long as a session lasts."""
    trace = traced(tracing)
    for number in range(100):
        trace.arrived([entry(number + 1, number * 100, 100)])
    trace.committed(time.monotonic(), [], 9_850)
    assert len(trace._arrivals) == 2


def test_lease_without_tracing_keeps_nothing() -> None:
    trace = begin(Tracing(), traceparent=f"00-{TRACE}-{SESSION}-01")
    trace.arrived([entry(1, 0, 100)])
    assert trace.utterance(segment(0, 100)) is NO_SPAN
    trace.committed(time.monotonic(), [final(1)], 100)
    trace.end(Ending.OVER)
    assert trace._arrivals == trace._open == []
