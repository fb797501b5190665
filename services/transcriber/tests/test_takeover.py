"""Whose sessions a worker takes over: those of the dead, not those that could not renew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from forwarder import Forwarder

from scripta_common.broker import Broker
from scripta_common.sessionlog import Claim, GatewayLog, SessionOptions, TranscriberLog
from scripta_local.broker import Broker as BrokerProcess
from scripta_transcriber.transcription import Transcription
from scripta_transcriber.worker import Worker

pytestmark = pytest.mark.store

LEASE = 1.0
Until = Callable[..., Awaitable[None]]
OpenSessions = Callable[..., Awaitable[None]]


class Member:
    """A worker whose transcriptions do nothing for ever, on a connection of its own."""

    def __init__(self, url: str, name: str, lease: float) -> None:
        self.broker = Broker(url, name=name)
        self.held: list[str] = []
        self.log = TranscriberLog(self.broker, name, lease=lease, ttl=60)
        self.worker = Worker(self.log, slots=8, transcribe=self._transcribe)

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
async def start(own_broker: BrokerProcess) -> AsyncIterator[Callable[..., Member]]:
    """Starts members, each in a task named after it."""
    async with AsyncExitStack() as exits:

        def do(name: str, url: str = own_broker.url, lease: float = LEASE) -> Member:
            member = Member(url, name, lease)
            task = asyncio.create_task(member.worker.run(), name=name)
            exits.push_async_callback(member.broker.aclose)
            exits.callback(task.cancel)
            return member

        yield do


@pytest.fixture
def open_sessions(own_broker: BrokerProcess) -> OpenSessions:
    async def do(count: int, url: str = own_broker.url) -> None:
        broker = Broker(url, name="gw")
        gateway = GatewayLog(broker, "gw", ttl=60)
        for number in range(count):
            assert await gateway.open(f"s{number}", SessionOptions())
        await broker.aclose()

    return do


async def test_sessions_stay_where_they_are_when_the_broker_stood_still(
    own_broker: BrokerProcess,
    start: Callable[..., Member],
    open_sessions: OpenSessions,
    until: Until,
) -> None:
    """Guards against the first to come back taking everything: all leases look expired then."""
    owner = start("owner")
    await open_sessions(4)
    await until(lambda: len(owner.held) == 4)
    other = start("other")
    await until(lambda: other.worker.ready)
    own_broker.pause()
    await asyncio.sleep(3 * LEASE)  # the outage: every lease looks expired
    own_broker.resume()
    await asyncio.sleep(3 * LEASE)  # in this time a session that is taken is seen
    assert (len(owner.held), len(other.held)) == (4, 0)


async def test_sessions_of_a_dead_worker_are_taken_over(
    start: Callable[..., Member],
    open_sessions: OpenSessions,
    until: Until,
) -> None:
    owner = start("owner")
    await open_sessions(4)
    await until(lambda: len(owner.held) == 4)
    other = start("other")
    await until(lambda: other.worker.ready)
    owner.lose_heartbeat()
    await until(lambda: len(other.held) == 4)


@pytest.mark.slow
async def test_takeover_comes_soon_however_far_the_broker_is(
    start_broker: Callable[..., BrokerProcess],
    start: Callable[..., Member],
    open_sessions: OpenSessions,
    until: Until,
) -> None:
    """Guards sessions of distant transcribers: takeover came late or never, because heartbeats
    that waited for their answers looked like those of a broker that had stood still."""
    lease = 1.5

    async def takeover(trip: float) -> None:
        broker = start_broker()
        async with Forwarder([broker.port], delay=trip / 2) as far:
            url = f"redis://127.0.0.1:{far.port}/0"
            owner = start("owner", url, lease)
            await open_sessions(4, broker.url)
            await until(lambda: len(owner.held) == 4, 30)
            other = start("other", url, lease)
            await until(lambda: other.worker.ready, 30)
            await asyncio.sleep(3 * lease)
            assert (len(owner.held), len(other.held)) == (4, 0)  # a live owner keeps its sessions
            owner.lose_heartbeat()
            began = time.monotonic()
            await until(lambda: len(other.held) == 4, 30)
            took = time.monotonic() - began
            print(f"{trip:g} s away: taken over after {took:.2f} s")
            assert took < lease + 2 * lease / 4 + 4 * trip + 0.5

    async with asyncio.TaskGroup() as tasks:
        for trip in (0.4, 0.6, 1.0):
            tasks.create_task(takeover(trip))


@pytest.mark.slow
async def test_live_owners_far_away_keep_their_sessions_when_the_broker_stood_still(
    own_broker: BrokerProcess,
    start: Callable[..., Member],
    open_sessions: OpenSessions,
    until: Until,
) -> None:
    async with Forwarder([own_broker.port], delay=0.2) as far:
        url = f"redis://127.0.0.1:{far.port}/0"
        owner, other = start("owner", url, 1.5), start("other", own_broker.url, 1.5)
        await until(lambda: owner.worker.ready and other.worker.ready, 30)
        await open_sessions(4)
        await until(lambda: len(owner.held) + len(other.held) == 4, 30)
        shares = len(owner.held), len(other.held)
        own_broker.pause()
        await asyncio.sleep(3)  # the outage: every lease looks expired
        own_broker.resume()
        await asyncio.sleep(4)  # in this time a session that is taken is seen
        assert (len(owner.held), len(other.held)) == shares
