"""A server that answers by script what the vendors document, whatever is said to it.

It hears nothing: it only proves that the programs beside it send what they should and understand
what is sent to them. The gateway itself is judged by the tests of its dialects.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from scripta_local.ports import free_port

Frame = dict[str, Any] | bytes
Close = tuple[int, str]
Script = Callable[[Frame], Iterator[dict[str, Any] | Close]]
"""Takes what a client sends; yields what is sent back, or how the connection is closed."""


@dataclass(slots=True)
class Seen:
    """What a client has sent."""

    headers: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)
    audio_bytes: int = 0
    body: bytes = b""

    def types(self) -> list[str]:
        """Returns the types of its messages, each once for each run of them."""
        kinds = [text.get("type", "") for text in self.texts]
        return [kind for before, kind in zip(["", *kinds], kinds, strict=False) if kind != before]


@dataclass(slots=True)
class Scripted:
    """A running server: its address, and what it has seen."""

    url: str
    seen: list[Seen] = field(default_factory=list)


@asynccontextmanager
async def web_socket_server(
    path: str,
    new_script: Callable[[], tuple[list[dict[str, Any]], Script]],
    refuse: int | None = None,
    certificate: ssl.SSLContext | None = None,
) -> AsyncIterator[Scripted]:
    """Serves a script at a path; each connection has a new one and hears its greeting first."""
    server = Scripted("")

    async def call(socket: WebSocket) -> None:
        seen = Seen(dict(socket.headers), socket.query_params.multi_items())
        server.seen.append(seen)
        if refuse is not None:
            await socket.send_denial_response(Response("no", refuse))
            return
        await socket.accept(headers=[(b"dg-request-id", b"00000000-0000-4000-8000-000000000000")])
        greeting, script = new_script()
        for message in greeting:
            await socket.send_text(json.dumps(message))
        await _converse(socket, script, seen)

    async with _served(Starlette(routes=[WebSocketRoute(path, call)]), server, certificate):
        yield server


@asynccontextmanager
async def http_server(
    path: str, answer: Callable[[Seen], tuple[int, str, str]]
) -> AsyncIterator[Scripted]:
    """Serves one path over HTTP; the answer is a status, a media type and a body."""
    server = Scripted("")

    async def call(request: Request) -> Response:
        body = await request.body()
        seen = Seen(dict(request.headers), request.query_params.multi_items(), body=body)
        server.seen.append(seen)
        status, media_type, text = answer(seen)
        return Response(text, status, media_type=media_type)

    route = Route(path, call, methods=["GET", "POST"])
    async with _served(Starlette(routes=[route]), server, None):
        yield server


@asynccontextmanager
async def wyoming_server(
    answers: dict[str, list[dict[str, Any]]],
) -> AsyncIterator[Scripted]:
    """Serves wyoming's events over TCP: what is answered to each type of event, then the end."""
    server = Scripted("")

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = Seen()
        server.seen.append(seen)
        try:
            while line := await reader.readline():
                event = json.loads(line)
                extra = await reader.readexactly(event.pop("data_length", 0))
                event["data"] = event.get("data", {}) | (json.loads(extra) if extra else {})
                seen.audio_bytes += len(await reader.readexactly(event.pop("payload_length", 0)))
                seen.texts.append(event)
                for answer in answers.get(event["type"], []):
                    writer.write(json.dumps(answer).encode() + b"\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(call, "127.0.0.1", 0)
    async with listening:
        server.url = f"tcp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


async def _converse(socket: WebSocket, script: Script, seen: Seen) -> None:
    try:
        while True:
            message = await socket.receive()
            if message["type"] != "websocket.receive":
                return
            frame = _frame(message, seen)
            for said in script(frame):
                if isinstance(said, tuple):
                    await socket.close(*said)
                    return
                await socket.send_text(json.dumps(said))
    except WebSocketDisconnect:
        return


def _frame(message: Any, seen: Seen) -> Frame:
    data = message.get("bytes")
    if data is not None:
        seen.audio_bytes += len(data)
        return bytes(data)
    text: dict[str, Any] = json.loads(message["text"])
    seen.texts.append(text)
    return text


@asynccontextmanager
async def _served(
    app: Starlette, server: Scripted, certificate: ssl.SSLContext | None
) -> AsyncIterator[None]:
    port = free_port()
    config = uvicorn.Config(app, port=port, log_level="critical", lifespan="off")
    config.load()
    config.ssl = certificate
    server.url = f"{'https' if certificate else 'http'}://localhost:{port}"
    process = uvicorn.Server(config)
    process.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(process.serve())
    try:
        async with asyncio.timeout(10):
            while not process.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
                await asyncio.sleep(0.01)
        yield
    finally:
        process.should_exit = True
        process.force_exit = True
        await serving
