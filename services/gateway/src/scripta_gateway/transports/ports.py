"""Ports on which something else is served than on the main one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

KEYLESS: Final = "scripta.keyless"
"""In a scope: the client came in by a port of its dialect, where nobody can show a key."""


class Ports:
    """An application that picks another one by the port that a client came in by.

    Args:
        app: The application of all other ports, and of the lifespan.
        others: Applications by port.
    """

    def __init__(self, app: ASGIApp, others: Mapping[int, ASGIApp]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, one WebSocket or the application's lifespan."""
        await self._others.get(_port(scope), self._app)(scope, receive, send)


class OneWebSocket:
    """An application of one WebSocket, whatever path a client asks for, and of nothing else.

    Args:
        app: The application that has it.
        path: Its path there.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request or one WebSocket."""
        if scope["type"] == "websocket":
            there = {"path": self._path, "raw_path": self._path.encode(), KEYLESS: True}
            await self._app({**scope, **there}, receive, send)
            return
        error = {"status": "error", "error": "This port is for WebSockets only"}
        await JSONResponse(error, 426, {"Upgrade": "websocket"})(scope, receive, send)


def _port(scope: Scope) -> int:
    server = scope.get("server")
    return int(server[1]) if server and server[1] is not None else 0
