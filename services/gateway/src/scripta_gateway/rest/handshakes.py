"""Says over HTTP why a WebSocket would be refused: a browser hides that from its page."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from scripta_common.errors import ScriptaError
from scripta_gateway.calls.refusal import response_of, retry_after
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects.base import Dialect
from scripta_gateway.transports import body


class NoUpgrade(ScriptaError):
    """A request that would be a handshake if it asked for an upgrade."""

    code = "no_upgrade"
    http_status = HTTPStatus.UPGRADE_REQUIRED


def endpoint(dialect: Dialect, tools: Tools) -> Callable[[Request], Awaitable[Response]]:
    """Returns what answers a plain GET at the path of a WebSocket.

    The answer is what a handshake with the same query and headers would be refused with, in the
    form of the dialect; 426 if it would be accepted. No session is opened, and none is taken up.

    Args:
        dialect: What is spoken there.
        tools: What its calls work with.
    """

    async def answer(http: Request) -> Response:
        request = body.request_of(http.scope, secrets.token_hex(16))
        try:
            caller, request = await tools.gatekeeper.admit(
                request, prefix=dialect.policy.key_prefix
            )
            codec = dialect.begin(request)
            tools.poster.check(codec.options.callback)
            if codec.returns is None:
                voices = codec.options.format.voices
                await tools.hub.opener.rehearse(codec.options.session, caller, voices)
            raise NoUpgrade("This is a WebSocket; open it with Upgrade: websocket")
        except ScriptaError as error:
            refusal = dialect.refuse(request, error)
            headers = (
                {"Upgrade": "websocket", "Connection": "upgrade"}
                if isinstance(error, NoUpgrade)
                else {}
            )
            return response_of(refusal, request.id, headers, retry_after=retry_after(error))

    return answer
