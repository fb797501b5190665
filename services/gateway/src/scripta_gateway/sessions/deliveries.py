"""Finals on their way from the doorbell to the socket, for the trace. Used only while it is on."""

from __future__ import annotations

import time
from dataclasses import dataclass

from scripta_common.tracing import NO_SPAN, Span
from scripta_common.wire import Final, Reason, Ring


@dataclass(frozen=True, slots=True)
class _Heard:
    at: int
    traceparent: str | None


class Deliveries:
    """The finals that have rung at a session and are not sent yet.

    Bounded by what the session takes from the doorbell. What it reads from the log instead has no
    time of ringing and no link. What is not speech (the mock engine's messages) has no span.
    """

    def __init__(self) -> None:
        self._heard: dict[int, _Heard] = {}

    def rang(self, ring: Ring) -> None:
        """Notes the finals of a ring that the session takes."""
        for place, result in enumerate(ring.results):
            if isinstance(result, Final) and result.reason is not Reason.MESSAGE:
                origin = ring.origins[place] if place < len(ring.origins) else None
                traceparent = origin.traceparent if origin else None
                self._heard[result.index] = _Heard(time.time_ns(), traceparent)

    def begin(self, within: Span, final: Final) -> Span:
        """Returns the span of a final's delivery, from its ring on; it is about to be sent."""
        if final.reason is Reason.MESSAGE:
            return NO_SPAN
        heard = self._heard.pop(final.index, _Heard(time.time_ns(), None))
        return within.child(
            "deliver",
            links=[heard.traceparent] if heard.traceparent else (),
            attributes={"scripta.index": final.index},
            at=heard.at,
        )
