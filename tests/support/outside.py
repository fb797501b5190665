"""A host of the outside world: an HTTP server on loopback that answers by a script."""

from __future__ import annotations

import asyncio
import ssl
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO


@dataclass
class Asked:
    """A request that the host got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter = field(repr=False)

    async def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Answers with a body; ``content_length`` may lie."""
        known = {"content-length": str(len(body)), "connection": "close"}
        said = known | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in said.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()


@dataclass
class Outside:
    """What the host has been asked.

    Attributes:
        port: Its port.
        asked: All requests, in order.
        sent: Bytes that it has written and its client's side has taken, in a slow answer.
    """

    port: int
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Returns a URL here."""
        return f"http://{host}:{self.port}{path}"


def wav(seconds: float, channels: int = 1) -> bytes:
    """Returns a WAV file of silence."""
    whole = BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(round(32000 * seconds) * channels))
    return whole.getvalue()


async def give(_: Outside, asked: Asked) -> None:
    """Answers with a recording of two seconds."""
    await asked.answer(body=wav(2))


Script = Callable[[Outside, Asked], Awaitable[None]]


@asynccontextmanager
async def outside(script: Script, context: ssl.SSLContext | None = None) -> AsyncIterator[Outside]:
    """Serves inside its block, with TLS if a context is given."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            asked = Asked(method, path, headers, body, writer)
            host.asked.append(asked)
            await script(host, asked)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    host = Outside(server.sockets[0].getsockname()[1])
    try:
        yield host
    finally:
        server.close()
