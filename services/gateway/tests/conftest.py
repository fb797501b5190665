"""Hubs and whole gateways on a real broker, and transcribers that follow a script."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.errors import BrokerUnavailable
from scripta_common.fleet import Member
from scripta_common.models import Model
from scripta_common.sessionlog import Claim, Doorbell, Roster, TranscriberLog
from scripta_common.tracing import Tracing
from scripta_common.usage import Meter
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
from scripta_gateway.admission.admission import Admission
from scripta_gateway.server import GatewayServer
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Limits
from scripta_gateway.settings import GatewaySettings
from scripta_local.broker import Broker as BrokerProcess
from scripta_local.ports import free_port
from scripta_transcriber.engines.choice import Engines
from scripta_transcriber.engines.mock import MockEngine
from scripta_transcriber.listening import Listening
from scripta_transcriber.metering import Metering
from scripta_transcriber.presence import Presence
from scripta_transcriber.quarantine import Quarantine
from scripta_transcriber.rounds import Rounds
from scripta_transcriber.scheduler import Scheduler
from scripta_transcriber.segmenter.message import MessageSegmenter
from scripta_transcriber.transcription import Tools, Transcription
from scripta_transcriber.worker import Worker

MakeHub = Callable[..., Awaitable[Hub]]

SLOTS = 100
ADMISSION = Admission(live_wait=3, max_uploads=32)


@pytest_asyncio.fixture
async def offer_slots() -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Puts a transcriber that takes nothing on the roster of a broker, and keeps it there."""
    async with AsyncExitStack() as stack:

        async def offer(
            url: str, slots: int, pool: str = keys.DEFAULT_POOL, models: tuple[str, ...] = ()
        ) -> None:
            broker = Broker(url, name="stand-in")
            stack.push_async_callback(broker.aclose)
            served = tuple(Model((name,)) for name in models)
            member = Member(pool, models, (), slots, served=served)
            presence = Presence(Roster(broker), f"stand-in-{slots}", lambda: member)
            stack.push_async_callback(_end, asyncio.create_task(presence.run()))
            async with asyncio.timeout(5):
                while not presence.offering:  # noqa: ASYNC110 - it has a flag and no event
                    await asyncio.sleep(0.01)

        yield offer


@pytest_asyncio.fixture
async def make_hub(
    shared_broker: BrokerProcess, offer_slots: Callable[..., Awaitable[None]]
) -> AsyncIterator[MakeHub]:
    """Starts hubs; the limits are a session's unless a test says otherwise.

    There are slots for all of their sessions, whether or not anybody takes them.
    """
    running: list[tuple[asyncio.Task[None], Broker]] = []

    async def make(
        url: str = shared_broker.url,
        *,
        backlog: float = 60,
        stall: float = 30,
        broker_patience: float = 20,
        max_sessions: int = 100,
        slots: int = SLOTS,
        admission: Admission = ADMISSION,
        upload_wait: float = 30,
        drain_spread: float = 2,
        resume_seconds: float = 30,
    ) -> Hub:
        if slots:
            await offer_slots(url, slots)
        broker = Broker(url, name="hub")
        hub = Hub(
            broker,
            secrets.token_hex(4),
            ttl=60,
            limits=Limits(backlog=backlog, stall=stall, broker_patience=broker_patience),
            max_sessions=max_sessions,
            admission=admission,
            upload_wait=upload_wait,
            drain_spread=drain_spread,
            resume_seconds=resume_seconds,
        )
        running.append((asyncio.create_task(hub.run()), broker))
        await _ready(hub)
        return hub

    yield make
    for task, broker in running:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.aclose()


async def _ready(hub: Hub) -> None:
    """Waits until a hub takes sessions; by itself it gives a slow machine no more than a second."""
    async with asyncio.timeout(20):
        while True:
            with suppress(BrokerUnavailable):
                await hub.check_ready()
                return


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

    async def run(self) -> None:
        """Takes the next session and serves it until it is over."""
        await self.take()
        while not (self.history and isinstance(self.history[-1], Ended)):
            if not await self.step():
                await asyncio.sleep(0.005)

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


class Server(GatewayServer):
    """A gateway on a free port that leaves signals to pytest."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__(settings, secrets.token_hex(6), Tracing())
        self.address = f"127.0.0.1:{settings.app_port}"

    @property
    def hub(self) -> Hub:
        return self._hub

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def connect(self, query: str = "", **options: Any) -> Any:
        """Returns a client's connection, to be entered or awaited.

        It takes all that comes. With frames that no test reads in a full queue, it would read
        nothing any more, not even the answer to its close, and give up after ten seconds.
        """
        return self.connect_to(f"/ws?{query}", **options)

    def connect_to(self, path: str, **options: Any) -> Any:
        """Returns a client's connection to any path, as ``connect`` does."""
        return connect(
            f"ws://{self.address}{path}", **{"proxy": None, "max_queue": None, **options}
        )

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            return await client.get(f"http://{self.address}{path}", headers=headers)


@pytest_asyncio.fixture
async def start_server(
    shared_broker: BrokerProcess, offer_slots: Callable[..., Awaitable[None]]
) -> AsyncIterator[Callable[..., Any]]:
    """Starts gateways; arguments are settings. They are stopped with the test.

    There are ``slots`` for their sessions, whether or not anybody takes them.
    """
    async with AsyncExitStack() as stack:

        async def start(
            url: str = shared_broker.url,
            *,
            slots: int = SLOTS,
            models: tuple[str, ...] = (),
            **settings: Any,
        ) -> Server:
            if slots:
                await offer_slots(url, slots, models=models)
            port = free_port()
            server = Server(
                GatewaySettings(
                    redis_url=url, app_port=port, **{"app_host": "127.0.0.1", **settings}
                )
            )
            serving = asyncio.create_task(server.serve())

            async def stop() -> None:
                server.should_exit = True
                await asyncio.wait_for(serving, 30)

            stack.push_async_callback(stop)
            async with asyncio.timeout(10):
                while not server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
                    await asyncio.sleep(0.01)
            return server

        yield start


@pytest_asyncio.fixture
async def server(redis: object, start_server: Callable[..., Any]) -> Server:
    """A gateway on the shared, empty broker."""
    started: Server = await start_server()
    return started


@pytest_asyncio.fixture
async def start_worker(shared_broker: BrokerProcess) -> AsyncIterator[Callable[..., Any]]:
    """Starts transcribers that cut by message; the mock engine unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def start(url: str = shared_broker.url, engine: Any = None) -> Worker:
            broker = Broker(url, name="worker")
            stack.push_async_callback(broker.aclose)
            engine = engine or MockEngine()
            log = TranscriberLog(broker, secrets.token_hex(4), lease=1.5, ttl=60)
            scheduler = Scheduler(1)
            stack.callback(scheduler.close)
            tools = Tools(
                log=log,
                scheduler=scheduler,
                listening=Listening(scheduler),
                rounds=Rounds(),
                quarantine=Quarantine(log),
                clock=BrokerClock(),
                metering=Metering(Meter(broker, BrokerClock(), days=1)),
                interim_seconds=0.5,
            )

            engines = Engines([engine])

            def transcribe(claim: Claim) -> Transcription:
                # Whatever its model is called: gateways here are told of others than there are.
                choice = engines.choose(msgspec.structs.replace(claim.options, model=None))
                return Transcription(claim, MessageSegmenter(claim.checkpoint), choice, tools)

            worker = Worker(log, slots=100, transcribe=transcribe)
            channel = keys.transcriber_channel(log._id)
            bell = Doorbell(broker, channel, on_ring=worker.ring, on_join=worker.ring_all)
            for work in (bell.run(), worker.run()):
                task = asyncio.create_task(work)
                stack.push_async_callback(_end, task)
            return worker

        yield start


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def mock_worker(redis: object, start_worker: Callable[..., Any]) -> Worker:
    """A transcriber with the mock engine on the shared, empty broker."""
    started: Worker = await start_worker()
    return started


@pytest.fixture
def scribe(redis: object, make_scribe: Callable[..., Scribe]) -> Scribe:
    """A scripted transcriber on the shared, empty broker."""
    return make_scribe()
