"""Calm clients: they send 100 ms every 100 ms and note how late each message is acknowledged."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from .streams import CHUNK_SECONDS, Voice

_PATIENCE: Final = 20.0
"""Longest wait of a neighbour for its handshake, in seconds."""


@dataclass(slots=True)
class Lateness:
    """How late messages were acknowledged, in seconds; what is still owed counts as it stands."""

    values: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        """Adds one."""
        self.values.append(seconds)

    def percentile(self, share: float) -> float:
        """Returns the least value that ``share`` of all do not exceed; NaN if there are none."""
        ordered = sorted(self.values)
        if not ordered:
            return math.nan
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    @classmethod
    def of_all(cls, parts: Iterable[Lateness]) -> Lateness:
        """Returns all values together."""
        return cls([value for part in parts for value in part.values])


class Neighbour:
    """One calm client.

    Attributes:
        voice: What it says.
        calm: Lateness before the attack.
        attacked: Lateness from its beginning on.
        closed: How its connection ended, if it did not end it itself.
        errors: What it was refused.
    """

    def __init__(self, url: str, voice: Voice, seconds: float) -> None:
        self.voice = voice
        self.calm = Lateness()
        self.attacked = Lateness()
        self.closed: str | None = None
        self.errors: list[str] = []
        self._url = f"{url}?{voice.query}" if voice.query else url
        self._chunks = voice.chunks(seconds)
        self._lateness = self.calm
        self._owed: deque[float] = deque()
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connects and begins to talk."""
        try:
            self._socket = socket = await connect(
                self._url, ping_interval=None, compression=None, open_timeout=_PATIENCE
            )
        except (OSError, InvalidHandshake) as error:
            self.closed = f"was not let in: {error}"
            return
        self._tasks = [asyncio.create_task(self._read(socket)), asyncio.create_task(self._talk())]

    def attack_begins(self) -> None:
        """Counts under attack what is sent from now on."""
        self._lateness = self.attacked

    async def stop(self) -> None:
        """Ends the talk; what is still owed is noted as late as it is by now."""
        for sent in self._owed:
            self._lateness.add(time.monotonic() - sent)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._socket is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._socket.close()

    async def _talk(self) -> None:
        due = time.monotonic()
        assert self._socket is not None
        for chunk in self._chunks:
            sent = time.monotonic()
            self._owed.append(sent)
            try:
                await self._socket.send(chunk)
            except ConnectionClosed:
                return
            due += CHUNK_SECONDS
            await asyncio.sleep(due - time.monotonic())

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                frame = json.loads(await socket.recv())
                if frame["status"] == "received":
                    self._acknowledged()
                elif frame["status"] == "error":
                    self.errors.append(str(frame["error"]))
        except ConnectionClosed as end:
            code = end.rcvd.code if end.rcvd else 1006
            self.closed = f"{code} {end.rcvd.reason if end.rcvd else ''}".strip()
            self._owed.clear()

    def _acknowledged(self) -> None:
        if self._owed:
            self._lateness.add(time.monotonic() - self._owed.popleft())


class Neighbourhood:
    """All neighbours of an attack; an async context manager in which they talk."""

    def __init__(self, url: str, voices: Sequence[Voice], seconds: float) -> None:
        self.members = [Neighbour(url, voice, seconds) for voice in voices]

    async def __aenter__(self) -> Neighbourhood:
        await asyncio.gather(*(member.start() for member in self.members))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(member.stop() for member in self.members))

    def forget(self) -> None:
        """Forgets what was before the calm: connecting is no part of it."""
        for member in self.members:
            member.calm.values.clear()

    def attack_begins(self) -> None:
        """Counts under attack what all send from now on."""
        for member in self.members:
            member.attack_begins()

    @property
    def closed(self) -> list[str]:
        """Returns how connections ended that should not have."""
        return [f"{m.voice.name}: {m.closed}" for m in self.members if m.closed is not None]

    @property
    def errors(self) -> list[str]:
        """Returns what neighbours were refused."""
        return [f"{m.voice.name}: {text}" for m in self.members for text in m.errors]

    @property
    def calm(self) -> Lateness:
        """Returns the lateness of all before the attack."""
        return Lateness.of_all(m.calm for m in self.members)

    @property
    def attacked(self) -> Lateness:
        """Returns the lateness of all from the attack on."""
        return Lateness.of_all(m.attacked for m in self.members)
