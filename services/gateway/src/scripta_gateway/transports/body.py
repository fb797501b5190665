"""An HTTP request whose body is audio, and its answer, as a transport of calls."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send

from scripta_gateway.access.proxies import peer_of
from scripta_gateway.bounds import BODY_PIECE_BYTES
from scripta_gateway.transports.base import REFUSED, Close, Frame, Gone, Greeting, Refusal, Request
from scripta_gateway.transports.events import Oversized

_BROKEN = 1006


def request_of(scope: Scope, request_id: str) -> Request:
    """Returns the request as a call begins with it."""
    return Request(
        id=request_id,
        at=time.time(),
        path=scope["path"],
        query=QueryParams(scope["query_string"]).multi_items(),
        headers=dict(Headers(scope=scope)),
        client=peer_of(scope.get("client")),
        objection=scope.get(REFUSED),
    )


class HttpTransport:
    """One request: its body in pieces, and an answer that begins with its first frame.

    Args:
        receive: Returns the next ASGI message.
        send: Sends an ASGI message.
        refuse: Sends an answer instead of frames.
        greet: Returns what goes with the answer; asked when the answer begins.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        refuse: Callable[[Refusal], Awaitable[None]],
        greet: Callable[[], Greeting],
    ) -> None:
        self._receive = receive
        self._send = send
        self._refuse = refuse
        self._greet = greet
        # What has come and is not enough for a piece.
        self._begun = bytearray()
        # Whether the whole body has come, and whether that has been told.
        self._complete = self._told = False
        self._answering = False

    async def receive(self) -> Frame | Oversized | None:
        """Returns the next piece of the body; as ``Transport.receive``.

        Small pieces are put together: each costs an entry in the log.
        """
        while len(self._begun) < BODY_PIECE_BYTES and not self._complete:
            await self._receive_more()  # cancelled, what has come is kept
        if self._begun:
            piece = bytes(self._begun)
            self._begun.clear()
            return piece
        while self._told:
            await self._receive_more()  # nothing comes any more, until the client leaves
        self._told = True
        return None

    async def _receive_more(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone(_BROKEN)
        self._complete = not message.get("more_body", False)
        self._begun += message.get("body", b"")

    async def send(self, frame: Frame) -> None:
        """Sends a piece of the answer; as ``Transport.send``."""
        await self._begin()
        data = frame.encode() if isinstance(frame, str) else frame
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def close(self, close: Close) -> None:
        """Ends the answer, or gives the one of the refusal if none has begun."""
        if not self._answering and close.refusal is not None:
            self._answering = True
            await self._refuse(close.refusal)
            return
        await self._begin()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self) -> None:
        if self._answering:
            return
        self._answering = True
        greeting = self._greet()
        headers = {"content-type": greeting.media_type, **greeting.headers}
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self._send(start)
