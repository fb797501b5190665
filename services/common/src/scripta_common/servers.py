"""The servers behind a broker's URL: which one to ask, and by which client.

A ``Server`` is two clients and the lanes to it. ``OneServer`` stands for a single one or the
primary that Sentinels name; ``Cluster`` (in ``cluster``) knows many, and which has which key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import RedisError

from scripta_common.lanes import Command, Lanes, PassOn

COMMAND_TIMEOUT: Final = 2.0
"""Seconds a command may take before its connection is given up."""


CONNECT_TIMEOUT: Final = 2 * COMMAND_TIMEOUT
"""Seconds until a connection stands: that takes several round trips."""


class Asking(tuple[str | bytes | int, ...]):
    """A command that a server answers although it is still getting the key from another one."""


class Server:
    """One server: the client for commands, the one for blocking reads, and the lanes.

    Args:
        connect: Makes a client; the arguments are time-outs and retries.
        pass_on: As ``Lanes`` takes it.

    Attributes:
        commands: Client with a short time-out; a command may be sent twice.
        blocking: Client without a time-out; nothing is sent twice.
        lanes: Where commands go in batches.
    """

    def __init__(self, connect: Callable[..., Redis], pass_on: PassOn | None = None) -> None:
        self.commands = connect(
            socket_timeout=COMMAND_TIMEOUT,
            retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 1),
        )
        # A blocked read outlives any command's time-out; repeating one would hide entries that
        # the server has already handed out.
        self.blocking = connect(socket_timeout=None, retry=Retry(NoBackoff(), 0))
        self.lanes = Lanes(self._send if pass_on is None else self._send_in_cluster, pass_on)

    async def connect_blocking(self) -> None:
        """Has a connection ready for the next blocking read, whose time-out then is its own."""
        pool = self.blocking.connection_pool
        await pool.release(await pool.get_connection())  # type: ignore[no-untyped-call]

    async def aclose(self, gone: Exception | None = None) -> None:
        """Closes all connections; ``gone`` is as ``Lanes`` takes it."""
        await self.lanes.aclose(gone)
        await self.commands.aclose()
        await self.blocking.aclose()

    async def _send(self, batch: Sequence[Command]) -> list[Any]:
        if len(batch) == 1:
            try:
                return [await self.commands.execute_command(*batch[0])]  # type: ignore[no-untyped-call]
            except RedisError as error:
                return [error]
        async with self.commands.pipeline(transaction=False) as pipeline:
            for command in batch:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

    async def _send_in_cluster(self, batch: Sequence[Command]) -> list[Any]:
        """As ``_send``, with a word before each command that asks."""
        if not any(isinstance(command, Asking) for command in batch):
            return await self._send(batch)
        said: list[Command] = []
        for command in batch:
            if isinstance(command, Asking):
                said.append(("ASKING",))
            said.append(command)
        answers = await self._send(said)
        return [
            answer
            for command, answer in zip(said, answers, strict=True)
            if tuple(command) != ("ASKING",)
        ]


class Servers(Protocol):
    """Where a key is."""

    def known(self, key: str) -> Server | None:
        """Returns the server that has a key; ``None`` if that has to be found out."""

    async def find(self, key: str) -> Server:
        """Returns the server that has a key; raises an error of the client if none tells."""

    async def next_listening(self, channel: str) -> Server:
        """Returns a server to listen on, another one each time; raises as ``find``."""

    async def all(self) -> Sequence[Server]:
        """Returns all servers that have keys; raises as ``find``."""

    def failed(self, error: BaseException) -> None:
        """Takes note of an error that may mean that keys are elsewhere now."""

    async def aclose(self) -> None:
        """Closes all connections; commands under way or in line are cancelled."""


class OneServer:
    """A broker that is one server, or the primary that Sentinels name.

    Args:
        connect: As ``Server`` takes it.
    """

    def __init__(self, connect: Callable[..., Redis]) -> None:
        self._server = Server(connect)

    def known(self, key: str) -> Server:
        """Returns the server."""
        return self._server

    async def find(self, key: str) -> Server:
        """Returns the server."""
        return self._server

    async def next_listening(self, channel: str) -> Server:
        """Returns the server."""
        return self._server

    async def all(self) -> Sequence[Server]:
        """Returns the server."""
        return [self._server]

    def failed(self, error: BaseException) -> None:
        """Does nothing: the client connects anew by itself."""

    async def aclose(self) -> None:
        """Closes all connections; commands under way or in line are cancelled."""
        await self._server.aclose()
