"""Spans by OTLP over HTTP, with the OpenTelemetry SDK: imported only where tracing is on.

Sampler, headers, batch sizes, resource attributes and all else come from the standard variables
(``OTEL_…``), which the SDK reads itself. Always true: a collector that does not answer costs
memory up to the batch processor's queue and a line a minute, and never the caller's time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final, Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from scripta_common.span_kinds import Attributes, Kind

logger = logging.getLogger(__name__)

_KINDS: Final = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CONSUMER: SpanKind.CONSUMER,
    Kind.INTERNAL: SpanKind.INTERNAL,
}
_COMPLAINT_SECONDS: Final = 60.0


class Otlp:
    """Makes spans and has them sent.

    Args:
        exporter: Where they go, in batches, on a thread of their own.
        resource: Who makes them.
    """

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(ComplainingExporter(exporter)))
        self._tracer = self._provider.get_tracer("scripta")

    @classmethod
    def from_environment(cls, service: str, instance: str) -> Self:
        """Returns what the environment describes.

        Args:
            service: ``gateway`` or ``transcriber``.
            instance: Id of this process.
        """
        # What it has to say of a collector that is away stands in our own line.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        ours = {
            "service.name": f"scripta-{service}",
            "service.version": version(f"scripta-{service}"),
            "service.instance.id": instance,
        }
        # What the operator says wins.
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        return cls(OTLPSpanExporter(), resource)

    def start(
        self,
        name: str,
        kind: Kind,
        parent: Span | str | None,
        links: Sequence[str],
        attributes: Attributes,
        at: int | None,
        span_id: str = "",
    ) -> Span:
        """Returns a new span; the arguments are those of ``Tracing.start``."""
        if isinstance(parent, str):
            parent = NonRecordingSpan(_context(parent))
        self._ids.promised = int(span_id, 16) if span_id else None
        return self._tracer.start_span(
            name,
            # Never that of the current task: which span is the parent is always said.
            context=set_span_in_context(parent or _NOBODY, Context()),
            kind=_KINDS[kind],
            links=[Link(_context(link)) for link in links],
            attributes=attributes,
            start_time=at,
        )

    @staticmethod
    def traceparent(span: Span) -> str | None:
        """Returns a span's place in its trace; ``None`` if the SDK is disabled."""
        context = span.get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    @staticmethod
    def fail(span: Span, code: str) -> None:
        """Marks a span as failed."""
        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR, code)

    def close(self, seconds: float) -> None:
        """Sends what is left, for a bounded time."""
        # The SDK's own bound is half a minute for each of several steps.
        closing = threading.Thread(target=self._provider.shutdown, name="trace-flush", daemon=True)
        closing.start()
        closing.join(seconds)
        if closing.is_alive():
            logger.warning("spans not flushed", extra={"seconds": seconds})


class ComplainingExporter(SpanExporter):
    """An exporter that says, once a minute at most, that it can not send.

    Args:
        exporter: What sends.
        clock: Tells seconds.
    """

    def __init__(self, exporter: SpanExporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._exporter = exporter
        self._clock = clock
        self._lost = 0
        self._said_at = float("-inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch; called from the batch processor's thread."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            now = self._clock()
            if now - self._said_at >= _COMPLAINT_SECONDS:
                logger.warning("spans not exported", extra={"spans": self._lost})
                self._said_at, self._lost = now, 0
        return result

    def shutdown(self) -> None:
        """Stops sending."""
        self._exporter.shutdown()


class _Ids(RandomIdGenerator):
    """Random ids, but for a span that was promised one."""

    promised: int | None = None

    def generate_span_id(self) -> int:
        promised, self.promised = self.promised, None
        return promised or super().generate_span_id()


_NOBODY: Final = NonRecordingSpan(SpanContext(0, 0, is_remote=False))


def _context(traceparent: str) -> SpanContext:
    _, trace, span, flags = traceparent.split("-")
    return SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
