"""A live session: the protocol joined to a socket, and to the next one if that breaks.

One task holds the connection: it reads all the time, so that acknowledgements arrive whether
or not anyone iterates, writes what is in line, and comes back after a break. Senders only put
things in line and wait until their audio fits among what is unacknowledged.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from scripta_client.dialer import close_of
from scripta_client.errors import ConnectionLost, ScriptaError, ServerSilent, SessionError
from scripta_client.events import Event
from scripta_client.inbox import Inbox
from scripta_client.protocol import NativeProtocol, State
from scripta_client.reconnector import Reconnector

MESSAGE_BYTES = 64_000
"""Larger pieces of audio are sent as several messages of this size."""

_CLOSED_HERE = "it was closed on this side"


class Session:
    """An open session; made by ``connect``.

    Iterating yields events until everything is transcribed, and raises the error if the
    session ends in another way. Sending and iterating may go on in different tasks.

    Args:
        socket: The first connection.
        protocol: The session's state.
        reconnector: Brings it onto the next connection.
        response_timeout: Seconds of silence to bear while the server owes an answer.
    """

    def __init__(
        self,
        socket: ClientConnection,
        protocol: NativeProtocol,
        reconnector: Reconnector,
        response_timeout: float,
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._reconnector = reconnector
        self._response_timeout = response_timeout
        self._inbox = Inbox()
        # Set whenever an acknowledgement or the end may have let a waiting sender go on.
        self._room = asyncio.Event()
        # Set whenever there may be something to write.
        self._unsent = asyncio.Event()
        # Keeps the pieces of one call to ``send`` together.
        self._sending = asyncio.Lock()
        self._active = asyncio.get_running_loop().time()
        self._holder: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._holder = asyncio.create_task(self._hold(), name="scripta-session")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._holder is not None:
            self._holder.cancel()
            await asyncio.wait([self._holder])
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
        """Bytes of audio that are sent, or in line, and not acknowledged."""
        return self._protocol.outbox.pending_bytes

    async def send(self, audio: bytes) -> None:
        """Puts audio in line; waits while too much is unacknowledged, a break included.

        Raises:
            SessionError: If the session is over.
            RuntimeError: If ``end()`` was called before.
        """
        async with self._sending:
            for start in range(0, len(audio), MESSAGE_BYTES):
                message = bytes(audio[start : start + MESSAGE_BYTES])
                await self._until_room(len(message))
                self._note_owed()
                self._protocol.audio(message)
                self._unsent.set()

    async def finalize(self) -> None:
        """Asks the server to end the current segment now; a ``Final`` follows."""
        async with self._sending:
            self._raise_if_over()
            self._protocol.finalize()
            self._unsent.set()

    async def keepalive(self) -> None:
        """Tells the server that silence is meant, so that the session is not closed as idle."""
        async with self._sending:
            self._raise_if_over()
            self._protocol.keepalive()
            self._unsent.set()

    async def end(self) -> None:
        """Says that no audio follows; the last finals and ``Ended`` do. Idempotent."""
        async with self._sending:
            self._raise_if_over()
            self._note_owed()
            self._protocol.end()
            self._unsent.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._inbox.get()
        if event is None:
            raise StopAsyncIteration
        return event

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

    async def _hold(self) -> None:
        """Holds a connection until the session is over, and keeps how it ended."""
        outcome: ScriptaError | None = ConnectionLost(1006, _CLOSED_HERE)
        try:
            while self._protocol.state is not State.ENDED:
                try:
                    await self._converse()
                except SessionError as error:
                    if not self._reconnector.can_help(error):
                        raise
                    await self._come_back(error)
            outcome = None
        except ScriptaError as error:
            outcome = error
        finally:
            self._inbox.close(outcome)
            self._room.set()

    async def _converse(self) -> None:
        """Reads and writes until the session is over; raises if the connection is first."""
        writing = asyncio.create_task(self._write(), name="scripta-writer")
        try:
            while self._protocol.state is not State.ENDED:
                await self._read_once()
        finally:
            writing.cancel()
            await asyncio.wait([writing])

    async def _write(self) -> None:
        """Sends what is in line until the connection breaks, which the reader tells."""
        while True:
            self._unsent.clear()
            while (frame := self._protocol.outbox.next()) is not None:
                try:
                    await self._socket.send(frame)
                except ConnectionClosed:
                    return
            await self._unsent.wait()

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
            event = self._protocol.closed(*close_of(closed))
        if event is not None:
            self._inbox.put(event)
        self._room.set()

    async def _come_back(self, error: SessionError) -> None:
        """Takes the next connection; raises if there is to be none."""
        self._socket, event = await self._reconnector.reconnect(error, self._inbox.put)
        # Only time with a connection counts as silence; a connection alone is no answer.
        self._active += event.seconds
        self._inbox.put(event)
        self._room.set()
