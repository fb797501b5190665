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
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from redis.asyncio import RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import NoPermissionError, NoScriptError, RedisError

from scripta_common import metrics
from scripta_common.broker_faults import fault_of, is_transient
from scripta_common.errors import BrokerUnavailable
from scripta_common.keys import ASSIGN
from scripta_common.loop_metrics import Histogram
from scripta_common.metrics import Command
from scripta_common.topology import Topology

COMMAND_TIMEOUT: Final = 2.0
"""Seconds a command may take before its connection is given up."""

LANES: Final = 2
"""Pipelines under way at once: one is filled while the other is awaited."""

MAX_BATCH: Final = 256
"""Commands in one pipeline; more wait for the next, which bounds the buffers on both sides."""

_TIMERS: Final = {command.value: timer for command, timer in metrics.BROKER_SECONDS.items()}
_OTHER: Final = metrics.BROKER_SECONDS[Command.OTHER]

Argument = str | bytes | int

_Issued = tuple[Sequence[Argument], asyncio.Future[Any], Histogram, float]
"""A command, who waits for its answer, what its time counts as, and when it was issued."""


class Script:
    """A Lua script, called by its digest and sent whole where the server does not know it."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Memory:
    """How full a server is, in bytes; a limit of 0 is none."""

    used: int
    limit: int

    @property
    def fullness(self) -> tuple[float, int]:
        """Orders servers: first by the part of the limit that is used."""
        return self.used / self.limit if self.limit else 0.0, self.used


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
        self._waiting: deque[_Issued] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def execute(self, *command: Argument) -> Any:
        """Runs one command, batched with what others issue meanwhile.

        Raises:
            BrokerUnavailable: No answer, or the server can not write now.
            RedisError: The server refuses the command for good.
        """
        return await self._issue(_TIMERS.get(str(command[0]).lower(), _OTHER), command)

    def _issue(self, timer: Histogram, command: Sequence[Argument]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future, timer, time.perf_counter()))
        if len(self._lanes) < LANES:
            self._lanes.add(asyncio.create_task(self._drive_lane(), name="broker-lane"))
        return future

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """Runs a script; ``keys`` must share a hash tag.

        Raises:
            BrokerUnavailable: As ``execute``.
        """
        rest = (len(keys), *keys, *arguments)
        timer = _TIMERS.get(script.name, _OTHER)
        try:
            return await self._issue(timer, ("EVALSHA", script.digest, *rest))
        except NoScriptError:
            return await self._issue(timer, ("EVAL", script.source, *rest))

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
            _count(error)
            if isinstance(error, TimeoutError) or is_transient(error):
                raise BrokerUnavailable from error
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
            if isinstance(error, Exception):
                _count(error)
            if isinstance(error, TimeoutError) or is_transient(error):
                raise BrokerUnavailable from error
            raise
        return pubsub

    async def memory(self) -> Memory | None:
        """Returns how full the server is; of a Cluster, the fullest shard.

        ``None`` if this user may not ask.

        Raises:
            BrokerUnavailable: No answer.
        """
        client = self._commands
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                if not isinstance(client, RedisCluster):
                    return _memory(await client.execute_command("INFO", "memory"))  # type: ignore[no-untyped-call]
                await client.initialize()
                ask = partial(client.execute_command, "INFO", "memory")
                shards = (ask(target_nodes=node) for node in client.get_primaries())
                told = await asyncio.gather(*shards)
                return max(map(_memory, told), key=lambda one: one.fullness)
        except NoPermissionError:
            return None
        except Exception as error:
            _count(error)
            if isinstance(error, TimeoutError) or is_transient(error):
                raise BrokerUnavailable from error
            raise

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

    async def _drive_batch(self, batch: list[_Issued]) -> None:
        try:
            answers = await self._send(batch)
        except asyncio.CancelledError:
            for _, future, _, _ in batch:
                future.cancel()
            raise
        except Exception as error:  # whatever it is, every caller in this batch hears of it
            answers = [error] * len(batch)
        now = time.perf_counter()
        for (_, future, timer, issued), answer in zip(batch, answers, strict=True):
            timer.observe(now - issued)
            _settle(future, answer)

    async def _send(self, batch: list[_Issued]) -> list[Any]:
        if len(batch) == 1:
            try:
                return [await self._commands.execute_command(*batch[0][0])]
            except RedisError as error:
                return [error]
        async with self._commands.pipeline(transaction=False) as pipeline:
            for command, *_ in batch:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)


def _memory(told: Mapping[str, Any]) -> Memory:
    return Memory(told["used_memory"], told["maxmemory"])


def _key_of(command: Sequence[Argument]) -> Argument:
    # Streams stand behind the options of XREADGROUP; all else begins with its key.
    return command[command.index("STREAMS") + 1 if "STREAMS" in command else 1]


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if isinstance(answer, BaseException):
        _count(answer)
    if future.done():  # its caller was cancelled
        return
    if is_transient(answer):
        error = BrokerUnavailable()
        error.__cause__ = answer
        future.set_exception(error)
    elif isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _count(error: BaseException) -> None:
    fault = fault_of(error)
    if fault is not None:
        metrics.BROKER_ERRORS[fault].inc()
