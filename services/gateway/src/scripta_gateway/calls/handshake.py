"""A client's handshake: the id it can ask about, and the span that its connection is.

A client that comes back gets a span in the trace of its session, linked to the first span of that
trace, even if it brings no trace of its own. So a session is one trace, however many connections it
takes.
"""

from __future__ import annotations

import secrets
import time

from scripta_common.span_kinds import Kind
from scripta_common.tracing import NO_SPAN, Span, Tracing, read_traceparent, trace_of
from scripta_gateway.dialects.names import DialectName


class Handshake:
    """One handshake.

    Args:
        traceparent: W3C trace context that the client sent; ``None``: none.
        tracing: Where its span begins.
        dialect: What the client speaks.

    Attributes:
        dialect: What the client speaks.
        request_id: Id of a request that gets no session, for its client to ask about.
        span: The connection's span, once it is known which trace it belongs to.
    """

    def __init__(self, traceparent: str | None, tracing: Tracing, dialect: DialectName) -> None:
        self.dialect = dialect
        self.request_id = secrets.token_hex(16)
        self.span = NO_SPAN
        self._tracing = tracing
        self._asked = read_traceparent(traceparent)
        self._began = time.time_ns()

    @property
    def traceparent(self) -> str | None:
        """What all that is done for this connection goes by: its span, or the client's own."""
        return self.span.traceparent or self._asked

    @property
    def headers(self) -> dict[str, str]:
        """Headers of either answer by which a client finds its trace."""
        traceparent = self.span.traceparent
        return {"traceresponse": traceparent} if traceparent else {}

    def begin(self) -> Span:
        """Begins the span of a new session, or of a refusal."""
        self.span = self._start(self._asked)
        return self.span

    def resume(self, first: str | None) -> Span:
        """Begins the span of a session that the client has come back to.

        Args:
            first: Span of the connection that began it, if it is traced.
        """
        if first is None:
            self.span = self._start(self._asked)
        elif trace_of(self._asked) == trace_of(first):
            self.span = self._start(self._asked, first)
        else:
            self.span = self._start(first, first, *([self._asked] if self._asked else ()))
        self.span.event("resumed")
        return self.span

    def refuse(self, code: str) -> None:
        """Ends the span of a client that gets no session."""
        if self.span is NO_SPAN:
            self.begin()
        self.span.set({"scripta.outcome": "refused", "scripta.request": self.request_id})
        self.span.fail(code)
        self.span.end()

    def _start(self, parent: str | None, *links: str) -> Span:
        return self._tracing.start(
            "session",
            Kind.SERVER,
            parent=parent,
            links=links,
            attributes={"scripta.dialect": self.dialect.value},
            at=self._began,
        )
