"""Refusing a client before its call begins: it gets an HTTP status and not a dead socket."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from scripta_common.errors import BadRequest, Draining, GatewayFull, OverLimit, ScriptaError
from scripta_common.logs import bind
from scripta_common.tracing import trace_of
from scripta_gateway.calls.handshake import Handshake
from scripta_gateway.dialects.base import Dialect
from scripta_gateway.telemetry import metrics
from scripta_gateway.transports.base import Refusal, Request
from scripta_gateway.transports.upgrade import Answer

logger = logging.getLogger(__name__)


class TooSlow(ScriptaError):
    """A request did not arrive in time."""

    code = "too_slow"
    http_status = 408


class TooLarge(ScriptaError):
    """A request, or a part of it, is larger than it may be."""

    code = "too_large"
    http_status = 413


_ERRORS: Final[Mapping[int, type[ScriptaError]]] = {
    HTTPStatus.REQUEST_TIMEOUT: TooSlow,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.REQUEST_URI_TOO_LONG: TooLarge,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: TooLarge,
    HTTPStatus.SERVICE_UNAVAILABLE: GatewayFull,
}
"""What is wrong with a request of which nobody has looked at what it asks for, by its status."""

_COME_AGAIN: Final = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_RETRY_AFTER_SECONDS: Final = 5
_RETRY_AFTER_DRAIN_SECONDS: Final = 1
"""Another gateway can serve at once: only the one that routes to it has to notice."""


def refusing(handshake: Handshake, error: ScriptaError, refusal: Refusal) -> Response:
    """Records that a client is refused, and returns the answer.

    Args:
        handshake: What is known of the client.
        error: Why; its code becomes the metric's label.
        refusal: The answer in the dialect's own form; a 429 and a 503 get ``Retry-After``.
    """
    metrics.count_refusal(handshake.dialect, error)
    handshake.refuse(error.code)
    bind(request=handshake.request_id, trace_id=trace_of(handshake.traceparent))
    logger.info("client refused", extra={"code": error.code, "status": refusal.status})
    return response_of(
        refusal, handshake.request_id, handshake.headers, retry_after=retry_after(error)
    )


def retry_after(error: ScriptaError) -> int:
    """Returns the seconds after which a client may come again, if it may at all."""
    if isinstance(error, OverLimit):
        return error.retry_after
    return _RETRY_AFTER_DRAIN_SECONDS if isinstance(error, Draining) else _RETRY_AFTER_SECONDS


def formulate(dialect: Dialect, answer: Answer) -> Answer:
    """Returns an answer that a transport gives by itself in the form of a dialect."""
    request = Request(id=secrets.token_hex(16), at=time.time())
    error = _ERRORS.get(answer.status, BadRequest)(answer.error)
    refusal = dialect.refuse(request, error)
    headers = [(name.lower().encode(), text.encode()) for name, text in refusal.headers.items()]
    return replace(answer, headers=[*answer.headers, *headers], body=refusal.body)


def response_of(
    refusal: Refusal,
    request_id: str,
    headers: Mapping[str, str],
    *,
    retry_after: int = _RETRY_AFTER_SECONDS,
) -> Response:
    """Returns a refusal as an HTTP answer, with what is the same in every dialect.

    Args:
        refusal: The answer.
        request_id: Id of the request, for its client to ask about.
        headers: Further headers.
        retry_after: Seconds after which the client may come again, if it may at all.
    """
    headers = {"scripta-request": request_id, **headers, **refusal.headers}
    if refusal.status in _COME_AGAIN:
        headers["Retry-After"] = str(retry_after)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        refusal.body,
        status_code=refusal.status,
        headers=headers,
        media_type=refusal.media_type,
    )
