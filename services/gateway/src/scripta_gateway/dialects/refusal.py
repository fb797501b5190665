"""Refusing a client before the upgrade, so that it sees an HTTP status and not a dead socket."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.websockets import WebSocket

from scripta_common.errors import ScriptaError
from scripta_gateway import metrics

_RETRY_AFTER_SECONDS: Final = 5


async def refuse(websocket: WebSocket, error: ScriptaError, status: int, body: str) -> None:
    """Answers the handshake with an HTTP error.

    Args:
        websocket: Socket that is not yet accepted.
        error: Why; its code becomes the metric's label.
        status: HTTP status; a 503 carries ``Retry-After``.
        body: JSON in the dialect's own form.
    """
    metrics.REFUSALS.labels(error.code).inc()
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status == 503 else {}
    await websocket.send_denial_response(
        Response(body, status_code=status, headers=headers, media_type="application/json")
    )
