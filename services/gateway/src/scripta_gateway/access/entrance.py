"""What every request passes before any route: who its client is, and whether its page may call.

A refusal is for the dialect to say where one serves the path, and so it goes on with the request.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scripta_common.errors import Forbidden
from scripta_gateway.access.browsers import BrowserRules, Visit
from scripta_gateway.access.cors import ASKED_METHOD, preflight_headers, readable
from scripta_gateway.access.proxies import TrustedProxies, is_loopback, peer_of
from scripta_gateway.routes import error_answer
from scripta_gateway.transports.base import REFUSED

logger = logging.getLogger(__name__)

_FORWARDED: Final = "x-forwarded-for"
_SECURE: Final = ("https", "wss")


class Entrance:
    """An application in front of the gateway's own.

    Args:
        app: The application behind it.
        proxies: Whose word on their clients is believed.
        rules: Which pages may call, and by which names of hosts.
        guarded: Paths where a request that is refused is answered in a dialect.
    """

    def __init__(
        self, app: ASGIApp, proxies: TrustedProxies, rules: BrowserRules, guarded: Container[str]
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._rules = rules
        self._guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, with the client's address in place of the last proxy's."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        objection = self._rules.objection(_visit(scope, headers))
        client = self._proxies.client_of(peer_of(scope["client"]), headers.getlist(_FORWARDED))
        scope = {**scope, "client": (client, 0) if client else None, REFUSED: objection}
        if scope["type"] == "http" and "origin" in headers and objection is None:
            if scope["method"] == "OPTIONS" and ASKED_METHOD in headers:
                allowed = preflight_headers(headers["origin"], headers)
                await Response(status_code=204, headers=allowed)(scope, receive, send)
                return
            send = _readable_by(headers["origin"], send)
        if objection is not None and not self._is_guarded(scope):
            await _refuse(objection)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_guarded(self, scope: Scope) -> bool:
        if scope["type"] == "websocket":
            return True
        return scope["method"] != "OPTIONS" and scope["path"] in self._guarded


def _visit(scope: Scope, headers: Headers) -> Visit:
    ends = (peer_of(scope["client"]), peer_of(scope["server"]))
    return Visit(
        hosts=headers.getlist("host"),
        origins=headers.getlist("origin"),
        secure=scope["scheme"] in _SECURE,
        local=any(map(is_loopback, ends)),
    )


def _readable_by(origin: str, send: Send) -> Send:
    async def with_permission(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": readable(origin, message.get("headers", ()))}
        await send(message)

    return with_permission


def _refuse(objection: Forbidden) -> Response:
    logger.debug("request refused", extra={"code": objection.code, "error": str(objection)})
    return error_answer(objection.http_status, str(objection))
