"""The way of frames to a client, which may not read them."""

from __future__ import annotations

import time

from scripta_gateway.bounds import MAX_SEND_SECONDS, Bound
from scripta_gateway.calls.closing import BROKEN
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.base import Frame, Gone, Transport


class Outlet:
    """Sends one client's frames.

    Args:
        transport: Its connection.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # Sends that are under way, and when the last one began or ended.
        self._sends = 0
        self._moved_at = 0.0

    async def send(self, frame: Frame) -> None:
        """Sends a frame; waits while the client does not read what was sent before."""
        self._sends += 1
        self._moved_at = time.monotonic()
        try:
            await self._transport.send(frame)
        finally:
            self._sends -= 1
            self._moved_at = time.monotonic()

    def check(self, now: float) -> None:
        """Gives a client up that has not read for too long.

        To be called now and then: a time-out for each frame would cost more than the frame.

        Raises:
            Gone: It has not.
        """
        if self._sends and now - self._moved_at >= MAX_SEND_SECONDS:
            metrics.BOUNDS_HIT[Bound.UNREAD].inc()
            raise Gone(BROKEN, "client does not read")
