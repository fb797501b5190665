"""Whether a request may become a WebSocket, and what it is answered. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

_KEY_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = b"13"

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that the transport gives by itself.

    Attributes:
        status: HTTP status.
        error: What is wrong and what to do, in plain words.
        headers: Further headers.
        body: Its body, in JSON; ``None`` for one that has the error in it.
    """

    status: int
    error: str
    headers: Headers = field(default_factory=list)
    body: str | None = None

    def encode(self) -> bytes:
        """Returns its bytes; the connection is closed after it."""
        own = {"status": "error", "error": self.error}
        body = (json.dumps(own) if self.body is None else self.body).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *self.headers,
        ]
        return encode_answer(self.status, headers, body)


def encode_answer(status: int, headers: Headers, body: bytes = b"") -> bytes:
    """Returns an HTTP answer's bytes."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {status} {phrase}\r\n".encode()]
    lines += [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([*lines, b"\r\n", body])


def check_upgrade(method: str, http_version: str, headers: Headers) -> bytes | Answer:
    """Checks a request that asks for a WebSocket.

    Args:
        method: Its method.
        http_version: Its version, such as ``1.1``.
        headers: Its headers, names in lower case.

    Returns:
        What its key is accepted with, or what it is refused with.
    """
    if method != "GET":
        return Answer(405, "A WebSocket is opened by GET", [(b"allow", b"GET")])
    if http_version != "1.1":
        return Answer(505, "A WebSocket needs HTTP/1.1")
    versions = _values(headers, b"sec-websocket-version")
    if versions != [_VERSION]:
        headers = [(b"sec-websocket-version", _VERSION), (b"upgrade", b"websocket")]
        return Answer(426, "Sec-WebSocket-Version has to be 13", headers)
    if _values(headers, b"transfer-encoding") or set(_values(headers, b"content-length")) - {b"0"}:
        return Answer(400, "A request for a WebSocket has no body")
    keys = _values(headers, b"sec-websocket-key")
    try:
        (key,) = keys
        valid = len(base64.b64decode(key, validate=True)) == 16
    except (ValueError, binascii.Error):
        valid = False
    if not valid:
        return Answer(400, "Sec-WebSocket-Key has to be 16 bytes in base64")
    # Not for secrecy: the key only shows that the answer was meant for this request.
    return base64.b64encode(hashlib.sha1(key + _KEY_GUID, usedforsecurity=False).digest())


def subprotocols(headers: Headers) -> list[str]:
    """Returns the subprotocols that a client offers."""
    offered = b",".join(_values(headers, b"sec-websocket-protocol"))
    return [name.strip().decode("latin-1") for name in offered.split(b",") if name.strip()]


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value.strip() for known, value in headers if known == name]
