from __future__ import annotations

import asyncio
import json
import os
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

Script = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    """The server's end of one session, for a test's script."""

    socket: ServerConnection

    @property
    def asked(self) -> dict[str, str]:
        assert self.socket.request is not None
        return dict(parse_qsl(urlsplit(self.socket.request.path).query))

    async def audio(self) -> bytes:
        data = await self.socket.recv()
        assert isinstance(data, bytes), data
        return data

    async def control(self) -> str:
        data = await self.socket.recv()
        assert isinstance(data, str), data
        kind = json.loads(data)["type"]
        assert isinstance(kind, str)
        return kind

    async def say(self, **frame: object) -> None:
        await self.socket.send(json.dumps(frame))

    async def open(
        self, session: str = "s-1", *, resumed: bool = False, received: int = 0, **more: object
    ) -> None:
        """Says which session the connection has, and of a new one the token."""
        frame = {"status": "session", "session": session, "client_id": 7, "resumed": resumed}
        told = {"resume_seconds": 20.0} | ({} if resumed else {"token": f"{session}.secret"})
        await self.say(**frame, received=received, **{**told, **more})

    def drop(self) -> None:
        """Breaks the connection off without a word."""
        self.socket.transport.abort()

    async def ack(self, audio: bytes) -> None:
        await self.say(status="received", size=len(audio))

    async def final(self, index: int, text: str, start: float, end: float, **more: object) -> None:
        frame = {"client_id": 7, "text": text, "status": "transcript", "index": index}
        await self.say(**frame, start=start, end=end, reason="endpoint", words=[], **more)

    async def until_end(self) -> bytes:
        """Acknowledges audio until the client ends; returns all of it."""
        audio = bytearray()
        while isinstance(data := await self.socket.recv(), bytes):
            audio += data
            await self.ack(data)
        if json.loads(data)["type"] != "end":
            return bytes(audio) + await self.until_end()
        return bytes(audio)

    async def over(self, duration: float = 1.0) -> None:
        await self.say(status="ended", duration=duration)
        await self.socket.close(1000)


@dataclass
class Gateway:
    """A server on a real socket that plays a script to each client."""

    port: int
    server: Server

    def close(self) -> None:
        """Takes no more connections; those that are open stay."""
        self.server.close(close_connections=False)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"


def refusal(status: int, body: str, **headers: str) -> Response:
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    named["Content-Length"] = str(len(body.encode()))
    return Response(status, HTTPStatus(status).phrase, named, body.encode())


@asynccontextmanager
async def gateway_running(
    script: Script, answer: Response | Callable[[], Response | None] | None = None
) -> AsyncIterator[Gateway]:
    async def handle(socket: ServerConnection) -> None:
        async with asyncio.timeout(20):
            await script(Peer(socket))

    def refuse(socket: ServerConnection, request: Request) -> Response | None:
        return answer() if callable(answer) else answer

    def greet(socket: ServerConnection, request: Request, response: Response) -> None:
        response.headers["scripta-session"] = "s-1"
        response.headers["scripta-client-id"] = "7"

    async with serve(
        handle, "127.0.0.1", 0, process_request=refuse, process_response=greet, close_timeout=1
    ) as server:
        yield Gateway(next(iter(server.sockets)).getsockname()[1], server)


@pytest.fixture
def gateway() -> Callable[..., object]:
    """``async with gateway(script) as server`` runs a scripted gateway."""
    return gateway_running


@pytest.fixture
def refuse() -> Callable[..., Response]:
    return refusal


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


async def run_scripta(
    *arguments: str | Path, stdin: bytes | None = None, url: str | None = None
) -> Outcome:
    environment = {name: value for name, value in os.environ.items() if name != "SCRIPTA_URL"}
    if url is not None:
        environment["SCRIPTA_URL"] = url
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripta_client",
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


@pytest.fixture
def scripta() -> Callable[..., Awaitable[Outcome]]:
    """``await scripta("transcribe", …)`` runs the command as a user does."""
    return run_scripta


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """One second of 16 kHz mono samples that differ from each other, in a WAV file."""
    path = tmp_path / "one second.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"".join(number.to_bytes(2, "little") for number in range(16_000)))
    return path
