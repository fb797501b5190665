"""An attacker's connection: a bare socket that notes what it is told.

It is neither a stream of asyncio nor a client of a library: those end a connection at the first
failed write, and what the gateway said last would be lost.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from .attack import Target
from .wire import Op, upgrade

_BLOCK: Final = 1 << 16
_CONNECT_SECONDS: Final = 10.0
_HEAD_BYTES: Final = 1 << 16
_LAST_WORDS_SECONDS: Final = 1.0


class Line:
    """One connection to the gateway; an async context manager.

    Attributes:
        open: Whether the gateway has not ended it, as far as is known.
        session: The session's id and whatever else the answer to the handshake had.
    """

    def __init__(self, target: Target, *, receive_buffer: int = 0) -> None:
        """Connects nothing yet.

        Args:
            target: Where the gateway is, and who notes what it says.
            receive_buffer: Bytes of the kernel's buffer, for a client that does not read.
        """
        self.open = False
        self.headers: dict[str, str] = {}
        self._target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._heard = b""
        self._listener: asyncio.Task[None] | None = None
        self._is_websocket = False
        self._noted_end = False

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(_CONNECT_SECONDS):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(self._socket, ("127.0.0.1", self._target.port))
        self.open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            if self.open:
                self._listener.cancel()
            await asyncio.wait([self._listener], timeout=_LAST_WORDS_SECONDS)
        self._socket.close()

    async def send(self, data: bytes | memoryview, seconds: float | None = None) -> bool:
        """Sends bytes until the attack is over; returns whether the connection took all of them.

        Args:
            data: What to send.
            seconds: Give up earlier than at the end of the attack.
        """
        if not self.open:
            return False
        left = self._target.left if seconds is None else seconds
        try:
            async with asyncio.timeout(max(0.01, left)):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except TimeoutError:
            return False
        except OSError:
            await self._last_words()
            return False
        # A send that does not have to wait does not let others run.
        await asyncio.sleep(0)
        return self.open

    async def flood(self, block: bytes) -> int:
        """Sends the same bytes again and again until the attack is over; returns how many."""
        sent = 0
        self.start_listening()
        while self._target.left and await self.send(block):
            sent += len(block)
        return sent

    async def drip(self, data: bytes, pause: float) -> None:
        """Sends bytes one at a time until they, or the attack, are over."""
        self.start_listening()
        for byte in data:
            if not self._target.left or not await self.send(bytes([byte])):
                return
            await asyncio.sleep(min(pause, self._target.left))

    async def shake(self, query: str = "", headers: Iterable[str] = ()) -> bool:
        """Opens a session; returns false if it was refused, which is then noted."""
        path = f"/ws?{query}" if query else "/ws"
        if not await self.send(upgrade(path, headers)):
            return False
        return await self.read_head() == 101

    async def read_head(self) -> int:
        """Reads an HTTP response and notes it; returns its status, 0 if none came."""
        while b"\r\n\r\n" not in self._heard and len(self._heard) < _HEAD_BYTES:
            if not await self._receive(max(_LAST_WORDS_SECONDS, self._target.left)):
                return 0
        head, _, self._heard = self._heard.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.lower().strip(): value.strip() for name, _, value in pairs}
        found = re.match(r"HTTP/1\.\d (\d{3})", first)
        status = int(found[1]) if found else 0
        if status == 101:
            self._is_websocket = True
            return status
        length = int(self.headers.get("content-length", "0") or 0)
        while len(self._heard) < length and await self._receive(1.0):
            pass
        body, self._heard = self._heard[:length], self._heard[length:]
        self._target.told.response(status, body.decode("utf-8", "replace"))
        return status

    def start_listening(self) -> None:
        """Reads in the background and notes what comes."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())

    async def listen(self, seconds: float) -> bool:
        """Reads for so long; returns whether the connection is still open."""
        self.start_listening()
        assert self._listener is not None
        await asyncio.wait([self._listener], timeout=max(0.0, seconds))
        return self.open

    async def read_slowly(self, size: int, pause: float) -> int:
        """Reads so many bytes at a time until the attack is over; returns how many came."""
        loop, count = asyncio.get_running_loop(), 0
        while self._target.left:
            try:
                async with asyncio.timeout(self._target.left):
                    data = await loop.sock_recv(self._socket, size)
            except (TimeoutError, OSError):
                break
            if not data:
                break
            count += len(data)
            await asyncio.sleep(min(pause, self._target.left))
        return count

    async def _listen(self) -> None:
        while self.open and await self._receive(None):
            if self._is_websocket:
                self._read_frames()
                continue
            while b"\r\n\r\n" in self._heard and not self._is_websocket:
                await self.read_head()
            if self._is_websocket:
                self._read_frames()

    async def _receive(self, seconds: float | None) -> bool:
        """Reads what comes next; returns false at the end, which is noted."""
        try:
            async with asyncio.timeout(seconds):
                data = await asyncio.get_running_loop().sock_recv(self._socket, _BLOCK)
        except TimeoutError:
            return False
        except OSError as error:
            self._note_end(type(error).__name__)
            return False
        if not data:
            self._note_end("closed without a word")
            return False
        self._heard += data
        return True

    async def _last_words(self) -> None:
        """Hears what came before the connection broke."""
        if self._listener is not None:
            await asyncio.wait([self._listener], timeout=_LAST_WORDS_SECONDS)
        elif self._is_websocket or b"HTTP" in self._heard:
            await self.listen(_LAST_WORDS_SECONDS)
        else:
            await self.read_head()
        self.open = False

    def _note_end(self, how: str) -> None:
        self.open = False
        if not self._noted_end:
            self._noted_end = True
            self._target.told.ended(how)

    def _read_frames(self) -> None:
        while (found := _take_frame(self._heard)) is not None:
            op, payload, self._heard = found
            if op == Op.TEXT:
                self._target.told.message(payload.decode("utf-8", "replace"))
            elif op == Op.CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                self._target.told.closed(code, payload[2:].decode("utf-8", "replace"))
                self.open = False
                self._noted_end = True  # what the socket says after that is no news


def _take_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Returns the first frame of a server and the rest; ``None`` while it is not complete."""
    if len(data) < 2:
        return None
    size, start = data[1] & 0x7F, 2
    if size == 126:
        start = 4
        size = int.from_bytes(data[2:4], "big")
    elif size == 127:
        start = 10
        size = int.from_bytes(data[2:10], "big")
    if len(data) < start + size:
        return None
    return data[0] & 0x0F, data[start : start + size], data[start + size :]
