"""What every request passes before any route: it learns who its client is."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from scripta_gateway.access.proxies import TrustedProxies, peer_of

_FORWARDED: Final = "x-forwarded-for"


class Entrance:
    """An application in front of the gateway's own.

    Args:
        app: The application behind it.
        proxies: Whose word on their clients is believed.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, with the client's address in place of the last proxy's."""
        if scope["type"] != "lifespan":
            forwarded = Headers(scope=scope).getlist(_FORWARDED)
            client = self._proxies.client_of(peer_of(scope["client"]), forwarded)
            scope = {**scope, "client": (client, 0) if client else None}
        await self._app(scope, receive, send)
