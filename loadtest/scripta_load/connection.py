"""A WebSocket on a plain socket: one greenlet a user, which sends, reads and waits by turns.

The protocol is that of `websockets`, the sockets are those of the standard library, so that they
wait in gevent where Locust has put it under them. Nothing here starts a thread or a greenlet.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from typing import Self

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

SEND_SECONDS = 60.0
"""How long the far side may push back before the connection counts as stalled."""

CLOSED_ABNORMALLY = 1006
_BLOCK_BYTES = 65_536
_LEAST_RETRY_SECONDS = 0.1
_MOST_RETRY_SECONDS = 60.0


class ConnectFailed(Exception):
    """There is no connection: nobody listens, TLS fails, the answer is no WebSocket."""


class Refused(ConnectFailed):
    """The gateway has no room: come back after ``retry_after`` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"refused with 503, retry after {retry_after:g} s")
        self.retry_after = retry_after


class Closed(Exception):
    """The connection is over.

    Attributes:
        code: That of the close frame, 1006 if none came.
        reason: Its text, or what broke the connection.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code}" + (f" ({reason})" if reason else ""))
        self.code = code
        self.reason = reason


class Connection:
    """An open connection; a context manager that cuts it off at the end."""

    def __init__(self, stream: socket.socket, protocol: ClientProtocol) -> None:
        self._stream = stream
        self._protocol = protocol
        self._inbox: deque[str] = deque()
        self._parts: list[bytes] = []
        self._response: Response | None = None
        self._over: Closed | None = None

    @classmethod
    def open(cls, url: str, timeout: float) -> Self:
        """Dials and shakes hands.

        Raises:
            Refused: 503, with the time to wait.
            ConnectFailed: Anything else that is not an open connection in time.
        """
        uri = parse_uri(url)
        protocol = ClientProtocol(uri, max_size=None)
        try:
            stream = socket.create_connection((uri.host, uri.port), timeout=timeout)
        except OSError as error:
            raise ConnectFailed(f"no connection: {error}") from None
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if uri.secure:
                stream = ssl.create_default_context().wrap_socket(stream, server_hostname=uri.host)
            connection = cls(stream, protocol)
            connection._shake_hands(time.monotonic() + timeout)
        except OSError as error:
            stream.close()
            raise ConnectFailed(f"no handshake: {error}") from None
        except BaseException:
            stream.close()
            raise
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def send(self, message: bytes | memoryview | str) -> None:
        """Sends a message; waits while the far side pushes back.

        One that can not be sent any more is dropped: ``receive`` says why.
        """
        if self._over is not None:
            return
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()

    def receive(self, deadline: float) -> str | None:
        """Returns the next message, ``None`` at the deadline; looks once even if that is past.

        Raises:
            Closed: There is none, and none will come.
        """
        while not self._inbox:
            if self._over is not None:
                raise self._over
            if not self._read(deadline):
                return None
        return self._inbox.popleft()

    def _shake_hands(self, deadline: float) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._response is None:
            if self._over is not None:
                raise ConnectFailed(f"no handshake: {self._over}")
            if not self._read(deadline):
                raise ConnectFailed("no answer to the handshake in time")
        problem = self._protocol.handshake_exc
        if isinstance(problem, InvalidStatus):
            raise _answer(problem.response)
        if problem is not None:
            raise ConnectFailed(f"no WebSocket there: {problem}")

    def _read(self, deadline: float) -> bool:
        """Reads once; returns whether anything happened before the deadline."""
        self._stream.settimeout(max(deadline - time.monotonic(), 0.0))
        try:
            data = self._stream.recv(_BLOCK_BYTES)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            self._break(str(error))
            return True
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._sort()
        self._flush()
        if self._protocol.close_rcvd is not None:
            close = self._protocol.close_rcvd
            self._over = Closed(close.code, close.reason)
        elif self._protocol.parser_exc is not None:
            self._break(str(self._protocol.parser_exc))
        elif not data:
            self._break("the connection broke")
        return True

    def _sort(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._response = event
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    self._inbox.append(b"".join(self._parts).decode())
                    self._parts.clear()

    def _flush(self) -> None:
        self._stream.settimeout(SEND_SECONDS)
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._stream.sendall(data)
        except TimeoutError:
            self._break(f"stalled for {SEND_SECONDS:g} s")
        except OSError as error:
            # What came before the break is still there, with the reason perhaps.
            while self._over is None and self._read(0.0):
                pass
            self._break(str(error))

    def _break(self, reason: str) -> None:
        self._over = self._over or Closed(CLOSED_ABNORMALLY, reason)


def _answer(response: Response) -> ConnectFailed:
    if response.status_code != 503:
        body = (response.body or b"")[:200].decode(errors="replace")
        return ConnectFailed(f"answered with {response.status_code}: {body}")
    try:
        seconds = float(response.headers.get("Retry-After", "1"))
    except ValueError:
        seconds = 1.0
    return Refused(min(max(seconds, _LEAST_RETRY_SECONDS), _MOST_RETRY_SECONDS))
