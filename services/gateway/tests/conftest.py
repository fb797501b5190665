"""A hub on a real broker, and a transcriber that does what a test tells it to."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import Claim, TranscriberLog
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Entry,
    EntryKind,
    Final,
    Reason,
    Recorded,
)
from scripta_gateway.hub import Hub
from scripta_gateway.session import Limits
from scripta_local.broker import Broker as BrokerProcess

MakeHub = Callable[..., Awaitable[Hub]]


@pytest_asyncio.fixture
async def make_hub(shared_broker: BrokerProcess) -> AsyncIterator[MakeHub]:
    """Starts hubs; the limits are a session's unless a test says otherwise."""
    running: list[tuple[asyncio.Task[None], Broker]] = []

    async def make(
        url: str = shared_broker.url,
        *,
        backlog: float = 60,
        stall: float = 30,
        broker_patience: float = 20,
        max_sessions: int = 100,
    ) -> Hub:
        broker = Broker(url, name="hub")
        hub = Hub(
            broker,
            secrets.token_hex(4),
            ttl=60,
            limits=Limits(backlog=backlog, stall=stall, broker_patience=broker_patience),
            max_sessions=max_sessions,
        )
        running.append((asyncio.create_task(hub.run()), broker))
        await hub.check_ready()
        return hub

    yield make
    for task, broker in running:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.aclose()


@dataclass
class Scribe:
    """A transcriber's half of one session, driven by hand: a final for every audio entry.

    A final's text names its entry, so that it is seen whether each is heard once.
    """

    log: TranscriberLog
    broker: Broker
    claim: Claim | None = None
    seq: int = 0
    index: int = 0
    history: list[Recorded] = field(default_factory=list)

    async def take(self, seconds: float = 10) -> None:
        """Claims the next session in line, whatever the broker does meanwhile."""
        async with asyncio.timeout(seconds):
            while self.claim is None:
                with suppress(BrokerUnavailable):
                    await self.log.join()
                    assignment = await self.log.next_assignment(0.5)
                    if assignment is not None:
                        self.claim = await self.log.claim(assignment)
        self.seq, self.index = self.claim.checkpoint.seq, self.claim.index

    async def let_go(self) -> None:
        self.claim = None
        await self.take()

    async def work(self, *, until_seq: int, seconds: float = 10) -> None:
        """Commits entry by entry up to and with a number."""
        async with asyncio.timeout(seconds):
            while self.seq < until_seq:
                if not await self.step():
                    await asyncio.sleep(0.01)

    async def step(self) -> bool:
        """Commits the next entry, if there is one."""
        assert self.claim is not None
        entries = await self.log.read(self.claim.sid, self.seq, 1)
        if entries:
            await self.commit(entries[0], self.results_of(entries[0]))
        return bool(entries)

    def results_of(self, entry: Entry) -> list[Recorded]:
        if entry.kind is EntryKind.END:
            return [Ended(self.index + 1, entry.first_sample / SAMPLE_RATE)]
        reason = Reason.MESSAGE if entry.kind is EntryKind.AUDIO else entry.reason
        return [Final(self.index + 1, 0.0, 0.0, f"entry {entry.seq}", reason)]

    async def commit(self, entry: Entry, results: list[Recorded]) -> None:
        assert self.claim is not None
        checkpoint = Checkpoint(entry.end_sample, entry.seq)
        await self.log.commit(self.claim, checkpoint, self.index, results)
        self.seq, self.index = entry.seq, self.index + len(results)
        self.history += results


@pytest_asyncio.fixture
async def make_scribe(shared_broker: BrokerProcess) -> AsyncIterator[Callable[..., Scribe]]:
    """Makes scripted transcribers."""
    brokers: list[Broker] = []

    def make(url: str = shared_broker.url) -> Scribe:
        brokers.append(Broker(url, name="scribe"))
        log = TranscriberLog(brokers[-1], f"scribe-{len(brokers)}", lease=60, ttl=60)
        return Scribe(log, brokers[-1])

    yield make
    for broker in brokers:
        await broker.aclose()


@pytest.fixture
def scribe(redis: object, make_scribe: Callable[..., Scribe]) -> Scribe:
    """A scripted transcriber on the shared, empty broker."""
    return make_scribe()
