"""Errors in the vendor's form, over HTTP and in events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from scripta_common.errors import (
    BadRequest,
    OverLimit,
    ScriptaError,
    Unauthorized,
    UnknownModel,
    UnsupportedLanguage,
)
from scripta_gateway.transports.base import Refusal

_OWN_WORDS: Final[Mapping[type[ScriptaError], tuple[int, str, str | None]]] = {
    Unauthorized: (HTTPStatus.UNAUTHORIZED, "invalid_api_key", None),
    OverLimit: (HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded", None),
    UnknownModel: (HTTPStatus.NOT_FOUND, "model_not_found", "model"),
    UnsupportedLanguage: (HTTPStatus.BAD_REQUEST, "unsupported_language", "language"),
}
"""HTTP status, code and parameter of errors for which the vendor has words of its own."""


class BadField(BadRequest):
    """A field of a request has a value that is not served.

    Attributes:
        param: The field.
    """

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def bad_field(error: msgspec.DecodeError | RecursionError, inside: str = "") -> BadField:
    """Returns what is wrong with JSON; ``inside`` is the field that was read."""
    what, _, where = str(error).partition(" - at `$")
    param = f"{inside}{where.rstrip('`')}".lstrip(".")
    return BadField(f"Invalid {param!r}: {what}" if param else what, param)


def fault(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """Returns the error object for what a client has wrong."""
    return {"type": "invalid_request_error", "code": code, "message": message, "param": param}


def described(error: ScriptaError) -> dict[str, Any]:
    """Returns the error object of an error."""
    if isinstance(error, BadField):
        return fault(str(error), "invalid_value", error.param)
    _, code, param = _OWN_WORDS.get(type(error), (0, error.code, None))
    ours = error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return fault(str(error), code, param) | ({"type": "server_error"} if ours else {})


def refusal(error: ScriptaError) -> Refusal:
    """Returns the HTTP answer that an error is."""
    return _answer(_OWN_WORDS.get(type(error), (error.http_status,))[0], described(error))


def _answer(status: int, error: Mapping[str, Any]) -> Refusal:
    return Refusal(status, msgspec.json.encode({"error": error}).decode())


# The vendor's packages ask three times where they are told 501.
_NO_TRANSLATIONS: Final = _answer(
    HTTPStatus.NOT_FOUND,
    fault("Translation is not served; transcribe with /v1/audio/transcriptions", "not_served"),
)
NOT_SERVED: Final[Mapping[str, Refusal]] = {
    "/v1/audio/translations": _NO_TRANSLATIONS,
}
"""What a POST to a path is answered of which clients have to know that it is not served."""
