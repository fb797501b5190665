"""The connection to Redis or Valkey: commands in batches, blocking reads, subscriptions.

Owns what callers hear of a broker that does not answer. Where a command goes is for ``servers`` and
``cluster`` to say, how it travels for ``lanes``.

Commands may run twice (a time-out after the server has done the work): callers issue only
what absorbs that. Blocking reads have a client of their own that never repeats silently.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Final, NoReturn, Self, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import AskError, NoPermissionError, NoScriptError
from redis.maint_notifications import MaintNotificationsConfig

from scripta_common import metrics
from scripta_common.broker_faults import is_transient
from scripta_common.cluster import REDIRECTIONS, Cluster
from scripta_common.errors import BrokerUnavailable
from scripta_common.keys import ASSIGN
from scripta_common.lanes import Argument, Command, count_fault
from scripta_common.loop_metrics import Histogram
from scripta_common.metrics import Command as Kind
from scripta_common.servers import COMMAND_TIMEOUT, CONNECT_TIMEOUT, OneServer, Server, Servers
from scripta_common.topology import Topology

_KEY_PLACES: Final = {"XINFO": 2, "XGROUP": 2, "EVALSHA": 3, "EVAL": 3}

_TIMERS: Final = {command.value: timer for command, timer in metrics.BROKER_SECONDS.items()}
_OTHER: Final = metrics.BROKER_SECONDS[Kind.OTHER]


class Script:
    """A Lua script, called by its digest and sent whole where the server does not know it."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def load(cls, package: str, name: str) -> Self:
        """Returns the script in a package's folder ``lua``; what it does stands at its top."""
        return cls(name, files(package).joinpath("lua", f"{name}.lua").read_text("utf-8"))


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
            # Where the broker is far away, each thing that a new connection says first costs time.
            "driver_info": None,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        }
        self._servers: Servers
        if topology.kind == "cluster":
            self._servers = Cluster(topology.nodes, partial(topology.connect_to, **common))
        else:
            connect = partial(topology.connect, **common)
            self._servers = OneServer(cast("Callable[..., Redis]", connect))

    async def execute(self, *command: Argument) -> Any:
        """Runs one command, batched with what others issue meanwhile.

        Raises:
            BrokerUnavailable: No answer, or the server can not write now.
            RedisError: The server refuses the command for good.
        """
        timer = _TIMERS.get(str(command[0]).lower(), _OTHER)
        return await self._issue(timer, _key_of(command), command)

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """Runs a script; ``keys`` must share a hash tag.

        Raises:
            BrokerUnavailable: As ``execute``.
        """
        rest = (len(keys), *keys, *arguments)
        timer = _TIMERS.get(script.name, _OTHER)
        try:
            return await self._issue(timer, keys[0], ("EVALSHA", script.digest, *rest))
        except NoScriptError:
            return await self._issue(timer, keys[0], ("EVAL", script.source, *rest))

    def _issue(self, timer: Histogram, key: str, command: Command) -> Awaitable[Any]:
        server = self._servers.known(key)
        if server is None:
            return self._find_and_issue(timer, key, command)
        return server.lanes.issue(timer, command)

    async def _find_and_issue(self, timer: Histogram, key: str, command: Command) -> Any:
        try:
            server = await self._servers.find(key)
        except Exception as error:
            _raise(error)
        return await server.lanes.issue(timer, command)

    async def execute_blocking(self, seconds: float, *command: Argument) -> Any:
        """Runs a command that may block on the server for up to ``seconds``.

        Raises:
            BrokerUnavailable: No answer well after that time; the command may have run.
        """
        try:
            return await self._execute_alone(seconds + COMMAND_TIMEOUT, command)
        except Exception as error:
            self._servers.failed(error)
            _raise(error)

    async def run_apart(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """Runs a script on a connection that no other command uses meanwhile, once.

        It waits for nothing that others have issued, not even where the way to the broker is long
        and the lanes are seldom free.

        Raises:
            BrokerUnavailable: As ``execute_blocking``.
        """
        rest = (len(keys), *keys, *arguments)
        began = time.perf_counter()
        try:
            return await self.execute_blocking(0, "EVALSHA", script.digest, *rest)
        except NoScriptError:
            return await self.execute_blocking(0, "EVAL", script.source, *rest)
        finally:
            _TIMERS.get(script.name, _OTHER).observe(time.perf_counter() - began)

    async def _execute_alone(self, seconds: float, command: Command) -> Any:
        key, redirected = _key_of(command), 0
        while True:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                server = self._servers.known(key) or await self._servers.find(key)
                await server.connect_blocking()
            try:
                async with asyncio.timeout(seconds):
                    return await server.blocking.execute_command(*command)  # type: ignore[no-untyped-call]
            except AskError as error:
                self._servers.failed(error)
                redirected += 1
                if redirected > REDIRECTIONS:
                    raise

    async def subscribe(self, channel: str) -> PubSub:
        """Returns a subscriber on a connection of its own; its first message is that it stands.

        Raises:
            BrokerUnavailable: No answer.
        """
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                server = await self._servers.next_listening(channel)
        except Exception as error:
            _raise(error)
        pubsub = server.blocking.pubsub()
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await pubsub.subscribe(channel)
        except BaseException as error:
            await pubsub.aclose()  # type: ignore[no-untyped-call]
            if not isinstance(error, Exception):
                raise
            self._servers.failed(error)
            _raise(error)
        return pubsub

    async def memory(self) -> Memory | None:
        """Returns how full the server is; of a Cluster, the fullest shard.

        ``None`` if this user may not ask.

        Raises:
            BrokerUnavailable: No answer.
        """
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                servers = await self._servers.all()
        except Exception as error:
            _raise(error)
        answers = await asyncio.gather(*map(_ask_memory, servers), return_exceptions=True)
        told = [answer for answer in answers if isinstance(answer, Memory)]
        if told:  # of a shard that hangs nobody knows
            return max(told, key=lambda one: one.fullness)
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if not isinstance(errors[0], NoPermissionError):
            _raise(errors[0])
        return None

    async def ping(self, key: str = ASSIGN) -> None:
        """Raises ``BrokerUnavailable`` unless the broker answers; by default, where the line is."""
        # A command on a key and not PING: in a Cluster it asks the shard with the line that new
        # sessions go into. Another one that hangs is no reason to send new clients away.
        await self.execute("EXISTS", key)

    def on_one_server(self, key: str, other: str) -> bool:
        """Returns true if two keys are on the same server, as far as that is known."""
        server = self._servers.known(key)
        return server is not None and server is self._servers.known(other)

    async def aclose(self) -> None:
        """Closes all connections; commands under way or in line are cancelled."""
        await self._servers.aclose()


async def _ask_memory(server: Server) -> Memory:
    async with asyncio.timeout(COMMAND_TIMEOUT):
        return _memory(await server.commands.execute_command("INFO", "memory"))  # type: ignore[no-untyped-call]


def _memory(told: Mapping[str, Any]) -> Memory:
    return Memory(told["used_memory"], told["maxmemory"])


def _key_of(command: Command) -> str:
    # Streams stand behind the options of XREADGROUP, some keys behind a subcommand or a script; all
    # else begins with its key.
    name = command[0]
    if name == "XREADGROUP":
        return str(command[command.index("STREAMS") + 1])
    place = _KEY_PLACES.get(str(name), 1)
    return str(command[place]) if place < len(command) else ""


def _raise(error: Exception) -> NoReturn:
    """Counts an error and raises what the caller hears: that the broker is away, if it passes."""
    count_fault(error)
    if isinstance(error, TimeoutError) or is_transient(error):
        raise BrokerUnavailable from error
    raise error
