"""Spans: what goes into them, what it costs where there are none, whose trace they are in."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scripta_common.otlp import ComplainingExporter, Otlp
from scripta_common.span_kinds import Kind
from scripta_common.tracing import (
    NO_SPAN,
    Tracing,
    read_traceparent,
    sibling,
    trace_of,
)

pytestmark = pytest.mark.unit

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Iterator[Tracing]:
    running = Tracing(Otlp(spans, Resource({"service.name": "test"})))
    yield running
    running.close(5)


def finished(tracing: Tracing, spans: InMemorySpanExporter) -> Sequence[ReadableSpan]:
    tracing.close(5)
    return spans.get_finished_spans()


def context_of(span: ReadableSpan) -> tuple[str, str]:
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (SAMPLED, SAMPLED),
        (f" {SAMPLED} ", SAMPLED),
        (f"00-{TRACE}-{CALLER}-00", f"00-{TRACE}-{CALLER}-00"),
        (f"cc-{TRACE}-{CALLER}-01-what-comes-later", SAMPLED),
        (None, None),
        ("", None),
        (f"ff-{TRACE}-{CALLER}-01", None),
        (f"00-{'0' * 32}-{CALLER}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (SAMPLED.upper(), None),
        (f"00-{TRACE}-{CALLER}", None),
        (f"01-{TRACE}-{CALLER}-01-{'x' * 400}", None),
    ],
)
def test_only_a_traceparent_is_taken_for_one(header: str | None, read: str | None) -> None:
    assert read_traceparent(header) == read


def test_parts_of_a_traceparent_are_found_or_there_are_none() -> None:
    assert (trace_of(SAMPLED), trace_of(None)) == (TRACE, None)
    assert sibling(SAMPLED, "1" * 16) == f"00-{TRACE}-{'1' * 16}-01"
    assert sibling(None, "1" * 16) is sibling(SAMPLED, "") is None


def test_span_is_in_its_parents_trace_and_has_what_was_said(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    span = tracing.start(
        "session", Kind.SERVER, parent=SAMPLED, links=[SAMPLED], attributes={"a": 1}, at=10
    )
    child = span.child("deliver", at=20, attributes={"b": "x"})
    child.end(30)
    span.set({"c": 2.5})
    span.event("held back")
    span.fail("engine_failure")
    span.end(40)
    inner, outer = finished(tracing, spans)
    assert span.traceparent is not None
    assert context_of(outer) == (trace_of(span.traceparent), span.traceparent.split("-")[2])
    assert outer.parent is not None
    assert inner.parent == outer.context
    assert f"{outer.parent.span_id:016x}" == CALLER
    assert [f"{link.context.span_id:016x}" for link in outer.links] == [CALLER]
    assert (outer.start_time, outer.end_time, inner.start_time, inner.end_time) == (10, 40, 20, 30)
    assert outer.attributes == {"a": 1, "c": 2.5, "error.type": "engine_failure"}
    assert [event.name for event in outer.events] == ["held back"]
    assert not outer.status.is_ok
    assert outer.kind.name == "SERVER"


def test_span_without_a_parent_begins_a_trace_whatever_the_task_is_in(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    first, second = (tracing.start("session", Kind.SERVER) for _ in range(2))
    first.end()
    second.end()
    assert [span.parent for span in finished(tracing, spans)] == [None, None]
    assert trace_of(first.traceparent) != trace_of(second.traceparent)


def test_span_keeps_the_id_it_was_promised_and_no_other_gets_it(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    promised = tracing.new_span_id()
    lease = tracing.start("lease", Kind.CONSUMER, parent=SAMPLED, span_id=promised)
    child = lease.child("utterance")
    assert lease.traceparent == sibling(lease.traceparent, promised)
    assert child.traceparent != lease.traceparent


def test_what_is_not_sampled_is_passed_on_and_not_recorded(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    span = tracing.start("session", Kind.SERVER, parent=f"00-{TRACE}-{CALLER}-00")
    assert span.traceparent is not None
    assert span.traceparent.split("-")[1] == TRACE
    assert int(span.traceparent.split("-")[3], 16) & 1 == 0
    assert span.child("deliver") is NO_SPAN
    span.end()
    assert not finished(tracing, spans)


def test_tracing_that_is_off_gives_the_one_span_that_does_nothing() -> None:
    off = Tracing.configured("gateway", "g-1", "", "")
    assert not off.on
    assert off.new_span_id() == ""
    span = off.start("session", Kind.SERVER, parent=SAMPLED)
    assert span is span.child("deliver") is NO_SPAN
    span.set({"a": 1})
    span.event("b")
    span.fail("c")
    span.end()
    off.close(1)
    assert (span.traceparent, span.recording) == (None, False)


def test_nothing_is_imported_until_there_is_a_target() -> None:
    code = """
import sys
from scripta_common.tracing import Tracing
Tracing.configured("gateway", "g", "", "")
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
Tracing.configured("gateway", "g", "http://127.0.0.1:9", "")
assert "opentelemetry.sdk.trace" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_resource_names_the_process_and_the_operator_has_the_last_word() -> None:
    code = """
from scripta_common.otlp import Otlp
resource = Otlp.from_environment("gateway", "g-1")._provider.resource.attributes
assert resource["service.instance.id"] == "g-1"
assert resource["service.name"] == "speech", resource
assert resource["service.version"]
assert resource["deployment.environment"] == "test"
"""
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_SERVICE_NAME": "speech",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
    }
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=env)


class Broken(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Has nothing to stop."""


def test_exporter_complains_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    exporter = ComplainingExporter(Broken(), clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            exporter.export([ReadableSpan("a"), ReadableSpan("b")])
        now += 60
        exporter.export([ReadableSpan("c")])
    assert [record.__dict__["spans"] for record in caplog.records] == [2, 2 * 99 + 1]


def test_process_ends_although_its_collector_does_not_answer() -> None:
    class Stuck(Broken):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            released.wait(20)
            return SpanExportResult.SUCCESS

    released = threading.Event()
    tracing = Tracing(Otlp(Stuck(), Resource({})))
    tracing.start("session", Kind.SERVER).end()
    began = time.monotonic()
    tracing.close(0.2)
    took = time.monotonic() - began
    released.set()
    assert took < 10
