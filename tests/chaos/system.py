"""The system under test: all services and a broker of our own, with a record of what they said."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis
from written_console import WrittenConsole

from scripta_local.broker import Broker
from scripta_local.process import Backoff
from scripta_local.stack import Stack

BROKER_OPTIONS = ("--appendfsync", "everysec", "--repl-diskless-sync-delay", "0")
_READY_SECONDS = 60.0
_COMMAND_SECONDS = 5.0


async def run_command(broker: Broker, *command: str | int) -> Any:
    """Runs a command on a broker, over a connection of its own."""
    client = Redis.from_url(broker.url, socket_timeout=_COMMAND_SECONDS, decode_responses=True)
    async with client:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]


class Record(WrittenConsole):
    """Keeps every line of every service in a file, and who claimed which session last.

    Attributes:
        owners: Name of the transcriber by session.
        moves: How many sessions were handed over because another transcriber had less to do.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self.owners: dict[str, str] = {}
        self.moves = 0

    def line(self, name: str, text: str) -> None:
        """Writes down what a service says."""
        super().line(name, text)
        if "session claimed" in text:
            self.owners[json.loads(text)["session"]] = name
        self.moves += "session moved" in text


class System:
    """A running system; an async context manager that is ready inside its block.

    Services that die are started again, as a cluster would. The broker is ours: whether and with
    what it comes back is the fault's to say.

    Attributes:
        stack: The services.
        broker: The broker that is in charge.
        record: What the services said.
        lease: Seconds of their lease.
    """

    def __init__(
        self,
        *,
        engine: str,
        transcribers: int,
        log: Path | None = None,
        lease: float = 1.5,
        backoff: Backoff | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.broker = Broker(appendonly=True, options=BROKER_OPTIONS)
        self.record = Record(log)
        self.lease = lease
        self._engine = engine
        self._count = transcribers
        self._backoff = backoff or Backoff(first=0.5, longest=2.0)
        self._env = {
            "LOG_FORMAT": "json",
            "THREADS": "1",
            # Any one of them can hold all sessions, so that slots are never what is measured.
            "SLOTS": "64",
            "LEASE_SECONDS": str(lease),
            **(env or {}),
        }
        self._exits = AsyncExitStack()
        self.stack: Stack

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            exits.callback(self.record.close)
            exits.callback(lambda: self.broker.close())  # whichever is in charge then
            self.broker.start()
            self.stack = await exits.enter_async_context(
                Stack(
                    redis_url=self.broker.url,
                    engine=self._engine,
                    transcribers=self._count,
                    restart=self._backoff,
                    console=self.record,
                    env=self._env,
                )
            )
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.__aexit__(kind, error, trace)

    @property
    def places(self) -> range:
        """Places of the transcribers in the stack."""
        return range(len(self.stack.transcribers))

    def sessions_of(self, place: int) -> frozenset[str]:
        """Returns the sessions that a transcriber was the last to claim."""
        name = f"transcriber-{place + 1}"
        return frozenset(sid for sid, owner in self.record.owners.items() if owner == name)

    def owning_places(self, live: frozenset[str]) -> list[int]:
        """Returns the places of transcribers that live sessions depend on."""
        return [place for place in self.places if self.sessions_of(place) & live]

    async def command(self, *command: str | int) -> Any:
        """Runs a command on the broker, over a connection of its own."""
        return await run_command(self.broker, *command)

    async def signal_all(self, number: int) -> None:
        """Sends a signal to every transcriber that runs."""
        await asyncio.gather(*(self.stack.kill_transcriber(p, number) for p in self.places))

    async def heal(self) -> None:
        """Waits until all services are ready again; nobody's process is left frozen."""
        self.broker.resume()
        await self.signal_all(signal.SIGCONT)
        async with asyncio.timeout(_READY_SECONDS):
            await self.stack.wait_ready()

    async def lasting_keys(self) -> list[str]:
        """Returns the names of keys that would stay for ever: those without an expiry."""
        client = Redis.from_url(self.broker.url, decode_responses=True)
        async with client:
            return [key async for key in client.scan_iter() if await client.pttl(key) == -1]
