"""Those who look on: ``/livez``, newcomers who want to talk, and the suite's own punctuality."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from .streams import raw

_PAUSE: Final = 0.5
_TICK: Final = 0.02
_GIVE_UP_SECONDS: Final = 15.0


@dataclass(slots=True)
class Probes:
    """What is asked while neighbours talk.

    Attributes:
        livez: Seconds until ``/livez`` answered; the longest of them counts.
        livez_failures: Why it did not.
        newcomers: Seconds until a new client had its first acknowledgement.
        turned_away: Why new clients were not let in.
        own_delay: The longest time that this process itself was late, in seconds.
    """

    port: int
    livez: list[float] = field(default_factory=list)
    livez_failures: list[str] = field(default_factory=list)
    newcomers: list[float] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    own_delay: float = 0.0

    async def run(self) -> None:
        """Asks until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_livez())
            group.create_task(self._come())
            group.create_task(self._watch_ourselves())

    async def _ask_livez(self) -> None:
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_GIVE_UP_SECONDS):
                    await _get(self.port, "/livez")
                self.livez.append(time.monotonic() - began)
            except asyncio.CancelledError:
                self.livez.append(time.monotonic() - began)  # it took that long at least
                raise
            except (OSError, TimeoutError, ValueError) as error:
                self.livez_failures.append(f"{type(error).__name__} {error}".strip())
            await asyncio.sleep(_PAUSE)

    async def _come(self) -> None:
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_GIVE_UP_SECONDS):
                    await _talk_once(self.port)
                self.newcomers.append(time.monotonic() - began)
            except asyncio.CancelledError:
                self.newcomers.append(time.monotonic() - began)
                raise
            except InvalidStatus as error:
                body = error.response.body.decode("utf-8", "replace")[:120]
                self.turned_away.append(f"{error.response.status_code} {body}")
            except (OSError, TimeoutError, InvalidHandshake, WebSocketException) as error:
                self.turned_away.append(f"{type(error).__name__} {error}".strip())
            await asyncio.sleep(2 * _PAUSE)

    async def _watch_ourselves(self) -> None:
        while True:
            due = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            self.own_delay = max(self.own_delay, time.monotonic() - due)


async def _get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ValueError(answer[:40].decode("latin-1"))
    return answer.partition(b"\r\n\r\n")[2]


async def scrape(port: int) -> dict[str, float]:
    """Returns the gateway's metrics, each sample under its name with its labels."""
    lines = (await _get(port, "/metrics")).decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


async def _talk_once(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/ws"
    options = {"compression": None, "ping_interval": None, "open_timeout": _GIVE_UP_SECONDS}
    async with connect(url, close_timeout=1, **options) as socket:  # type: ignore[arg-type]
        await socket.send(raw(0.1)[0])
        while json.loads(await socket.recv())["status"] != "received":
            pass
        await socket.send('{"type":"end"}')
