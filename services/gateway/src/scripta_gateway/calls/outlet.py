"""The way of frames to a client, which may not read them."""

from __future__ import annotations

import time

from starlette.websockets import WebSocket, WebSocketDisconnect

from scripta_gateway.bounds import MAX_SEND_SECONDS, Bound
from scripta_gateway.calls.closing import BROKEN
from scripta_gateway.telemetry import metrics


class Outlet:
    """Sends one client's frames.

    Args:
        websocket: Its socket.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        # Sends that are under way, and when the last one began or ended.
        self._sends = 0
        self._moved_at = 0.0

    async def send(self, text: str) -> None:
        """Sends a text frame; waits while the client does not read what was sent before."""
        self._sends += 1
        self._moved_at = time.monotonic()
        try:
            await self._websocket.send_text(text)
        finally:
            self._sends -= 1
            self._moved_at = time.monotonic()

    def check(self, now: float) -> None:
        """Gives a client up that has not read for too long.

        To be called now and then: a time-out for each frame would cost more than the frame.

        Raises:
            WebSocketDisconnect: It has not.
        """
        if self._sends and now - self._moved_at >= MAX_SEND_SECONDS:
            metrics.BOUNDS_HIT[Bound.UNREAD].inc()
            raise WebSocketDisconnect(BROKEN, "client does not read")
