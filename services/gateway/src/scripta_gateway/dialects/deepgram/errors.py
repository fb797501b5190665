"""Errors in the vendor's form: of a handshake or a request, of a message, of a call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from scripta_common.errors import (
    BadAudio,
    BadRequest,
    ScriptaError,
    SessionIdle,
    UnknownModel,
    UnsupportedLanguage,
)
from scripta_gateway.transports.base import Close, Refusal

_CODES: Final[Mapping[type[ScriptaError], str]] = {
    BadRequest: "INVALID_QUERY_PARAMETER",
    UnknownModel: "INVALID_QUERY_PARAMETER",
    UnsupportedLanguage: "INVALID_QUERY_PARAMETER",
}
_CLOSES: Final[Mapping[type[ScriptaError], Close]] = {
    SessionIdle: Close(
        1011,
        "NET-0001: Deepgram did not receive audio data or a text message within the timeout "
        "window. See https://dpgr.am/net0001",
    ),
    BadAudio: Close(1008, "DATA-0000: The payload cannot be decoded as audio."),
}
_LONGEST_REASON: Final = 123
_UNAVAILABLE: Final = 503


def refusal(error: ScriptaError, request_id: str) -> Refusal:
    """Returns the HTTP answer that an error is."""
    code = _CODES.get(type(error), error.code.upper())
    if error.http_status == _UNAVAILABLE:
        code = "SERVICE_UNAVAILABLE"
    message = str(error)
    body = {"err_code": code, "err_msg": message, "request_id": request_id}
    printable = "".join(letter for letter in message if " " <= letter <= "~")
    headers = {"dg-error": f"{code}: {printable}", "dg-request-id": request_id}
    return Refusal(error.http_status, msgspec.json.encode(body).decode(), headers)


def close_of(error: ScriptaError | None) -> Close:
    """Returns how a call ends with an error, or without one.

    The vendor's package for JavaScript comes back after every code but 1000.
    """
    if error is None:
        return Close(1000)
    for kind, close in _CLOSES.items():
        if isinstance(error, kind):
            return close
    reason = f"NET-0000: {error}" if error.close_code == 1011 else str(error)
    return Close(error.close_code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))


def unreadable(description: str, message: str) -> dict[str, Any]:
    """Returns the answer to a text message that is not understood."""
    return {
        "type": "Error",
        "variant": "SchemaError",
        "description": description,
        "message": message,
    }
