"""Faults of the broker. All sessions depend on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from scripta_local.broker import Broker

from .faults import Injection
from .system import BROKER_OPTIONS, System, run_command

_SYNC_ATTEMPTS = 200
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ConnectionsReset:
    """The broker drops all connections of one kind; it goes on by itself."""

    kind: str = "normal"

    @property
    def name(self) -> str:
        kinds = {"normal": "commands", "pubsub": "subscriptions"}
        return f"broker: all connections reset ({kinds[self.kind]})"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        count = await system.command("CLIENT", "KILL", "TYPE", self.kind)
        return Injection(f"{count} {self.kind} connections reset", live)


@dataclass(frozen=True, slots=True)
class BrokerPaused:
    """The broker answers nothing for a while; its sockets stay open."""

    seconds: float = 5.0

    @property
    def name(self) -> str:
        return f"broker: pause of {self.seconds:g} s"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        system.broker.pause()
        try:
            await asyncio.sleep(self.seconds)
        finally:
            system.broker.resume()
        return Injection(f"broker stopped for {self.seconds} s", live)


@dataclass(frozen=True, slots=True)
class BrokerKilled:
    """The broker crashes and comes back, with what it had written or with nothing."""

    empty: bool = False
    down_seconds: float = 1.0

    @property
    def name(self) -> str:
        return f"broker: SIGKILL, back {'empty' if self.empty else 'with its data'}"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        system.broker.kill()
        await asyncio.sleep(self.down_seconds)
        system.broker.restart(empty=self.empty)
        return Injection(f"broker killed, back after {self.down_seconds} s", live)


@dataclass(frozen=True, slots=True)
class BrokerFull:
    """The broker has reached its memory limit and takes no more data for a while."""

    seconds: float = 3.0
    name: str = "broker: out of memory (noeviction)"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        memory = await system.command("INFO", "memory")
        limit = int(memory["used_memory"]) * 9 // 10
        await system.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await system.command("CONFIG", "SET", "maxmemory", limit)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            await system.command("CONFIG", "SET", "maxmemory", 0)
        return Injection(f"maxmemory {limit} for {self.seconds} s", live)


@dataclass(frozen=True, slots=True)
class BrokerFailover:
    """The broker dies and a replica that lacks the last moments takes its place."""

    lag_seconds: float = 1.0
    name: str = "broker: failover to a replica without the last second"

    async def inject(self, system: System, live: frozenset[str], rng: Random) -> Injection:
        replica = _Replica(appendonly=True, options=BROKER_OPTIONS)
        primary = system.broker
        replica.start()
        try:
            await replica.follow(primary)
            await replica.detach()
            await asyncio.sleep(self.lag_seconds)
            primary.kill()
            await replica.take_over(primary)
        except BaseException:
            replica.close()
            raise
        system.broker = replica
        primary.close()
        return Injection(f"failover, {self.lag_seconds} s lost", live)


class _Replica(Broker):
    """A second server, which later listens where the first one did."""

    async def follow(self, primary: Broker) -> None:
        """Copies the primary and all that happens to it; returns once it is level."""
        await run_command(self, "REPLICAOF", "127.0.0.1", primary.port)
        for _ in range(_SYNC_ATTEMPTS):
            if await self._is_level():
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise RuntimeError("the replica does not get level with its primary")

    async def detach(self) -> None:
        """Takes no more from the primary."""
        await run_command(self, "REPLICAOF", "NO", "ONE")

    async def take_over(self, primary: Broker) -> None:
        """Listens on the port of the primary, which must have died."""
        await run_command(self, "CONFIG", "SET", "port", primary.port)
        self._port = primary.port

    async def _is_level(self) -> bool:
        replication = await run_command(self, "INFO", "replication")
        return bool(replication["master_link_status"] == "up")
