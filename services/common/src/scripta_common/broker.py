"""The connection to Redis or Valkey: two clients made in one place, and batched commands.

Owns the time-outs and retries of every command. Commands issued in the same turn of the event
loop travel in one pipeline over one of a few connections, so the number of connections of a
process does not grow with its sessions and neither does the number of system calls.

Commands may run twice (a time-out after the server has done the work): callers issue only
what absorbs that. Blocking reads have a client of their own that never repeats silently.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

from redis.asyncio import RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import TimeoutError as BrokerTimeoutError

from scripta_common.errors import BrokerUnavailable
from scripta_common.keys import ASSIGN
from scripta_common.topology import Topology

COMMAND_TIMEOUT: Final = 2.0
"""Seconds a command may take before its connection is given up."""

LANES: Final = 2
"""Pipelines under way at once: one is filled while the other is awaited."""

MAX_BATCH: Final = 256
"""Commands in one pipeline; more wait for the next, which bounds the buffers on both sides."""

_TRANSIENT = (
    AskError,  # and MOVED: nobody has the slot for long enough to be found
    BrokerConnectionError,
    BrokerTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)

_TRANSIENT_WORDS: Final = ("MISCONF", "NOREPLICAS", "UNBLOCKED", "BUSY ")
"""How answers begin by which a server says that it can not write now, or not here."""

Argument = str | bytes | int


class Script:
    """A Lua script, called by its digest and sent whole where the server does not know it."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class Broker:
    """A process's access to Redis or Valkey.

    Args:
        url: One server, Sentinel or Cluster, as ``topology`` reads it.
        name: Name of the process in the server's client list.
    """

    def __init__(self, url: str, *, name: str) -> None:
        topology = Topology.parse(url)
        common: dict[str, Any] = {
            "client_name": name,
            "decode_responses": False,
            "protocol": 3,
            "legacy_responses": False,
            "socket_connect_timeout": COMMAND_TIMEOUT,
            "socket_keepalive": True,
        }
        self._commands = topology.connect(
            socket_timeout=COMMAND_TIMEOUT,
            retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 1),
            **common,
        )
        # A blocked read outlives any command's time-out; repeating one would hide entries that
        # the server has already handed out.
        self._blocking = topology.connect(
            socket_timeout=None, retry=Retry(NoBackoff(), 0), **common
        )
        self._waiting: deque[tuple[Sequence[Argument], asyncio.Future[Any]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def execute(self, *command: Argument) -> Any:
        """Runs one command, batched with what others issue meanwhile.

        Raises:
            BrokerUnavailable: No answer, or the server can not write now.
            RedisError: The server refuses the command for good.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if len(self._lanes) < LANES:
            self._lanes.add(asyncio.create_task(self._drive_lane(), name="broker-lane"))
        return await future

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """Runs a script; ``keys`` must share a hash tag.

        Raises:
            BrokerUnavailable: As ``execute``.
        """
        rest = (len(keys), *keys, *arguments)
        try:
            return await self.execute("EVALSHA", script.digest, *rest)
        except NoScriptError:
            return await self.execute("EVAL", script.source, *rest)

    async def execute_blocking(self, seconds: float, *command: Argument) -> Any:
        """Runs a command that may block on the server for up to ``seconds``.

        Raises:
            BrokerUnavailable: No answer well after that time; the command may have run.
        """
        try:
            async with asyncio.timeout(seconds + COMMAND_TIMEOUT):
                return await self._execute_alone(command)
        except Exception as error:
            if isinstance(error, TimeoutError) and isinstance(self._blocking, RedisCluster):
                # Cut off from outside, it does not notice that a server hangs: it must look anew
                # which one serves the key.
                await self._blocking.aclose()
            if isinstance(error, TimeoutError) or _is_transient(error):
                raise BrokerUnavailable(f"The broker does not answer: {_plain(error)}") from error
            raise

    async def _execute_alone(self, command: Sequence[Argument]) -> Any:
        client = self._blocking
        if not isinstance(client, RedisCluster):
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]
        # Left to itself the client asks one certain server for the keys of some commands, each
        # time, and when that one has gone it never looks for another.
        await client.initialize()
        node = client.get_node_from_key(str(_key_of(command)))
        return await client.execute_command(*command, target_nodes=node)

    async def subscribe(self, channel: str) -> PubSub:
        """Returns a subscriber on a connection of its own; its first message is that it stands.

        Raises:
            BrokerUnavailable: No answer.
        """
        # In a Cluster this finds out which servers there are now; a subscription would go to the
        # one that was there before.
        await self.execute_blocking(0, "EXISTS", channel)
        pubsub = self._blocking.pubsub()
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await pubsub.subscribe(channel)
        except BaseException as error:
            await pubsub.aclose()  # type: ignore[no-untyped-call]
            if isinstance(error, TimeoutError) or _is_transient(error):
                raise BrokerUnavailable(f"The broker does not answer: {_plain(error)}") from error
            raise
        return pubsub

    async def ping(self) -> None:
        """Raises ``BrokerUnavailable`` unless the broker answers."""
        # A command on a key and not PING: in a Cluster it asks the shard that all depend on.
        await self.execute("EXISTS", ASSIGN)

    async def aclose(self) -> None:
        """Closes all connections; commands under way or in line are cancelled."""
        lanes = tuple(self._lanes)
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        self._lanes.clear()  # one that was cancelled before it began is still there
        while self._waiting:
            self._waiting.popleft()[1].cancel()
        await self._commands.aclose()
        await self._blocking.aclose()

    async def _drive_lane(self) -> None:
        try:
            # The first yield lets everything that is ready in this turn join the batch.
            await asyncio.sleep(0)
            while self._waiting:
                count = min(len(self._waiting), MAX_BATCH)
                await self._drive_batch([self._waiting.popleft() for _ in range(count)])
        finally:
            # Here and not in a callback: a command issued between the two would wait for a lane
            # that has ended.
            self._lanes.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _drive_batch(
        self, batch: list[tuple[Sequence[Argument], asyncio.Future[Any]]]
    ) -> None:
        try:
            answers = await self._send(batch)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # whatever it is, every caller in this batch hears of it
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            _settle(future, answer)

    async def _send(self, batch: list[tuple[Sequence[Argument], asyncio.Future[Any]]]) -> list[Any]:
        if len(batch) == 1:
            try:
                return [await self._commands.execute_command(*batch[0][0])]
            except RedisError as error:
                return [error]
        async with self._commands.pipeline(transaction=False) as pipeline:
            for command, _ in batch:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)


def _key_of(command: Sequence[Argument]) -> Argument:
    # Streams stand behind the options of XREADGROUP; all else begins with its key.
    return command[command.index("STREAMS") + 1 if "STREAMS" in command else 1]


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # its caller was cancelled
        return
    if _is_transient(answer):
        error = BrokerUnavailable(f"The broker does not answer: {_plain(answer)}")
        error.__cause__ = answer
        future.set_exception(error)
    elif isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _is_transient(answer: Any) -> bool:
    if isinstance(answer, _TRANSIENT):
        return True
    return isinstance(answer, ResponseError) and str(answer).startswith(_TRANSIENT_WORDS)


def _plain(error: BaseException) -> str:
    # Messages of connection errors may quote the address, never the password. What Sentinels
    # were asked comes behind a colon, with all their options.
    return str(error).partition(" : <")[0] or type(error).__name__
