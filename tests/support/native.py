"""A client of ``/ws`` that notes every frame as it comes: no comfort, nothing hidden."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from recordings import Recording
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]

CHUNK_SECONDS = 0.1
PATIENCE = 60.0
"""Longest wait for anything, in seconds: far beyond what it takes."""


class Talk:
    """One connection: what was sent and what came, with the time of each."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[tuple[float, Frame]] = []
        self.sent_bytes = 0
        self.close_code: int | None = None
        # Time at which the n-th chunk of ``speak`` was sent.
        self.chunk_times: list[float] = []
        self._changed = asyncio.Event()

    @property
    def sid(self) -> str:
        assert self.socket.response is not None
        return self.socket.response.headers["scripta-session"]

    @property
    def token(self) -> str:
        """What it is taken up again by; only where it asked for events and is new."""
        return str(self.of("session")[0]["token"])

    @property
    def client_id(self) -> int:
        assert self.socket.response is not None
        return int(self.socket.response.headers["scripta-client-id"])

    def of(self, status: str) -> list[Frame]:
        return [frame for _, frame in self.frames if frame["status"] == status]

    @property
    def finals(self) -> list[Frame]:
        return self.of("transcript")

    @property
    def interims(self) -> list[Frame]:
        return self.of("interim")

    @property
    def errors(self) -> list[Frame]:
        return self.of("error")

    @property
    def acknowledged(self) -> list[int]:
        """Sizes of the acknowledged messages."""
        return [frame["size"] for frame in self.of("received")]

    async def send(self, message: bytes | str) -> None:
        await self.socket.send(message)
        self.sent_bytes += len(message) if isinstance(message, bytes) else 0

    async def command(self, kind: str) -> None:
        await self.send(json.dumps({"type": kind}))

    async def speak(
        self, recording: Recording, *, pace: float | None = None, window: int = 20
    ) -> None:
        """Sends raw audio in chunks of 100 ms.

        Args:
            recording: What to send.
            pace: As a multiple of the speed of speech; ``None`` for that of the acks.
            window: Chunks that may be on the way without an acknowledgement.
        """
        size = round(CHUNK_SECONDS * recording.rate) * 2
        clock = asyncio.get_running_loop().time
        due = clock()
        before = len(self.acknowledged)
        for number, start in enumerate(range(0, len(recording.pcm), size), start=1):
            if pace is not None:
                due += CHUNK_SECONDS / pace
                await asyncio.sleep(due - clock())
            sent = before + number - window
            await self.until(lambda sent=sent: len(self.acknowledged) >= sent)  # type: ignore[misc]
            await self.send(recording.pcm[start : start + size])
            self.chunk_times.append(clock())

    async def end(self) -> list[Frame]:
        """Ends the stream; returns the finals once the connection is closed."""
        await self.command("end")
        await self.until_closed()
        return self.finals

    async def until_closed(self) -> int:
        await self.until(lambda: self.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Waits until a condition on what has come is true."""
        async with asyncio.timeout(seconds):
            while not condition():
                assert self.close_code is None, (self.close_code, self.errors, self.finals)
                self._changed.clear()
                await self._changed.wait()

    async def read(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while True:
                self.frames.append((clock(), json.loads(await self.socket.recv())))
                self._changed.set()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006
        self._changed.set()


@asynccontextmanager
async def talk(
    url: str, *, headers: Mapping[str, str] | None = None, **query: object
) -> AsyncIterator[Talk]:
    """Opens a connection; leaving the block cuts it off."""
    address = f"{url}?{urlencode(query)}" if query else url
    socket = await connect(
        address,
        max_size=None,
        compression=None,
        open_timeout=PATIENCE,
        additional_headers=headers,
    )
    session = Talk(socket)
    reader = asyncio.create_task(session.read())
    try:
        yield session
    finally:
        reader.cancel()
        await asyncio.wait([reader])
        await socket.close()


async def transcribe(
    url: str, recording: Recording, *, pace: float | None = None, **query: object
) -> Talk:
    """Streams a recording as raw audio to its end; returns all that came."""
    asked: dict[str, Any] = {"encoding": "linear16", "sample_rate": recording.rate, **query}
    async with talk(url, **asked) as session:
        await session.speak(recording, pace=pace)
        await session.end()
    assert session.close_code == 1000, (session.close_code, session.errors)
    assert session.errors == []
    assert sum(session.acknowledged) == len(recording.pcm)
    return session


def decided(finals: list[Frame]) -> list[Frame]:
    """Finals without what differs from session to session, after a check of their indexes."""
    assert [final["index"] for final in finals] == list(range(1, len(finals) + 1))
    return [{k: v for k, v in final.items() if k != "client_id"} for final in finals]
