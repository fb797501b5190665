"""Opens connections to one gateway address: the first one, and those that follow a break."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from scripta_client.errors import ConnectionLost, ProtocolViolation
from scripta_client.handshake import open_socket
from scripta_client.wire import Opened, Options, Place, parse


@dataclass(frozen=True, slots=True)
class Dialer:
    """Where and how to connect.

    Attributes:
        url: Address of the gateway.
        options: What is asked of each session.
        headers: Further HTTP headers.
        timeout: Seconds for a connection to open.
        pong_seconds: How long a ping may go unanswered before a connection counts as broken.
        tls: How TLS is spoken; ``None``: as the library does.
    """

    url: str
    options: Options
    headers: Mapping[str, str] | None
    timeout: float
    pong_seconds: float
    tls: ssl.SSLContext | None = None

    async def open(self, place: Place | None = None) -> ClientConnection:
        """Returns a connection to a session, or to a new one; raises as ``open_socket``."""
        return await open_socket(
            self.options.address(self.url, place),
            headers=self.headers,
            timeout=self.timeout,
            pong_seconds=self.pong_seconds,
            tls=self.tls,
        )

    async def open_again(self, place: Place | None) -> tuple[ClientConnection, Opened]:
        """Returns such a connection and the first frame it sent.

        Raises:
            ConnectError: As ``open_socket``.
            ConnectionLost: If it closed, or said nothing, before its first frame.
            ProtocolViolation: If it said something else.
        """
        socket = await self.open(place)
        try:
            return socket, await self._first_frame(socket)
        except BaseException:
            # No close frame: it would say that we have left for good.
            socket.transport.abort()
            raise

    async def _first_frame(self, socket: ClientConnection) -> Opened:
        try:
            async with asyncio.timeout(self.timeout):
                frame = parse(await socket.recv())
        except ConnectionClosed as closed:
            raise ConnectionLost(*close_of(closed)) from closed
        except TimeoutError as error:
            raise ConnectionLost(1006, f"no session within {self.timeout:g} s") from error
        if not isinstance(frame, Opened):
            raise ProtocolViolation("it did not name the session first")
        return frame


def close_of(closed: ConnectionClosed) -> tuple[int, str]:
    """Returns the code and reason with which the peer closed; 1006 if it said none."""
    return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
