"""An HTTP request whose body is audio, and its answer, as a transport of calls."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send

from scripta_gateway.transports.base import Close, Frame, Gone, Greeting, Refusal, Request
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
    )


class HttpTransport:
    """One request: its body in pieces as they come, and an answer that begins with its first frame.

    Args:
        receive: Returns the next ASGI message.
        send: Sends an ASGI message.
        refuse: Sends an answer instead of frames.
    """

    def __init__(
        self, receive: Receive, send: Send, refuse: Callable[[Refusal], Awaitable[None]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._refuse = refuse
        self._greeting = Greeting()
        # Whether the whole body has come, and whether that has been told.
        self._complete = self._told = False
        self._answering = False

    def greet(self, greeting: Greeting) -> None:
        """Keeps what goes with the answer, which begins with its first frame."""
        self._greeting = greeting

    async def receive(self) -> Frame | Oversized | None:
        """Returns the next piece of the body; as ``Transport.receive``."""
        while True:
            if self._complete and not self._told:
                self._told = True
                return None
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone(_BROKEN)
            self._complete = not message.get("more_body", False)
            if body := message.get("body", b""):
                return bytes(body)

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
        headers = {"content-type": self._greeting.media_type, **self._greeting.headers}
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self._send(start)
