"""Errors in the vendor's form: of a handshake or a request, and of a call. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from scripta_common.errors import BadAudio, ScriptaError, SessionIdle
from scripta_gateway.dialects.deepgram.results import request_id
from scripta_gateway.transports.base import Close, Refusal, Request

_CODES: Final = {
    HTTPStatus.BAD_REQUEST: "INVALID_QUERY_PARAMETER",
    HTTPStatus.UNAUTHORIZED: "INVALID_AUTH",
    HTTPStatus.FORBIDDEN: "INSUFFICIENT_PERMISSIONS",
    HTTPStatus.TOO_MANY_REQUESTS: "TOO_MANY_REQUESTS",
    HTTPStatus.SERVICE_UNAVAILABLE: "SERVICE_UNAVAILABLE",
}
_OWN_CODES: Final = {
    BadAudio.code: "Bad Request",
    "cannot_fetch": "REMOTE_CONTENT_ERROR",
}
_IDLE: Final = (
    "NET-0001: Deepgram did not receive audio data or a text message within the timeout window. "
    "See https://dpgr.am/net0001"
)
_OURS: Final = 1011


def refusal(request: Request, error: ScriptaError) -> Refusal:
    """Returns the HTTP answer that an error is."""
    known = _CODES.get(HTTPStatus(error.http_status), error.code.upper())
    code = _OWN_CODES.get(error.code, known)
    message, asked = str(error), request_id(request)
    body = {"err_code": code, "err_msg": message, "request_id": asked}
    printable = "".join(letter for letter in message if " " <= letter <= "~")
    headers = {"dg-error": f"{code}: {printable}", "dg-request-id": asked}
    return Refusal(error.http_status, msgspec.json.encode(body).decode(), headers)


def close_of(error: ScriptaError | None) -> Close:
    """Returns how a call ends with an error, or without one.

    The vendor's package for JavaScript comes back after every code but 1000.
    """
    if error is None:
        return Close(1000)
    if isinstance(error, SessionIdle):
        return Close(1011, _IDLE)
    if isinstance(error, BadAudio):
        return Close(1008, f"DATA-0000: {error}")
    reason = f"NET-0000: {error}" if error.close_code == _OURS else str(error)
    return Close(error.close_code, reason)
