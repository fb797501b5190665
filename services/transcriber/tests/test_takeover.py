"""Whose sessions a worker takes over: those of the dead, not those that could not renew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from scripta_common.broker import Broker
from scripta_common.sessionlog import Claim, GatewayLog, SessionOptions, TranscriberLog
from scripta_local.broker import Broker as BrokerProcess
from scripta_transcriber.transcription import Transcription
from scripta_transcriber.worker import Worker

pytestmark = pytest.mark.store

LEASE = 0.6
Until = Callable[..., Awaitable[None]]


class Member:
    """A worker whose transcriptions do nothing for ever, on a connection of its own."""

    def __init__(self, url: str, name: str) -> None:
        self.broker = Broker(url, name=name)
        self.held: list[str] = []
        self.log = TranscriberLog(self.broker, name, lease=LEASE, ttl=60)
        self.worker = Worker(self.log, slots=8, lease=LEASE, transcribe=self._transcribe)

    def lose_heartbeat(self) -> None:
        """Lets its leases expire: what it would hand off if it were stopped."""
        vars(self.log)["renew"] = lambda *_: asyncio.Event().wait()

    def _transcribe(self, claim: Claim) -> Transcription:
        async def run() -> bool:
            self.held.append(claim.sid)
            try:
                await asyncio.Event().wait()
            finally:
                self.held.remove(claim.sid)
            return True

        idle: Any = SimpleNamespace(claim=claim, run=run, stop=lambda: None, ring=lambda: None)
        return cast("Transcription", idle)


@pytest_asyncio.fixture
async def start(own_broker: BrokerProcess) -> AsyncIterator[Callable[[str], Member]]:
    """Starts members, each in a task named after it."""
    async with AsyncExitStack() as exits:

        def do(name: str) -> Member:
            member = Member(own_broker.url, name)
            task = asyncio.create_task(member.worker.run(), name=name)
            exits.push_async_callback(member.broker.aclose)
            exits.callback(task.cancel)
            return member

        yield do


@pytest.fixture
def open_sessions(own_broker: BrokerProcess) -> Callable[[int], Awaitable[None]]:
    async def do(count: int) -> None:
        broker = Broker(own_broker.url, name="gw")
        gateway = GatewayLog(broker, "gw", ttl=60)
        for number in range(count):
            assert await gateway.open(f"s{number}", SessionOptions())
        await broker.aclose()

    return do


async def test_sessions_stay_where_they_are_when_the_broker_stood_still(
    own_broker: BrokerProcess,
    start: Callable[[str], Member],
    open_sessions: Callable[[int], Awaitable[None]],
    until: Until,
) -> None:
    """Guards against the first to come back taking everything: all leases look expired then."""
    owner = start("owner")
    await open_sessions(4)
    await until(lambda: len(owner.held) == 4)
    other = start("other")
    await until(lambda: other.worker.ready)
    own_broker.pause()
    await asyncio.sleep(3 * LEASE)
    own_broker.resume()
    await asyncio.sleep(3 * LEASE)
    assert (len(owner.held), len(other.held)) == (4, 0)


async def test_sessions_of_a_dead_worker_are_taken_over(
    start: Callable[[str], Member],
    open_sessions: Callable[[int], Awaitable[None]],
    until: Until,
) -> None:
    owner = start("owner")
    await open_sessions(4)
    await until(lambda: len(owner.held) == 4)
    other = start("other")
    await until(lambda: other.worker.ready)
    owner.lose_heartbeat()
    await until(lambda: len(other.held) == 4)
