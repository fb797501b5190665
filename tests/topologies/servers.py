"""Groups of real servers on loopback: a primary with replicas and Sentinels, and a Cluster.

Calls are blocking and short, like those of the single server that they are made of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from scripta_local.broker import Broker
from scripta_local.ports import free_port

SLOTS = 16384
SERVICE = "scripta"
_SETTLE_SECONDS = 20.0

# Nothing here needs a minute of patience: a failure is seen after half a second.
_SENTINEL = """\
sentinel monitor {name} 127.0.0.1 {port} {quorum}
sentinel down-after-milliseconds {name} 500
sentinel failover-timeout {name} 1500
"""
_REPLICATION = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


def ask(server: Broker, *command: str | int) -> Any:
    """Returns one server's answer to a command."""
    with Redis(port=server.port, protocol=3, legacy_responses=False) as client:
        client.response_callbacks.clear()
        return client.execute_command(*command)


def info(server: Broker, section: str) -> dict[str, str]:
    """Returns a section of what a server says of itself."""
    lines = ask(server, "INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


async def settled(what: str, condition: Callable[[], object]) -> None:
    """As ``settle``, while the event loop goes on."""
    await asyncio.to_thread(settle, what, condition)


def settle(what: str, condition: Callable[[], object]) -> None:
    """Waits until servers agree on something."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (RedisError, OSError, StopIteration):
            pass  # it is just that one that is not there yet
        time.sleep(0.02)
    raise TimeoutError(f"not after {_SETTLE_SECONDS:g} s: {what}")


def _follows(server: Broker) -> bool:
    return info(server, "replication").get("master_link_status") == "up"


def cut_off_replicas(primary: Broker) -> None:
    """Lets nothing more reach a primary's replicas; its clients notice nothing."""
    ask(primary, "ACL", "SETUSER", "default", "-psync", "-sync")
    ask(primary, "CLIENT", "KILL", "TYPE", "replica")


class Group:
    """Servers that start and end together."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.servers: list[Broker] = []

    def start(self) -> None:
        raise NotImplementedError

    def add(self, server: Broker) -> Broker:
        self._stack.enter_context(server)
        return server

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._stack.close)
            self.start()
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


class SentinelGroup(Group):
    """A primary, its replicas, and Sentinels that watch them.

    Args:
        sentinels: How many; the greater half must agree on a failure.
        replicas: How many.
    """

    def __init__(self, sentinels: int = 3, *, replicas: int = 1) -> None:
        super().__init__()
        self._count = sentinels
        self._replicas = replicas
        self.sentinels: list[Broker] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    @property
    def primary(self) -> Broker:
        """The server that the Sentinels call the primary."""
        address = ask(self.sentinels[-1], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.servers if server.port == int(address[1]))

    def start(self) -> None:
        first = self.add(Broker(options=_REPLICATION))
        follow = ("--replicaof", f"127.0.0.1 {first.port}")
        others = [Broker(options=(*_REPLICATION, *follow)) for _ in range(self._replicas)]
        self.servers = [first, *map(self.add, others)]
        for replica in others:
            settle("replica", lambda one=replica: _follows(one))
        config = _SENTINEL.format(name=SERVICE, port=first.port, quorum=self._count // 2 + 1)
        for _ in range(self._count):
            sentinel = Broker(options=("--sentinel",), config=config)
            self.sentinels.append(self.add(sentinel))
        for sentinel in self.sentinels:
            settle("Sentinels", lambda one=sentinel: self._knows_all(one))

    def _knows_all(self, sentinel: Broker) -> bool:
        pairs = ask(sentinel, "SENTINEL", "MASTER", SERVICE)
        others, replicas = int(pairs[b"num-other-sentinels"]), int(pairs[b"num-slaves"])
        return (others, replicas) == (self._count - 1, self._replicas)

    def has_replica(self, primary: Broker) -> bool:
        """Whether a server has all that the primary has, and the Sentinels know it."""
        answer = ask(self.sentinels[-1], "SENTINEL", "REPLICAS", SERVICE)
        known = {int(one[b"port"]) for one in answer if one[b"flags"] == b"slave"}
        port = str(primary.port)
        return any(
            info(server, "replication").get("master_port") == port and _follows(server)
            for server in self.servers
            if server.port in known
        )

    def failed_over(self, former: Broker) -> bool:
        """Whether another server is the primary, and says so itself."""
        primary = self.primary
        return primary is not former and info(primary, "replication")["role"] == "master"


class ClusterGroup(Group):
    """A Cluster of three shards.

    Args:
        replicas: Whether each shard has a replica.
    """

    def __init__(self, *, replicas: bool = False) -> None:
        super().__init__()
        self._replicas = replicas
        self.lost: list[Broker] = []

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{s.port}' for s in self.servers)}"

    @property
    def reachable(self) -> list[Broker]:
        return [server for server in self.servers if server not in self.lost]

    def replica_of(self, primary: Broker) -> Broker:
        """A server that has all that the primary has."""
        port = str(primary.port)
        return next(
            server
            for server in self.reachable
            if info(server, "replication").get("master_port") == port and _follows(server)
        )

    def start(self) -> None:
        count = 6 if self._replicas else 3
        for _ in range(count):
            # By default the servers' own port is 10 000 higher, where others may be.
            bus = ("--cluster-port", str(free_port()))
            node = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
            self.servers.append(self.add(Broker(options=(*node, *bus, *_REPLICATION))))
        for place, server in enumerate(self.servers[:3]):
            last = SLOTS * (place + 1) // 3 - 1
            ask(server, "CLUSTER", "ADDSLOTSRANGE", SLOTS * place // 3, last)
        # Two that claim the same epoch would settle it among themselves, but later.
        for epoch, server in enumerate(self.servers, start=1):
            ask(server, "CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for server in self.servers[1:]:
            bus_port = int(ask(server, "CONFIG", "GET", "cluster-port")[b"cluster-port"])
            ask(self.servers[0], "CLUSTER", "MEET", "127.0.0.1", server.port, bus_port)
        for server in self.servers:
            settle("Cluster", lambda one=server: self._knows_all(one))
        for primary, replica in zip(self.servers[:3], self.servers[3:], strict=False):
            ask(replica, "CLUSTER", "REPLICATE", self.node_id(primary))
        for replica in self.servers[3:]:
            settle("replica", lambda one=replica: _follows(one))
        for server in self.servers:
            settle("slots", lambda one=server: self.state(one) == "ok")

    def _knows_all(self, server: Broker) -> bool:
        lines = ask(server, "CLUSTER", "NODES").decode().splitlines()
        return len(lines) == len(self.servers) and not any("handshake" in line for line in lines)

    def state(self, server: Broker) -> str:
        """What a server thinks of the Cluster: ``ok`` or ``fail``."""
        lines = ask(server, "CLUSTER", "INFO").decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)["cluster_state"]

    def node_id(self, server: Broker) -> str:
        return str(ask(server, "CLUSTER", "MYID").decode())

    def owner(self, key: str, asked: Broker | None = None) -> Broker:
        """The primary that has a key, by what one of the servers knows."""
        asked = asked or self.reachable[0]
        slot = ask(asked, "CLUSTER", "KEYSLOT", key)
        for first, last, primary, *_ in ask(asked, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in self.servers if server.port == primary[1])
        raise LookupError(f"no server has the slot of {key}")

    def failed_over(self, former: Broker, key: str) -> bool:
        """Whether all servers but the former owner of a key know its new one, and are content."""
        return all(
            self.owner(key, one) is not former and self.state(one) == "ok" for one in self.reachable
        )

    def migrate(self, key: str, target: Broker) -> None:
        """Moves the slot of a key, with all that is in it, to another primary."""
        source = self.owner(key)
        slot = ask(source, "CLUSTER", "KEYSLOT", key)
        ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.node_id(source))
        ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.node_id(target))
        while moved := ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 10):
            ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *moved)
        for server in (target, source):
            ask(server, "CLUSTER", "SETSLOT", slot, "NODE", self.node_id(target))
