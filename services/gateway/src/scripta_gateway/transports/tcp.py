"""A TCP connection as a transport of calls, and the server that accepts such connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, cast

from scripta_gateway.access.proxies import peer_of
from scripta_gateway.transports.base import Close, Frame, Gone
from scripta_gateway.transports.events import Oversized
from scripta_gateway.transports.farewell import Farewell
from scripta_gateway.transports.sockets import Sockets

_BROKEN: Final = 1006
_PIECE: Final = 64 * 1024


class TcpTransport:
    """One connection: bytes in pieces as they come, both ways.

    Args:
        reader: What the client sends.
        writer: What it is sent.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ended = False

    @property
    def peer(self) -> str:
        """Address of the other end of the socket; empty if it has none."""
        return peer_of(self._writer.get_extra_info("peername"))

    async def receive(self) -> Frame | Oversized | None:
        """Returns the next bytes; as ``Transport.receive``."""
        if self._ended:  # it may still read; when it is gone a send finds out
            await asyncio.Event().wait()
        try:
            piece = await self._reader.read(_PIECE)
        except OSError:
            raise Gone(_BROKEN) from None
        self._ended = not piece
        return piece or None

    async def send(self, frame: Frame) -> None:
        """Sends bytes; as ``Transport.send``."""
        try:
            self._writer.write(frame.encode() if isinstance(frame, str) else frame)
            await self._writer.drain()
        except OSError:
            raise Gone(_BROKEN) from None

    async def close(self, close: Close) -> None:
        """Says no more; the code and the reason are for those who can hear them."""
        with suppress(OSError):
            await self._writer.drain()


class TcpServer:
    """Accepts connections until it is closed.

    Args:
        sockets: Where all sockets of the process are counted.
        serve: Serves one connection.
    """

    def __init__(self, sockets: Sockets, serve: Callable[[TcpTransport], Awaitable[None]]) -> None:
        self._sockets = sockets
        self._serve = serve
        self._servers: list[asyncio.Server] = []

    async def start(self, listeners: Sequence[socket.socket]) -> None:
        """Listens on bound sockets."""
        for listener in listeners:
            server = await asyncio.start_server(self._on_connection, sock=listener, limit=_PIECE)
            self._servers.append(server)

    def close(self) -> None:
        """Accepts no more; what is connected goes on."""
        for server in self._servers:
            server.close()

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        transport = writer.transport
        if not self._sockets.admit(transport):
            transport.abort()
            return
        try:
            await self._serve(TcpTransport(reader, writer))
        finally:
            # Bytes that still come would reset the connection before its last words are read.
            Farewell(cast("asyncio.Transport", transport), self._sockets)
