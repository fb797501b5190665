"""Serves calls: from the handshake, which may be refused, to the close."""

from __future__ import annotations

from dataclasses import replace

from starlette.websockets import WebSocket

from scripta_common.errors import ScriptaError
from scripta_gateway.calls.call import Call
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.calls.opening import open_call
from scripta_gateway.calls.refusal import refusing
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects.base import Dialect
from scripta_gateway.transports.asgi import WebSocketTransport, request_of


async def serve_websocket(websocket: WebSocket, dialect: Dialect, tools: Tools) -> None:
    """Serves one WebSocket in a dialect.

    Args:
        websocket: The socket; not yet accepted.
        dialect: What its client speaks.
        tools: What the call works with.
    """
    handshake = Handshake(websocket.headers.get("traceparent"), tools.tracing, dialect.name)
    request = request_of(websocket, handshake.request_id)
    try:
        codec = dialect.begin(request)
        opening = await open_call(tools.hub, codec, handshake)
    except ScriptaError as error:
        refusal = dialect.refuse(request, error)
        await websocket.send_denial_response(refusing(handshake, error, refusal))
        return
    transport = WebSocketTransport(websocket)
    greeting = codec.greet(opening.opened)
    try:
        headers = {**greeting.headers, **handshake.headers}
        await transport.accept(
            replace(greeting, headers=headers), audio_in_text=dialect.policy.audio_in_text
        )
    except BaseException:
        # Of a new session, nobody has the token.
        tools.hub.leave(opening.session, comes_back=opening.opened.resumed)
        opening.session.span.end()
        raise
    await Call(transport, dialect, codec, opening, tools).run()
