"""Which trace a connection belongs to: the client's, or that of the session it came back to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scripta_common.otlp import Otlp
from scripta_common.tracing import NO_SPAN, Tracing, trace_of
from scripta_common.wire import Ended, Final, Origin, Reason, Ring
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.sessions.deliveries import Deliveries

pytestmark = pytest.mark.unit

A, B = "a" * 31 + "1", "b" * 31 + "1"
FIRST = f"00-{A}-{'1' * 16}-01"
SAME = f"00-{A}-{'2' * 16}-01"
OTHER = f"00-{B}-{'3' * 16}-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Iterator[Tracing]:
    running = Tracing(Otlp(spans, Resource({})))
    yield running
    running.close(5)


def handshake(tracing: Tracing, traceparent: str | None) -> Handshake:
    return Handshake(traceparent, tracing, DialectName.VOSK)


def only(tracing: Tracing, spans: InMemorySpanExporter) -> ReadableSpan:
    tracing.close(5)
    (span,) = spans.get_finished_spans()
    return span


def parent(span: ReadableSpan) -> str:
    assert span.context is not None
    assert span.parent is not None
    return f"00-{span.context.trace_id:032x}-{span.parent.span_id:016x}-01"


def links(span: ReadableSpan) -> list[str]:
    return [f"{link.context.span_id:016x}" for link in span.links]


def test_new_session_is_in_its_clients_trace(tracing: Tracing, spans: InMemorySpanExporter) -> None:
    hands = handshake(tracing, OTHER)
    hands.begin().end()
    span = only(tracing, spans)
    assert parent(span) == OTHER
    assert dict(span.attributes or {})["scripta.dialect"] == "vosk"
    assert hands.traceparent == hands.span.traceparent
    assert hands.headers == {"traceresponse": hands.traceparent}


def test_without_tracing_the_clients_trace_is_passed_on() -> None:
    hands = handshake(Tracing(), OTHER)
    assert hands.begin() is NO_SPAN
    assert (hands.traceparent, hands.headers) == (OTHER, {})
    assert handshake(Tracing(), "nonsense").traceparent is None


@pytest.mark.parametrize(
    ("asked", "within", "linked"),
    [
        (None, FIRST, ["1" * 16]),
        (SAME, SAME, ["1" * 16]),
        (OTHER, FIRST, ["1" * 16, "3" * 16]),
    ],
)
def test_session_that_is_resumed_stays_in_its_trace(
    tracing: Tracing,
    spans: InMemorySpanExporter,
    asked: str | None,
    within: str,
    linked: list[str],
) -> None:
    handshake(tracing, asked).resume(FIRST).end()
    span = only(tracing, spans)
    assert (parent(span), links(span)) == (within, linked)


def test_session_that_was_not_traced_joins_its_clients_trace(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    handshake(tracing, OTHER).resume(None).end()
    span = only(tracing, spans)
    assert (parent(span), links(span)) == (OTHER, [])


def test_refusal_is_a_failed_span_with_the_request_id(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    hands = handshake(tracing, None)
    hands.refuse("no_capacity")
    span = only(tracing, spans)
    assert not span.status.is_ok
    assert (span.attributes or {})["scripta.request"] == hands.request_id
    assert trace_of(hands.headers["traceresponse"]) == trace_of(hands.traceparent)


def final(index: int, reason: Reason = Reason.ENDPOINT) -> Final:
    return Final(index, 0.0, 1.0, "secret words", reason)


def test_delivery_is_linked_to_the_utterance_it_comes_from(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    within, deliveries = handshake(tracing, None).begin(), Deliveries()
    origins = (Origin(1, 0.1, SAME), Origin(2, 0.1), None)
    results = (final(1), final(2), Ended(3, 1.0))
    deliveries.rang(Ring("s", 1, 1, 3, results, origins))
    for index in (1, 2):
        deliveries.begin(within, final(index)).end()
    tracing.close(5)
    first, second = spans.get_finished_spans()
    assert (links(first), links(second)) == (["2" * 16], [])
    assert not deliveries._heard
    assert "secret" not in first.to_json()


def test_final_that_was_read_from_the_log_is_delivered_without_a_link(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    within = handshake(tracing, None).begin()
    Deliveries().begin(within, final(1)).end()
    assert links(only(tracing, spans)) == []


def test_message_that_is_no_speech_has_no_delivery(tracing: Tracing) -> None:
    within, deliveries = handshake(tracing, None).begin(), Deliveries()
    told = final(1, Reason.MESSAGE)
    deliveries.rang(Ring("s", 1, 1, 1, (told,), (Origin(1, 0.1, SAME),)))
    assert not deliveries._heard
    assert deliveries.begin(within, told) is NO_SPAN
