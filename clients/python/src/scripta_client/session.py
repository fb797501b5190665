"""A live session: the protocol joined to a socket.

One task reads the socket all the time, so that acknowledgements arrive whether or not anyone
iterates. Senders wait until their audio fits among the unacknowledged bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from scripta_client.errors import ConnectionLost, ScriptaError, ServerSilent
from scripta_client.events import Event
from scripta_client.handshake import open_socket
from scripta_client.inbox import Inbox
from scripta_client.protocol import NativeProtocol, State
from scripta_client.wire import FINALIZE, KEEPALIVE, Encoding, Options

MESSAGE_BYTES = 65_536
"""Larger pieces of audio are sent as several messages of this size."""

UNACKNOWLEDGED_BYTES = 262_144
"""Audio that may be on its way by default."""

_CLOSED_HERE = "it was closed on this side"


@asynccontextmanager
async def connect(
    url: str,
    *,
    language: str | None = None,
    interim_results: bool = False,
    encoding: Encoding | None = None,
    sample_rate: int | None = None,
    channels: int | None = None,
    endpointing: int | None = None,
    headers: Mapping[str, str] | None = None,
    open_timeout: float = 10.0,
    response_timeout: float = 120.0,
    max_unacknowledged: int = UNACKNOWLEDGED_BYTES,
) -> AsyncIterator[Session]:
    """Opens a session with a gateway; leaving the block closes the connection.

    To get the last words, call ``end()`` and iterate until the session is over before you
    leave.

    Args:
        url: Address of the gateway, such as ``ws://localhost:8000/ws``.
        language: BCP-47 tag of the speech.
        interim_results: Whether to yield ``Interim`` as well.
        encoding: Encoding of raw audio. ``None`` lets the server find out from the first
            bytes: a file or stream in a container, else 16-bit little-endian samples.
        sample_rate: Samples per second of raw audio (16 000 if not given).
        channels: Channels of raw audio (1 if not given).
        endpointing: Milliseconds of silence that end a segment.
        headers: Further HTTP headers, for example for a proxy that asks for them.
        open_timeout: Seconds to wait for the session to open.
        response_timeout: Seconds of silence to bear while the server owes an answer.
        max_unacknowledged: Bytes of audio that may be sent ahead of acknowledgements.

    Raises:
        InvalidUrl: If ``url`` is not the address of a host.
        CannotConnect: If nobody answers there.
        Refused: If the gateway takes no session or rejects an option.
    """
    options = Options(language, interim_results, encoding, sample_rate, channels, endpointing)
    socket = await open_socket(options.address(url), headers=headers, timeout=open_timeout)
    protocol = NativeProtocol(max_unacknowledged)
    answered = socket.response.headers if socket.response else {}
    client_id = answered.get("scripta-client-id", "")
    protocol.opened(
        answered.get("scripta-session", ""), int(client_id) if client_id.isdigit() else None
    )
    async with Session(socket, protocol, response_timeout) as session:
        yield session


class Session:
    """An open session; made by ``connect``.

    Iterating yields events until everything is transcribed, and raises the error if the
    session ends in another way. Sending and iterating may go on in different tasks.
    """

    def __init__(
        self, socket: ClientConnection, protocol: NativeProtocol, response_timeout: float
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._response_timeout = response_timeout
        self._inbox = Inbox()
        # Set whenever an acknowledgement or the end may have let a waiting sender go on.
        self._room = asyncio.Event()
        # Keeps frames on the socket in the order in which they were asked for.
        self._sending = asyncio.Lock()
        self._active = asyncio.get_running_loop().time()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read(), name="scripta-reader")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        self._inbox.close(ConnectionLost(1006, _CLOSED_HERE))
        await self._socket.close()

    @property
    def id(self) -> str:
        """The session's id; empty if the server has not said it."""
        return self._protocol.session

    @property
    def client_id(self) -> int | None:
        """The number in each result of this session, if the server has said it."""
        return self._protocol.client_id

    @property
    def accepted_bytes(self) -> int:
        """Bytes of audio that the server has acknowledged."""
        return self._protocol.outbox.accepted_bytes

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes of audio that are sent and not acknowledged."""
        return self._protocol.outbox.pending_bytes

    async def send(self, audio: bytes) -> None:
        """Sends audio; returns when it is on its way, which waits for acknowledgements.

        Raises:
            SessionError: If the session is over.
            RuntimeError: If ``end()`` was called before.
        """
        async with self._sending:
            for start in range(0, len(audio), MESSAGE_BYTES):
                message = bytes(audio[start : start + MESSAGE_BYTES])
                await self._until_room(len(message))
                self._note_owed()
                await self._send_frame(self._protocol.audio(message))

    async def finalize(self) -> None:
        """Asks the server to end the current segment now; a ``Final`` follows."""
        await self._send_control(FINALIZE)

    async def keepalive(self) -> None:
        """Tells the server that silence is meant, so that the session is not closed as idle."""
        await self._send_control(KEEPALIVE)

    async def end(self) -> None:
        """Says that no audio follows; the last finals and ``Ended`` do. Idempotent."""
        async with self._sending:
            self._note_owed()
            frame = self._protocol.end()
            if frame is not None:
                await self._send_frame(frame)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._inbox.get()
        if event is None:
            raise StopAsyncIteration
        return event

    async def _send_control(self, frame: str) -> None:
        async with self._sending:
            await self._send_frame(frame)

    async def _send_frame(self, frame: str | bytes) -> None:
        self._raise_if_over()
        try:
            await self._socket.send(frame)
        except ConnectionClosed:
            # The reader sees the same end, after the frames that explain it.
            if self._reader is not None:
                await asyncio.wait([self._reader])
            self._raise_if_over()

    async def _until_room(self, size: int) -> None:
        while not self._inbox.over and not self._protocol.outbox.has_room(size):
            self._room.clear()
            await self._room.wait()
        self._raise_if_over()

    def _raise_if_over(self) -> None:
        if self._inbox.error is not None:
            raise self._inbox.error

    def _note_owed(self) -> None:
        """Starts the clock of an answer that is owed from now on."""
        if not self._protocol.owed:
            self._active = asyncio.get_running_loop().time()

    async def _read(self) -> None:
        """Reads the socket until the session is over, and keeps how it ended."""
        outcome: ScriptaError | None = ConnectionLost(1006, _CLOSED_HERE)
        try:
            while self._protocol.state is not State.ENDED:
                await self._read_once()
            outcome = None
        except ScriptaError as error:
            outcome = error
        finally:
            self._inbox.close(outcome)
            self._room.set()

    async def _read_once(self) -> None:
        """Takes one frame, or the close, or notices that an answer is overdue."""
        loop = asyncio.get_running_loop()
        event: Event | None = None
        try:
            async with asyncio.timeout_at(self._active + self._response_timeout):
                data = await self._socket.recv()
            self._active = loop.time()
            event = self._protocol.receive(data)
        except TimeoutError:
            if self._protocol.owed and loop.time() >= self._active + self._response_timeout:
                raise ServerSilent(self._response_timeout) from None
            if not self._protocol.owed:
                self._active = loop.time()
        except ConnectionClosed as closed:
            received = closed.rcvd
            code, reason = (received.code, received.reason) if received else (1006, "")
            event = self._protocol.closed(code, reason)
        if event is not None:
            self._inbox.put(event)
        self._room.set()
