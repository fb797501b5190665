"""A real Valkey for every test that wants one, and how tests wait."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from scripta_common.broker import Broker
from scripta_local.broker import Broker as BrokerProcess

Until = Callable[..., Awaitable[None]]

PROGRAM = os.environ.get("TEST_BROKER")
"""Another server to run the tests on, such as ``redis-server``."""


def pytest_configure() -> None:
    """Gives the processes that tests start the signals that a terminal would.

    A command in the background of a script ignores some, and so does whatever it starts.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)


BUSY = (
    "tests/chaos/",
    "tests/fuzz/",
    "tests/hostile/",
    "tests/images/",
    "tests/system/",
    "services/transcriber/tests/speech/",
)
"""Folders whose tests keep a processor busy, or measure what clients notice meanwhile. One worker
has them all, so that they do not disturb each other."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives a worker whole modules, so that what a module shares is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "busy" if nodeid.startswith(BUSY) else nodeid.partition("::")[0]

    return ByModule(config, log)


@pytest.fixture(scope="session")
def shared_broker() -> Iterator[BrokerProcess]:
    """One server process for the whole run; nobody stops it."""
    with BrokerProcess(program=PROGRAM) as process:
        yield process


@pytest.fixture
def own_broker() -> Iterator[BrokerProcess]:
    """A server process that the test may kill, pause and restart."""
    with BrokerProcess(program=PROGRAM) as process:
        yield process


@pytest.fixture
def start_broker() -> Iterator[Callable[..., BrokerProcess]]:
    """Starts further server processes; arguments are those of the class."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(BrokerProcess(program=PROGRAM, **options))


@pytest_asyncio.fixture
async def redis(shared_broker: BrokerProcess) -> AsyncIterator[Redis]:
    """A plain client of the shared server, which is empty when the test begins."""
    client = Redis.from_url(shared_broker.url, protocol=3, decode_responses=False)
    await client.flushall()
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def broker(shared_broker: BrokerProcess, redis: Redis) -> AsyncIterator[Broker]:
    """Our own access to the shared, empty server."""
    broker = Broker(shared_broker.url, name="test")
    yield broker
    await broker.aclose()


@pytest.fixture
def until() -> Until:
    """Waits for a condition, plain or async; fails if it does not come true in time."""

    async def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                value = condition()
                if asyncio.iscoroutine(value):
                    value = await value
                if value:
                    return
                await asyncio.sleep(0.005)

    return wait
