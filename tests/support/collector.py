"""A collector of traces for tests: takes OTLP over HTTP, keeps every span as it came."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_PATH = "/v1/traces"


@dataclass(frozen=True)
class SpanSeen:
    """A span as it was sent. Times are Unix nanoseconds; ids are hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    events: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    resource: dict[str, Any]
    all_text: str = field(repr=False)

    @property
    def instance(self) -> str:
        return str(self.resource["service.instance.id"])

    def within(self, other: SpanSeen) -> bool:
        return other.start <= self.start <= self.end <= other.end


class Collector:
    """What has been collected.

    Attributes:
        url: What goes into ``OTEL_EXPORTER_OTLP_ENDPOINT``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0
        self._spans: list[SpanSeen] = []
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.requests += 1
            self._spans.extend(_spans(request))

    @property
    def spans(self) -> list[SpanSeen]:
        with self._lock:
            return list(self._spans)

    def of(self, name: str, trace_id: str | None = None) -> list[SpanSeen]:
        """Returns the spans of a name, in the order of their starts."""
        found = [s for s in self.spans if s.name == name and trace_id in (None, s.trace_id)]
        return sorted(found, key=lambda span: span.start)

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Waits until a condition on what has come is true."""
        give_up_at = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < give_up_at, [span.name for span in self.spans]
            await asyncio.sleep(0.05)


@contextmanager
def collector() -> Iterator[Collector]:
    """Runs a collector on a free port of loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known = self.path == _PATH
            if known:
                seen.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    seen = Collector(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever, name="collector")
    serving.start()
    try:
        yield seen
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[SpanSeen]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield SpanSeen(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=span.kind,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    attributes=_attributes(span.attributes),
                    events=tuple(event.name for event in span.events),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    resource=resource,
                    all_text=str(span),
                )


def _attributes(pairs: Iterator[KeyValue] | Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
