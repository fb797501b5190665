"""Bytes of HTTP heads and WebSocket frames, right ones and wrong ones."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

MIB: Final = 1 << 20
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="


class Op(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


def upgrade(
    path: str = "/ws", headers: Iterable[str] = (), version: str = "1.1", end: bool = True
) -> bytes:
    """Returns the head of a handshake; without its end if ``end`` is false."""
    lines = (
        f"GET {path} HTTP/{version}",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *headers,
    )
    return ("\r\n".join(lines) + ("\r\n\r\n" if end else "\r\n")).encode("latin-1")


def request(path: str, method: str = "GET", headers: Iterable[str] = (), end: bool = True) -> bytes:
    """Returns the head of a plain request; without its end if ``end`` is false."""
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers)
    return ("\r\n".join(lines) + ("\r\n\r\n" if end else "\r\n")).encode("latin-1")


def frame(
    op: int,
    data: bytes = b"",
    *,
    fin: bool = True,
    length: int | None = None,
    masked: bool = True,
    reserved: int = 0,
) -> bytes:
    """Returns a frame as a client sends it, with a mask of zeros.

    Args:
        op: What it is.
        data: What it carries.
        fin: Whether it is the last of its message.
        length: The length that it claims, if not that of ``data``.
        masked: Whether it has a mask, as a client's frames must.
        reserved: Its three reserved bits.
    """
    size = len(data) if length is None else length
    mask = 0x80 if masked else 0
    first = (0x80 if fin else 0) | reserved << 4 | op
    if size < 126:
        head = struct.pack(">BB", first, mask | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, mask | 126, size)
    else:
        head = struct.pack(">BBQ", first, mask | 127, size)
    return head + (bytes(4) if masked else b"") + data


def binary(data: bytes) -> bytes:
    """Returns a whole binary message."""
    return frame(Op.BINARY, data)


def text(words: str) -> bytes:
    """Returns a whole text message."""
    return frame(Op.TEXT, words.encode())
