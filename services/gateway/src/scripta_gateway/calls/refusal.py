"""Refusing a client before its call begins: it gets an HTTP status and not a dead socket."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from scripta_common.errors import Draining, ScriptaError
from scripta_common.logs import bind
from scripta_common.tracing import trace_of
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.base import Refusal

logger = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS: Final = 5
_RETRY_AFTER_DRAIN_SECONDS: Final = 1
"""Another gateway can serve at once: only the one that routes to it has to notice."""


def refusing(handshake: Handshake, error: ScriptaError, refusal: Refusal) -> Response:
    """Records that a client is refused, and returns the answer.

    Args:
        handshake: What is known of the client.
        error: Why; its code becomes the metric's label.
        refusal: The answer in the dialect's own form; a 503 gets ``Retry-After``.
    """
    metrics.count_refusal(handshake.dialect, error)
    handshake.refuse(error.code)
    bind(request=handshake.request_id, trace_id=trace_of(handshake.traceparent))
    logger.info("client refused", extra={"code": error.code, "status": refusal.status})
    return response_of(refusal, handshake, draining=isinstance(error, Draining))


def response_of(refusal: Refusal, handshake: Handshake, *, draining: bool = False) -> Response:
    """Returns a refusal as an HTTP answer, with what is the same in every dialect."""
    headers = {"scripta-request": handshake.request_id, **handshake.headers, **refusal.headers}
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = _RETRY_AFTER_DRAIN_SECONDS if draining else _RETRY_AFTER_SECONDS
        headers["Retry-After"] = str(retry_after)
    return Response(
        refusal.body,
        status_code=refusal.status,
        headers=headers,
        media_type=refusal.media_type,
    )
