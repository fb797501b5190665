"""A Cluster: which server has which key, as the servers themselves tell.

The table of slots is read when it is first needed and again whenever an answer shows that it may be
old: a redirection, a server that can not be reached. Always true: commands for different servers
share nothing, so that a server that hangs is waited for by those who need it and by nobody else;
there are connections only to servers that have slots, a few to each.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import TimeoutError as BrokerTimeoutError

from scripta_common.broker_faults import describe
from scripta_common.lanes import Issued
from scripta_common.servers import Asking, Server

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
"""How long a server may take to tell the table; others are asked meanwhile."""
_ASKED_AT_ONCE: Final = 3
_UNKNOWN: Final = "?"
"""What a server calls the host of another one whose name it has not learnt yet."""
_PAUSE_SECONDS: Final = 0.1
"""Least time between two looks: many callers fail at the same time."""
REDIRECTIONS: Final = 5
"""Servers that may send a command on to the next; beyond, they do not agree yet."""

_ELSEWHERE: Final = (
    AskError,  # and MOVED
    BrokerConnectionError,
    BrokerTimeoutError,
    ClusterError,
    ReadOnlyError,
    TimeoutError,
    TryAgainError,
)
"""Errors after which keys may be on other servers."""

Address = tuple[str, int]
Row = tuple[int, int, Address]
"""First and last slot, and the primary that has them."""


class Cluster:
    """The servers of a Cluster.

    Args:
        seeds: Servers of which at least one can be reached when the table is first read.
        connect: Makes a client of one server; takes its host, its port, and time-outs.
    """

    def __init__(self, seeds: Sequence[Address], connect: Callable[..., Redis]) -> None:
        self._seeds = tuple(seeds)
        self._connect = connect
        self._servers: dict[Address, Server] = {}
        self._slots: list[Server | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._look: asyncio.Task[Exception | None] | None = None
        self._looked_at = float("-inf")
        self._closing: set[asyncio.Task[None]] = set()
        self._turn = 0

    def known(self, key: str) -> Server | None:
        """Returns the server that has a key; ``None`` if that has to be found out."""
        return self._slots[key_slot(key.encode())]

    async def find(self, key: str) -> Server:
        """Returns the server that has a key.

        Raises:
            RedisError, OSError: No server tells which one it is.
        """
        # Cancelled here, the look goes on for the others who wait for it.
        error = await asyncio.shield(self._start_look())
        server = self.known(key)
        if server is None:
            raise error or ClusterDownError("CLUSTERDOWN Hash slot not served")
        return server

    async def next_listening(self, channel: str) -> Server:
        """Returns a server to listen on: what is published on one is heard on all.

        Another one each time, so that one that hangs is listened to once.
        """
        first = self.known(channel) or await self.find(channel)
        servers = list(self._servers.values())
        place = servers.index(first) if first in servers else 0
        self._turn += 1
        return servers[(place + self._turn - 1) % len(servers)]

    async def all(self) -> Sequence[Server]:
        """Returns all servers that have keys; raises as ``find``."""
        if not self._servers:
            await self.find("")
        return tuple(self._servers.values())

    def failed(self, error: BaseException) -> None:
        """Takes note of an error: reads the table anew if keys may be elsewhere now."""
        if isinstance(error, MovedError):
            self._move(error, self._seeds[0])
        due = time.monotonic() - self._looked_at >= _PAUSE_SECONDS
        if due and isinstance(error, _ELSEWHERE):
            self._start_look()

    async def aclose(self) -> None:
        """Closes all connections; commands under way or in line are cancelled."""
        tasks = [*self._closing, *([self._look] if self._look else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(server.aclose() for server in self._servers.values()))
        self._servers.clear()
        self._slots = [None] * REDIS_CLUSTER_HASH_SLOTS

    def _pass_on(self, address: Address, issued: Issued, error: Exception) -> bool:
        command, future, timer, began, times = issued
        if not isinstance(error, AskError) or times >= REDIRECTIONS or future.done():
            self.failed(error)
            return False
        # For the client library, MOVED is a kind of ASK.
        moved = isinstance(error, MovedError)
        if moved:
            self.failed(error)  # not only this slot, perhaps
        command = tuple(command) if moved else Asking(command)
        self._move(error, address).lanes.enter((command, future, timer, began, times + 1))
        return True

    def _move(self, error: AskError, asked: Address) -> Server:
        # A server that knows no name of the other one means the host at which it was asked.
        server = self._server((error.host or asked[0], error.port))
        if isinstance(error, MovedError):
            self._slots[error.slot_id] = server
        return server

    def _server(self, address: Address) -> Server:
        server = self._servers.get(address)
        if server is None:
            connect = partial(self._connect, *address)
            server = Server(connect, partial(self._pass_on, address))
            self._servers[address] = server
        return server

    def _start_look(self) -> asyncio.Task[Exception | None]:
        if self._look is None:
            self._look = asyncio.create_task(self._look_once(), name="cluster-look")
        return self._look

    async def _look_once(self) -> Exception | None:
        try:
            self._take(await self._ask())
        except (RedisError, OSError) as error:
            logger.warning("table of slots not read", extra={"error": describe(error)})
            return error
        finally:
            self._looked_at = time.monotonic()
            self._look = None
        return None

    async def _ask(self) -> list[Row]:
        """Returns the table of the first server that tells it, of any that are asked."""
        addresses = list(dict.fromkeys((*self._servers, *self._seeds)))
        random.shuffle(addresses)
        error: Exception = BrokerConnectionError("no server of the Cluster answers")
        for first in range(0, len(addresses), _ASKED_AT_ONCE):
            asked = addresses[first : first + _ASKED_AT_ONCE]
            tasks = [asyncio.create_task(self._ask_one(address)) for address in asked]
            try:
                for answer in asyncio.as_completed(tasks):
                    try:
                        return await answer
                    except (RedisError, OSError) as failure:
                        error = failure
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        raise error

    async def _ask_one(self, address: Address) -> list[Row]:
        retry = Retry(NoBackoff(), 0)
        client = self._connect(
            *address,
            socket_timeout=_LOOK_SECONDS,
            socket_connect_timeout=_LOOK_SECONDS,
            retry=retry,
        )
        try:
            rows = await client.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()
        told = (_row(row, address) for row in rows)
        return [row for row in told if row[2][0] != _UNKNOWN]

    def _take(self, rows: Iterable[Row]) -> None:
        slots: list[Server | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        rows = list(rows)
        for first, last, address in rows:
            slots[first : last + 1] = [self._server(address)] * (last + 1 - first)
        self._slots = slots
        for address in self._servers.keys() - {address for _, _, address in rows}:
            self._close(self._servers.pop(address))

    def _close(self, server: Server) -> None:
        # Whoever waits for it asks again, and finds the server that has the key now.
        task = asyncio.create_task(server.aclose(BrokerConnectionError("It has no slots.")))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _row(row: Sequence[Any], asked: Address) -> Row:
    first, last, (host, port, *_), *_ = row
    name = host.decode() if isinstance(host, bytes) else host
    return int(first), int(last), (name or asked[0], int(port))
