"""Places belong to those who speak: others neither keep anybody out nor count as demand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from .probes import scrape
from .system import SLOTS, System

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CROWD = 500
AT_ONCE_SECONDS = 5.0
"""What is at once on a busy machine; a place that is not free comes after 30 s and more."""
REFUSED_COUNT_SECONDS = 25.0
"""Those who were refused count as demand for 15 s: more slots would have served them."""
_DEMAND = 'scripta_demand_sessions{pool="default"}'
_PLACES = ('scripta_sessions_leased{pool="default"}', 'scripta_sessions_waiting{pool="default"}')
_WORD = bytes(3200)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    async with System() as system:
        yield system


async def open_session(system: System, query: str = "") -> ClientConnection:
    return await connect(
        f"{system.stack.ws_url}?{query}", compression=None, ping_interval=None, open_timeout=30
    )


async def hear(socket: ClientConnection, status: str) -> None:
    """Waits for a frame of that status."""
    while json.loads(await socket.recv())["status"] != status:
        pass


async def talk(system: System, exits: AsyncExitStack) -> ClientConnection:
    """Opens a session that says a word and is transcribed."""
    socket = await exits.enter_async_context(await open_session(system))
    await socket.send(_WORD)
    await hear(socket, "transcript")
    return socket


async def demand_is(system: System, number: int, until: Callable[..., Awaitable[None]]) -> None:
    """Waits until as many places are taken as there are talkers, and then for demand to say so."""

    async def taken() -> bool:
        samples = await scrape(system.stack.port)
        return sum(samples.get(name, 0) for name in _PLACES) == number

    async def wanted() -> bool:
        return (await scrape(system.stack.port)).get(_DEMAND) == number

    await until(taken, seconds=AT_ONCE_SECONDS)
    await until(wanted, seconds=REFUSED_COUNT_SECONDS)


async def test_500_connections_that_never_speak_keep_nobody_out(
    system: System, until: Callable[..., Awaitable[None]]
) -> None:
    """Guards a pool that 56 silent sockets fill, and an autoscaler that scales for nobody."""
    async with AsyncExitStack() as exits:
        await talk(system, exits)
        gate = asyncio.Semaphore(25)
        silent: list[ClientConnection] = []

        async def stay_silent() -> None:
            async with gate:
                silent.append(await open_session(system))

        await asyncio.gather(*(stay_silent() for _ in range(CROWD)))
        for socket in silent:
            exits.push_async_callback(socket.close)
        began = time.monotonic()
        await talk(system, exits)
        assert time.monotonic() - began < AT_ONCE_SECONDS
        await demand_is(system, 2, until)
    await demand_is(system, 0, until)


@pytest.mark.parametrize("query", ["", "events=true"])
async def test_500_that_wait_and_leave_are_gone_at_once(
    query: str, system: System, until: Callable[..., Awaitable[None]]
) -> None:
    """Guards a line in which those who have left keep their places until a slot is free."""
    async with AsyncExitStack() as exits:
        talkers = [await talk(system, exits) for _ in range(SLOTS)]
        gate = asyncio.Semaphore(60)

        async def come_and_leave(speak: bool) -> None:
            async with gate:
                try:
                    socket = await open_session(system, query)
                except InvalidStatus as refusal:
                    assert refusal.response.status_code == 503  # noqa: PT017 - a right answer, too
                    return
                if speak:
                    await socket.send(_WORD)
                socket.transport.abort()

        # The last of them say nothing: a session with audio that knows how to come back may.
        spoken = not query
        await asyncio.gather(*(come_and_leave(spoken) for _ in range(CROWD)))
        await demand_is(system, SLOTS, until)
        await talkers[0].close()
        began = time.monotonic()
        await talk(system, exits)
        assert time.monotonic() - began < AT_ONCE_SECONDS
    await demand_is(system, 0, until)
