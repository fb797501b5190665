"""Ports on which one dialect is spoken, whatever path a client asks for."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Ports:
    """An application that serves some ports by one WebSocket path each, and nothing else there.

    Args:
        app: The application of all other ports.
        paths: Path of the WebSocket by port.
    """

    def __init__(self, app: ASGIApp, paths: Mapping[int, str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, one WebSocket or the application's lifespan."""
        path = self._paths.get(_port(scope))
        if path is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send)
        else:
            error = {"status": "error", "error": "This port is for WebSockets only"}
            await JSONResponse(error, 426, {"Upgrade": "websocket"})(scope, receive, send)


def _port(scope: Scope) -> int:
    server = scope.get("server")
    return int(server[1]) if server and server[1] is not None else 0
