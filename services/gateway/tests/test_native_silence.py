"""The native dialect when its client is silent: flushes, keepalives, idle closes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from native_frames_heard import hear, hear_all
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asgi


async def test_keepalive_is_answered_by_nothing(server: Any, mock_worker: Any) -> None:
    async with server.connect() as client:
        await client.send('{"type":"keepalive"}')
        await client.send(b"ab")
        assert (await hear(client))[0] == {"status": "received", "size": 2}


async def test_silence_after_audio_brings_a_transcript(
    start_server: Any, redis: Any, scribe: Any
) -> None:
    server = await start_server(idle_flush_seconds=0.1)
    working = asyncio.create_task(scribe.run())
    async with server.connect() as client:
        await client.send(b"ab")
        frames = await hear(client, 3)
        assert [frame.get("reason") for frame in frames] == [None, "message", "idle"]
        await client.send('{"type":"keepalive"}')
        await client.send(b"ab")
        frames = await hear(client, 3)
        assert [frame.get("reason") for frame in frames] == [None, "message", "idle"]
        await client.send('{"type":"end"}')
        assert await hear_all(client) == []  # flushed once, not again and again
    await asyncio.wait_for(working, 5)


@pytest.mark.parametrize("spoken", [True, False])
async def test_silent_connection_is_closed_with_1001(
    start_server: Any, mock_worker: Any, spoken: bool
) -> None:
    server = await start_server(idle_flush_seconds=0.05, idle_timeout_seconds=0.3)
    async with server.connect() as client:
        if spoken:
            await client.send(b"ab")
        frames = await hear_all(client)
    assert client.close_code == 1001
    assert frames[-1]["code"] == "idle"
    assert len(frames) == (3 if spoken else 1)


async def test_keepalives_keep_a_silent_connection_open(
    start_server: Any, mock_worker: Any
) -> None:
    server = await start_server(idle_timeout_seconds=0.4)
    async with server.connect() as client:
        await client.send(b"ab")
        await hear(client, 2)
        for _ in range(8):
            await client.send('{"type":"keepalive"}')
            await asyncio.sleep(0.1)  # eight pauses are twice as long as a silent client is given
        await client.send(b"ab")
        assert (await hear(client))[0]["status"] == "received"


async def test_keepalives_keep_one_that_never_spoke_for_a_bounded_time(
    start_server: Any, redis: Any
) -> None:
    """Guards room for those who speak: such a connection could be held for ever."""
    server = await start_server(first_audio_seconds=0.3, idle_timeout_seconds=0.6)
    async with server.connect() as still:
        [frame] = await hear_all(still)
        assert frame["code"] == "idle"
        assert still.close_code == 1001
    async with server.connect() as client:
        began = asyncio.get_running_loop().time()
        with suppress(ConnectionClosed):
            for _ in range(1000):
                await client.send('{"type":"keepalive"}')
                await asyncio.sleep(0.05)
        assert client.close_code == 1001
        assert asyncio.get_running_loop().time() - began > 0.5


async def test_client_that_waits_for_results_is_not_idle(
    start_server: Any, redis: Any, scribe: Any
) -> None:
    server = await start_server(idle_flush_seconds=0.05, idle_timeout_seconds=0.2)
    async with server.connect() as client:
        await client.send(b"ab")
        await hear(client)
        with pytest.raises(TimeoutError):
            await hear(client, seconds=0.6)
        working = asyncio.create_task(scribe.run())
        assert [f["status"] for f in await hear_all(client)] == ["transcript"] * 2 + ["error"]
    assert client.close_code == 1001
    await asyncio.wait_for(working, 5)
