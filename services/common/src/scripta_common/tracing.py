"""Traces: spans sent by OTLP where that is configured, and nothing anywhere else.

Owns what the services see of tracing. A span's place in its trace travels as a W3C
``traceparent``: from the client's handshake into the session's options, from there to whoever
transcribes, and with each result back. Always true: unless tracing is on, nothing of
OpenTelemetry is imported and a span costs one look at an attribute; spans hold no audio, text or
keys.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from scripta_common.span_kinds import Attributes, Kind

if TYPE_CHECKING:
    from opentelemetry.trace import Span as Recorded

    from scripta_common.otlp import Otlp

FLUSH_SECONDS: Final = 2.0
"""How long a process that ends may take to send its last spans."""

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_MOST_TRACEPARENT: Final = 256


class Span:
    """One span; all of its methods do nothing where nothing is recorded.

    Attributes:
        traceparent: Its place in its trace; ``None`` without tracing. A span that is not sampled
            has one, so that what follows is not sampled either.
        recording: Whether what is said of it goes anywhere.
    """

    __slots__ = ("_otlp", "_recorded", "recording", "traceparent")

    def __init__(self, otlp: Otlp | None = None, recorded: Recorded | None = None) -> None:
        self._otlp = otlp
        self._recorded = recorded
        self.traceparent: str | None = None
        self.recording = False
        if otlp is not None and recorded is not None:
            self.traceparent = otlp.traceparent(recorded)
            self.recording = recorded.is_recording()

    def child(
        self,
        name: str,
        *,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
        at: int | None = None,
    ) -> Span:
        """Returns a new span within this one.

        Args:
            name: What is done.
            links: Spans that it comes from, each as a ``traceparent``.
            attributes: What is known of it.
            at: When it began, in Unix nanoseconds; ``None`` for now.
        """
        if not self.recording or self._otlp is None:
            return NO_SPAN
        return Span(
            self._otlp,
            self._otlp.start(name, Kind.INTERNAL, self._recorded, links, attributes or {}, at),
        )

    def set(self, attributes: Attributes) -> None:
        """Notes what has become known of it."""
        if self.recording and self._recorded is not None:
            self._recorded.set_attributes(attributes)

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        """Notes that something happened now."""
        if self.recording and self._recorded is not None:
            self._recorded.add_event(name, attributes)

    def fail(self, code: str) -> None:
        """Marks it as failed; ``code`` is that of an error, without what it says."""
        if self.recording and self._otlp is not None and self._recorded is not None:
            self._otlp.fail(self._recorded, code)

    def end(self, at: int | None = None) -> None:
        """Ends it, now or at a time in Unix nanoseconds."""
        if self.recording and self._recorded is not None:
            self._recorded.end(at)


NO_SPAN: Final = Span()
"""The span of whoever does not trace."""


class Tracing:
    """Where spans begin; off without a target.

    Args:
        otlp: Where they are sent.
    """

    def __init__(self, otlp: Otlp | None = None) -> None:
        self._otlp = otlp

    @classmethod
    def configured(cls, service: str, instance: str, *endpoints: str) -> Tracing:
        """Returns tracing that is on if one of the endpoints is given.

        Args:
            service: ``gateway`` or ``transcriber``.
            instance: Id of this process.
            endpoints: What the environment says; the SDK reads it there itself.
        """
        if not any(endpoints):
            return cls()
        from scripta_common.otlp import Otlp  # costs time and memory: only if on

        return cls(Otlp.from_environment(service, instance))

    @property
    def on(self) -> bool:
        """Whether spans are sent anywhere."""
        return self._otlp is not None

    def new_span_id(self) -> str:
        """Returns an id for a span that begins later; empty without tracing."""
        return secrets.token_hex(8) if self._otlp is not None else ""

    def start(
        self,
        name: str,
        kind: Kind,
        *,
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
        at: int | None = None,
        span_id: str = "",
    ) -> Span:
        """Returns a new span; whether it is sampled is for its parent to say, if it has one.

        Args:
            name: What is done.
            kind: What it is to its neighbours.
            parent: Span in another process within which it is, as a ``traceparent``.
            links: Spans that it comes from, each as a ``traceparent``.
            attributes: What is known of it.
            at: When it began, in Unix nanoseconds; ``None`` for now.
            span_id: The id that it was promised; empty for any.
        """
        if self._otlp is None:
            return NO_SPAN
        recorded = self._otlp.start(name, kind, parent, links, attributes or {}, at, span_id)
        return Span(self._otlp, recorded)

    def close(self, seconds: float) -> None:
        """Sends what has not been sent yet, for a bounded time; blocks."""
        if self._otlp is not None:
            self._otlp.close(seconds)


def read_traceparent(header: str | None) -> str | None:
    """Returns what a client sent as its ``traceparent``, if it is one, in the version we write."""
    if header is None or len(header) > _MOST_TRACEPARENT:
        return None
    found = _TRACEPARENT.fullmatch(header.strip())
    return "00-{}-{}-{}".format(*found.groups()) if found else None


def trace_of(traceparent: str | None) -> str | None:
    """Returns the trace id in a ``traceparent`` of ours."""
    return traceparent.split("-")[1] if traceparent else None


def sibling(traceparent: str | None, span_id: str) -> str | None:
    """Returns the ``traceparent`` of another span in the same trace; ``None`` without either."""
    if not traceparent or not span_id:
        return None
    version, trace, _, flags = traceparent.split("-")
    return f"{version}-{trace}-{span_id}-{flags}"
