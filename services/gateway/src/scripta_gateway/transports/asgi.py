"""A WebSocket of an ASGI application as a transport of calls."""

from __future__ import annotations

import time

from starlette.websockets import WebSocket, WebSocketDisconnect

from scripta_gateway.access.proxies import peer_of
from scripta_gateway.transports.base import REFUSED, Close, Frame, Gone, Greeting, Request
from scripta_gateway.transports.events import Oversized
from scripta_gateway.transports.inbox import OVERSIZED
from scripta_gateway.transports.ports import KEYLESS
from scripta_gateway.transports.websocket import AUDIO_IN_TEXT

_BROKEN = 1006


def request_of(websocket: WebSocket, request_id: str) -> Request:
    """Returns the request that a handshake is."""
    return Request(
        id=request_id,
        at=time.time(),
        path=websocket.url.path,
        query=websocket.query_params.multi_items(),
        headers=dict(websocket.headers),
        subprotocols=websocket.scope.get("subprotocols", ()),
        client=peer_of(websocket.scope.get("client")),
        keyless=websocket.scope.get(KEYLESS, False),
        objection=websocket.scope.get(REFUSED),
    )


class WebSocketTransport:
    """One WebSocket.

    Args:
        websocket: The socket; not yet accepted.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def accept(self, greeting: Greeting, *, audio_in_text: bool = False) -> None:
        """Accepts the handshake.

        Args:
            greeting: What goes with the answer.
            audio_in_text: Whether text messages bring audio, and so may be large.
        """
        headers = [(name.encode(), value.encode()) for name, value in greeting.headers.items()]
        await self._websocket.receive()  # it is what begins the connection
        await self._websocket.send(
            {
                "type": "websocket.accept",
                "subprotocol": greeting.subprotocol,
                "headers": headers,
                AUDIO_IN_TEXT: audio_in_text,
            }
        )

    async def receive(self) -> Frame | Oversized | None:
        """Returns the next message; as ``Transport.receive``."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise Gone(message["code"])
        if (data := message.get("bytes")) is not None:
            return bytes(data)
        if (text := message.get("text")) is not None:
            return str(text)
        oversized: Oversized = message[OVERSIZED]
        return oversized

    async def send(self, frame: Frame) -> None:
        """Sends a message; as ``Transport.send``."""
        try:
            if isinstance(frame, str):
                await self._websocket.send_text(frame)
            else:
                await self._websocket.send_bytes(frame)
        except WebSocketDisconnect as gone:
            raise Gone(gone.code) from None

    async def close(self, close: Close) -> None:
        """Sends a closing frame; as ``Transport.close``."""
        try:
            await self._websocket.close(close.code, close.reason or None)
        except (WebSocketDisconnect, RuntimeError):  # the latter if it is closed already
            raise Gone(_BROKEN) from None
