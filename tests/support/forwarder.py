"""A load balancer of the plainest kind: new connections go to the first target that answers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_BLOCK_BYTES = 65_536
_CLOSE = 0x88
_LONGEST_CLOSE = 2 + 125


class Spent(Exception):
    """A connection has had its share."""


@dataclass(slots=True)
class Passage:
    """A connection that was passed on.

    Attributes:
        began: When, on the monotonic clock.
        ended: When its server closed it, on the same clock.
        last: The last bytes from the server.
        seen: Bytes from the server.
    """

    began: float
    ended: float | None = None
    last: bytes = b""
    seen: int = 0

    def see(self, data: bytes) -> None:
        """Takes what the server has sent; nothing: it has closed."""
        self.seen += len(data)
        self.last = (self.last + data)[-_LONGEST_CLOSE:]
        if self.ended is None and (not data or self.close is not None):
            self.ended = time.monotonic()

    @property
    def close(self) -> tuple[int, str] | None:
        """Code and reason of the WebSocket's closing frame, if it is what the server sent last."""
        for at in range(len(self.last) - 4, -1, -1):
            if self.last[at] == _CLOSE and self.last[at + 1] == len(self.last) - at - 2:
                code, reason = self.last[at + 2 : at + 4], self.last[at + 4 :]
                return int.from_bytes(code), reason.decode(errors="replace")
        return None


class Forwarder:
    """A TCP forwarder whose connections can be cut.

    Args:
        targets: Ports on loopback, in the order in which they are tried.
        allowance: Bytes from a client after which its connection is cut; ``None`` for never. Its
            server has answered some of them by then: without any answer a client gets nowhere.
        rotates: Whether each connection begins with another target than the last one.
        delay: Seconds that everything takes on its way, in each direction.
        certificate: By which its clients speak TLS; ``None``: they do not.

    Attributes:
        blocked: Whether new connections are closed at once.
        passages: All connections that have reached a target, in their order.
    """

    def __init__(
        self,
        targets: Sequence[int],
        *,
        allowance: int | None = None,
        rotates: bool = False,
        delay: float = 0.0,
        certificate: ssl.SSLContext | None = None,
    ) -> None:
        self._targets = list(targets)
        self._allowance = allowance
        self._rotates = rotates
        self._delay = delay
        self._certificate = certificate
        self.blocked = False
        self.passages: list[Passage] = []
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, ssl=self._certificate)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._serving)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}/ws"

    def cut(self) -> None:
        """Breaks all connections off on both sides, without a word."""
        for writer in self._writers:
            writer.transport.abort()

    def prefer(self, port: int) -> None:
        """Tries a target before all others from now on."""
        self._targets.sort(key=lambda target: target != port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(OSError):
                await self._serve(reader, writer)
        except* Spent:
            pass  # both ends are cut
        finally:
            writer.transport.abort()
            self._serving.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._reach()
        passage = Passage(time.monotonic())
        self.passages.append(passage)
        self._writers |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, far_writer, passage, self._allowance))
                tasks.create_task(self._pump(far_reader, writer, passage, see=passage.see))
        finally:
            self._writers -= {writer, far_writer}
            far_writer.transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        targets = [] if self.blocked else list(self._targets)
        if self._rotates:
            self._targets.append(self._targets.pop(0))
        for port in targets:
            with suppress(OSError):
                return await asyncio.open_connection(HOST, port)
        raise ConnectionRefusedError("no target answers")

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passage: Passage,
        allowance: int | None = None,
        see: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        left, seen = allowance, 0
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await reader.read(_BLOCK_BYTES):
                see(data)
                if left is not None:
                    seen = seen or passage.seen  # the answer to the handshake
                    data, left = data[:left], left - len(data)
                if self._delay:
                    loop.call_later(self._delay, writer.write, data)
                else:
                    writer.write(data)
                    await writer.drain()
                if left is not None and left <= 0:
                    while passage.seen <= seen and passage.ended is None:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    raise Spent
        see(b"")
        if self._delay:
            await asyncio.sleep(self._delay)
        writer.close()
