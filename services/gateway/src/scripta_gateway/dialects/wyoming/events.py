"""Wyoming's events: a line of JSON, perhaps further data, perhaps a payload. Pure.

The header line is ``{"type": …, "data": {…}, "data_length": n, "payload_length": m}``. Behind it
come ``n`` bytes of JSON, which are merged over ``data``, and ``m`` bytes of payload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

VERSION = "1.10.2"
"""Version of the protocol that answers name."""

_HEADER_BYTES = 64 * 1024
_DATA_BYTES = 64 * 1024


class BadEvent(Exception):
    """Bytes are no event, or one that is too large; nothing behind them can be read."""


class _Header(msgspec.Struct):
    type: str
    data: dict[str, Any] | None = None
    data_length: int | None = None
    payload_length: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class Events:
    """Puts events together from bytes that come in any pieces.

    Args:
        payload_bytes: Largest payload.
    """

    def __init__(self, payload_bytes: int) -> None:
        self._payload_bytes = payload_bytes
        self._bytes = bytearray()
        self._header: _Header | None = None

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yields the events that a piece completes; raises ``BadEvent``."""
        self._bytes += piece
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        if self._header is None and not self._read_header():
            return None
        header = self._header
        assert header is not None  # it has just been read
        data_length, payload_length = header.data_length or 0, header.payload_length or 0
        whole = data_length + payload_length
        if len(self._bytes) < whole:
            return None
        data, payload = self._bytes[:data_length], bytes(self._bytes[data_length:whole])
        del self._bytes[:whole]
        self._header = None
        further = _decode(bytes(data), dict[str, Any]) if data else {}
        return Event(header.type, {**(header.data or {}), **further}, payload)

    def _read_header(self) -> bool:
        end = self._bytes.find(b"\n", 0, _HEADER_BYTES)
        if end < 0:
            if len(self._bytes) >= _HEADER_BYTES:
                raise BadEvent(f"The first line of an event has at most {_HEADER_BYTES} bytes")
            return False
        header = _decode(bytes(self._bytes[:end]), _Header)
        del self._bytes[: end + 1]
        if not 0 <= (header.data_length or 0) <= _DATA_BYTES:
            raise BadEvent(f"The data of an event have at most {_DATA_BYTES} bytes")
        if not 0 <= (header.payload_length or 0) <= self._payload_bytes:
            raise BadEvent(f"The payload of an event has at most {self._payload_bytes} bytes")
        self._header = header
        return True


def _decode(data: bytes, form: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadEvent("This is no event of Wyoming's protocol") from None


def encode(kind: str, data: Mapping[str, Any] | None = None) -> bytes:
    """Returns the bytes of an event without a payload."""
    header: dict[str, Any] = {"type": kind, "version": VERSION}
    body = msgspec.json.encode(data) if data else b""
    if body:
        header["data_length"] = len(body)
    return msgspec.json.encode(header) + b"\n" + body
