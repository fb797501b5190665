"""Serves calls: from the handshake, which may be refused, to the close."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from scripta_common.errors import ScriptaError
from scripta_gateway.access.caller import Caller
from scripta_gateway.access.credentials import answered
from scripta_gateway.calls.call import Call
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.calls.opening import open_call
from scripta_gateway.calls.refusal import refusing, response_of
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects.base import Dialect
from scripta_gateway.outbound.posted import results_to
from scripta_gateway.quotas.uploads import bounded
from scripta_gateway.transports import asgi, body
from scripta_gateway.transports.asgi import WebSocketTransport
from scripta_gateway.transports.base import Gone, Greeting, Refusal, Request
from scripta_gateway.transports.body import HttpTransport
from scripta_gateway.transports.tcp import TcpTransport


async def serve_websocket(websocket: WebSocket, dialect: Dialect, tools: Tools) -> None:
    """Serves one WebSocket in a dialect.

    Args:
        websocket: The socket; not yet accepted.
        dialect: What its client speaks.
        tools: What the call works with.
    """
    handshake = Handshake(websocket.headers.get("traceparent"), tools.tracing, dialect.name)
    request = asgi.request_of(websocket, handshake.request_id)
    try:
        caller, request = await _admit(request, dialect, tools)
        codec = dialect.begin(request)
        tools.poster.check(codec.options.callback)
        opening = await open_call(tools.hub, codec, handshake, caller)
    except ScriptaError as error:
        refusal = dialect.refuse(request, error)
        await websocket.send_denial_response(refusing(handshake, error, refusal))
        return
    transport = WebSocketTransport(websocket)
    greeting = codec.greet(opening.opened)
    try:
        greeting = replace(
            greeting,
            headers={**greeting.headers, **handshake.headers},
            subprotocol=greeting.subprotocol or answered(request.subprotocols),
        )
        await transport.accept(greeting, audio_in_text=dialect.policy.audio_in_text)
    except BaseException:
        opening.leave(tools.hub)
        raise
    with results_to(codec.options.callback, transport, tools.poster) as results:
        await Call(results, dialect, codec, opening, tools).run()


async def serve_body(
    scope: Scope, receive: Receive, send: Send, dialect: Dialect, tools: Tools
) -> None:
    """Serves one HTTP request whose body is audio, in a dialect.

    Args:
        scope: The ASGI scope of the request.
        receive: Returns its next ASGI message.
        send: Sends an ASGI message.
        dialect: What its client speaks.
        tools: What the call works with.
    """
    headers = Headers(scope=scope)
    handshake = Handshake(headers.get("traceparent"), tools.tracing, dialect.name)
    request = body.request_of(scope, handshake.request_id)

    async def answer(response: Response) -> None:
        await response(scope, receive, send)

    try:
        caller, request = await _admit(request, dialect, tools)
        receive = bounded(receive, caller, request.headers.get("content-length"))
        codec = dialect.begin(request)
        tools.poster.check(codec.options.callback)
        opening = await open_call(tools.hub, codec, handshake, caller)
    except ScriptaError as error:
        await answer(refusing(handshake, error, dialect.refuse(request, error)))
        return

    async def fail(refusal: Refusal) -> None:
        await answer(response_of(refusal, handshake.request_id, handshake.headers))

    def greet() -> Greeting:
        greeting = codec.greet(opening.opened)
        return replace(greeting, headers={**greeting.headers, **handshake.headers})

    transport = HttpTransport(receive, send, fail, greet)
    with results_to(codec.options.callback, transport, tools.poster) as results:
        await Call(results, dialect, codec, opening, tools).run()


async def serve_stream(transport: TcpTransport, dialect: Dialect, tools: Tools) -> None:
    """Serves one connection that has no handshake, in a dialect.

    Args:
        transport: The connection.
        dialect: What its client speaks.
        tools: What the call works with.
    """
    handshake = Handshake(None, tools.tracing, dialect.name)
    request = Request(id=handshake.request_id, at=time.time(), client=transport.peer, keyless=True)
    try:
        caller, request = await _admit(request, dialect, tools)
        codec = dialect.begin(request)
        tools.poster.check(codec.options.callback)
        opening = await open_call(tools.hub, codec, handshake, caller)
    except ScriptaError as error:
        refusal = dialect.refuse(request, error)
        refusing(handshake, error, refusal)
        with suppress(Gone):
            await transport.send(refusal.body)
        return
    codec.greet(opening.opened)
    with results_to(codec.options.callback, transport, tools.poster) as results:
        await Call(results, dialect, codec, opening, tools).run()


async def _admit(request: Request, dialect: Dialect, tools: Tools) -> tuple[Caller, Request]:
    """Returns who calls, and the request as the dialect may see it."""
    return await tools.gatekeeper.admit(request, prefix=dialect.policy.key_prefix)
