"""A real Chromium, and a gateway that serves the page and says what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import pytest_asyncio
from chromium import chromium
from playwright.async_api import Browser, Page
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from scripta_gateway.page import HEADERS, read_asset


async def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until the condition holds; fails after the given time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition, not one event
            await asyncio.sleep(0.01)


@dataclass
class ScriptedGateway:
    """Serves the page and takes sessions; answers audio unless told to hold its answers."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    audio: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    models: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": "small", "languages": ["de", "en"]}, {"id": "other"}]
    )
    connection: ServerConnection | None = None
    hold: bool = False
    refusing: bool = False
    # What a plain GET at the WebSocket's address is answered.
    refusal: tuple[int, str, dict[str, str]] = (426, '{"status":"error","error":"upgrade"}', {})
    finals_at_end: list[dict[str, Any]] = field(default_factory=list)
    stop: Callable[[], Awaitable[None]] | None = None
    _answered: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def say(self, **message: Any) -> None:
        """Sends one message to the page."""
        assert self.connection is not None
        await self.connection.send(json.dumps(message))

    async def answer(self, count: int) -> None:
        """Acknowledges the oldest held messages."""
        for message in self.audio[self._answered : self._answered + count]:
            await self.say(status="received", size=len(message))
        self._answered += count

    async def close(self, code: int, reason: str = "") -> None:
        assert self.connection is not None
        await self.connection.close(code, reason)

    async def request(self, _connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        self.paths.append(parts.path)
        if parts.path == "/ws" and "Upgrade" not in request.headers:
            status, body, headers = self.refusal
            return _response(status, "application/json", body.encode(), headers)
        if parts.path == "/ws":
            self.queries.append(parse_qs(parts.query))
            return _response(503, "text/plain", b"") if self.refusing else None
        if parts.path == "/v1/models":
            listed = json.dumps({"data": self.models}).encode()
            return _response(200, "application/json", listed)
        asset = read_asset(parts.path)
        if asset is None:
            return _response(404, "text/plain", b"no such path")
        return _response(200, *asset, dict(HEADERS))

    async def session(self, connection: ServerConnection) -> None:
        self.connection = connection
        await self.say(status="session", session=f"s{len(self.queries)}", client_id=7)
        async for message in connection:
            if isinstance(message, bytes):
                self.audio.append(message)
                if not self.hold:
                    await self.answer(1)
                continue
            command = json.loads(message)["type"]
            self.commands.append(command)
            if command == "end":
                for final in self.finals_at_end:
                    await self.say(**final)
                await self.say(status="ended", duration=12.3)
                return


def _response(
    status: int, media_type: str, body: bytes, headers: dict[str, str] | None = None
) -> Response:
    fields = Headers(
        {
            "Content-Type": media_type,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }
    )
    return Response(status, HTTPStatus(status).phrase, fields, body)


def make_final(
    index: int, text: str, start: float, end: float, reason: str = "endpoint"
) -> dict[str, Any]:
    """A final as the gateway sends it."""
    return {
        "client_id": 7,
        "text": text,
        "status": "transcript",
        "index": index,
        "start": start,
        "end": end,
        "reason": reason,
        "words": [],
        "words_estimated": True,
        "confidence": 0.9,
        "language": "en",
    }


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    return wait_until


@pytest.fixture
def final() -> Callable[..., dict[str, Any]]:
    return make_final


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a 1 kHz tone at half scale, 48 kHz mono: what the microphone hears."""
    path = tmp_path_factory.mktemp("microphone") / "tone.wav"
    wavelength = np.arange(96_000) * (2 * np.pi * 1000 / 48_000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes((np.sin(wavelength) * 16_384).astype("<i2").tobytes())
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tone: Path) -> AsyncIterator[Browser]:
    async with chromium(tone) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def gateway() -> AsyncIterator[ScriptedGateway]:
    gateway = ScriptedGateway()
    async with serve(
        gateway.session,
        "127.0.0.1",
        0,
        process_request=gateway.request,
        compression=None,
        max_size=2**20,
    ) as server:
        gateway.port = next(iter(server.sockets)).getsockname()[1]

        async def stop() -> None:
            server.close()
            await server.wait_closed()

        gateway.stop = stop
        yield gateway


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, gateway: ScriptedGateway) -> AsyncIterator[Page]:
    """The page, just opened; a fault in its script or a breach of its policy fails the test."""
    context = await browser.new_context()
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=gateway.url)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: faults.append(message.text) if "Security Policy" in message.text else None,
    )
    await page.goto(gateway.url)
    await page.locator("summary").click()
    yield page
    await context.close()
    assert faults == []
