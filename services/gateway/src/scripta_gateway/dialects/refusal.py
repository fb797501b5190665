"""Refusing a client before the upgrade, so that it sees an HTTP status and not a dead socket."""

from __future__ import annotations

import logging
from typing import Final

from starlette.responses import Response
from starlette.websockets import WebSocket

from scripta_common.errors import Draining, ScriptaError
from scripta_common.logs import bind
from scripta_common.tracing import trace_of
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.telemetry import metrics

logger = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS: Final = 5
_RETRY_AFTER_DRAIN_SECONDS: Final = 1
"""Another gateway can serve at once: only the one that routes to it has to notice."""


async def refuse(
    websocket: WebSocket, handshake: Handshake, error: ScriptaError, status: int, body: str
) -> None:
    """Answers the handshake with an HTTP error.

    Args:
        websocket: Socket that is not yet accepted.
        handshake: What is known of the client.
        error: Why; its code becomes the metric's label.
        status: HTTP status; a 503 carries ``Retry-After``.
        body: JSON in the dialect's own form.
    """
    metrics.count_refusal(error)
    draining = isinstance(error, Draining)
    retry_after = _RETRY_AFTER_DRAIN_SECONDS if draining else _RETRY_AFTER_SECONDS
    headers = {"Retry-After": str(retry_after)} if status == 503 else {}
    handshake.refuse(error.code)
    bind(request=handshake.request_id, trace_id=trace_of(handshake.traceparent))
    logger.info("client refused", extra={"code": error.code, "status": status})
    headers |= {"scripta-request": handshake.request_id, **handshake.headers}
    await websocket.send_denial_response(
        Response(body, status_code=status, headers=headers, media_type="application/json")
    )
