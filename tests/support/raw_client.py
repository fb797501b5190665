"""A client that writes bytes of its own making to a gateway."""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass
from typing import Any

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def request(path: str, *lines: str, method: str = "GET", end: bool = True) -> bytes:
    """Returns a request's head, or with ``end=False`` the beginning of one."""
    head = [f"{method} {path} HTTP/1.1", "Host: x", *lines, *([""] if end else []), ""]
    return "\r\n".join(head).encode()


def upgrade(path: str = "/ws", *lines: str, drop: str = "none", method: str = "GET") -> bytes:
    """Returns a handshake with further lines, without those that begin with ``drop``."""
    own = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
    ]
    kept = [line for line in own if not line.startswith(drop)]
    return request(path, *kept, *lines, method=method)


def frame(op: int, data: bytes = b"", *, fin: bool = True, length: int | None = None) -> bytes:
    """Returns a client's frame, masked with zeros; ``length`` is what its head claims."""
    size = len(data) if length is None else length
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        head = bytes([0x80 | 127]) + struct.pack(">Q", size)
    return bytes([(0x80 if fin else 0) | op]) + head + bytes(4) + data


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """What a refusal says."""
        return str(json.loads(self.body)["error"])


@dataclass(eq=False)
class RawClient:
    """One client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def abort(self) -> None:
        """Cuts the connection."""
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Sends bytes; waits while the other side does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, data: bytes, seconds: float = 10) -> int:
        """Sends again and again until the other side has had enough; returns how many bytes."""
        sent = 0
        try:
            async with asyncio.timeout(seconds):
                while not self.writer.transport.is_closing():
                    await self.send(data)
                    sent += len(data)
                    await asyncio.sleep(0)
        except (OSError, TimeoutError):
            pass
        return sent

    async def answer(self, *, head_only: bool = False, seconds: float = 15) -> Answer:
        """Receives an HTTP answer."""
        async with asyncio.timeout(seconds):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            status = int(first.split()[1])
            size = 0 if head_only or status == 101 else int(headers.get("content-length", 0))
            return Answer(status, headers, await self.reader.readexactly(size))

    async def shake(self, path: str = "/ws") -> None:
        """Opens a WebSocket."""
        await self.send(upgrade(path))
        answer = await self.answer()
        assert answer.status == 101, answer

    async def hear(self, seconds: float = 10) -> tuple[int, bytes]:
        """Returns the opcode and the data of the next frame."""
        async with asyncio.timeout(seconds):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack(">H", await self.reader.readexactly(2))
            return first & 0x0F, await self.reader.readexactly(size)

    async def hear_text(self, seconds: float = 10) -> dict[str, Any]:
        """Returns the next frame, which has to be a text frame of JSON."""
        op, data = await self.hear(seconds)
        assert op == 1, (op, data)
        parsed: dict[str, Any] = json.loads(data)
        return parsed

    async def closed(self, seconds: float = 10) -> tuple[int, str]:
        """Returns code and reason of the closing frame, whatever comes before it."""
        while True:
            op, data = await self.hear(seconds)
            if op == 8:
                return int.from_bytes(data[:2], "big"), data[2:].decode()

    async def ended(self, seconds: float = 15) -> bytes:
        """Waits until the other side has closed; returns what it sent until then."""
        rest = b""
        async with asyncio.timeout(seconds):
            try:
                while data := await self.reader.read(65536):
                    rest += data
            except ConnectionError:
                pass
        return rest
