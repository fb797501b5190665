"""Who gets a place and who counts: clients that say nothing, that leave, that can wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.fleet import Member
from scripta_common.sessionlog import Roster
from scripta_gateway.bounds import SILENT_LEAST_SECONDS, Bound
from scripta_gateway.telemetry.metrics import BOUNDS_HIT

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]

CROWD = 60
UPLOAD = "upload=true"


async def speak(client: Any) -> None:
    """Sends the first audio; returns when it is accepted."""
    await client.send(b"ab")
    while '"status":"received"' not in await client.recv():
        pass


async def figures(server: Any) -> dict[str, float]:
    """Returns what is known of the default pool, freshly looked at."""
    await server.hub._places.tell_once()
    await server.hub.fleet.look_once()
    pool = server.hub.fleet.known.pools["default"]
    return {"demand": pool.demand, "waiting": pool.waiting, "leased": pool.leased}


async def refused(server: Any, query: str = "") -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as error:
        await server.connect(query)
    response = error.value.response
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    answer: dict[str, Any] = json.loads(response.body)
    return answer


async def test_crowd_that_says_nothing_keeps_no_talker_out_and_makes_no_demand(
    start_server: Any, redis: Redis
) -> None:
    """Guards talkers: 56 silent sockets refused everybody, and pods were added for nobody."""
    server = await start_server(slots=2)
    async with AsyncExitStack() as stack:
        opening = [stack.enter_async_context(server.connect()) for _ in range(CROWD)]
        crowd = await asyncio.gather(*opening)
        assert (await figures(server))["demand"] == 0
        assert not await redis.keys("*:state")
        began = asyncio.get_running_loop().time()
        async with server.connect() as talker:
            await speak(talker)
            assert asyncio.get_running_loop().time() - began < 3
            assert (await figures(server))["demand"] == 1
        for client in crowd:
            client.transport.abort()


async def test_newcomer_waits_for_those_who_may_still_speak_and_no_longer(
    start_server: Any, redis: Redis
) -> None:
    server = await start_server(slots=1)
    async with server.connect() as silent:
        began = asyncio.get_running_loop().time()
        async with server.connect() as talker:
            assert 0.5 < asyncio.get_running_loop().time() - began < 3
            await speak(talker)
            await silent.send(b"ab")  # its place has lapsed
            frame = json.loads(await silent.recv())
            assert frame["code"] == "no_capacity"
            await silent.wait_closed()
            assert silent.close_code == 1013
            assert (await figures(server))["demand"] == 1


async def test_newcomer_is_refused_as_soon_as_those_before_it_speak(
    start_server: Any, redis: Redis
) -> None:
    server = await start_server(slots=1)
    async with server.connect() as talker:
        waiting = asyncio.create_task(refused(server))
        await asyncio.sleep(0.1)  # in this time it would have been refused
        assert not waiting.done()
        await speak(talker)
        assert "1 slots" in (await asyncio.wait_for(waiting, 0.8))["error"]


async def test_place_of_a_silent_client_that_leaves_is_free_at_once(
    start_server: Any, redis: Redis
) -> None:
    server = await start_server(slots=1)
    async with server.connect("events=true") as client:
        await client.recv()
        client.transport.abort()
    async with server.connect() as talker:
        await speak(talker)


async def test_crowd_that_waits_and_leaves_is_gone_at_once(
    start_server: Any, redis: Redis, until: Until
) -> None:
    """Guards newcomers: the places of those who had left counted until a slot was free."""
    server = await start_server(slots=CROWD)
    crowd = [await server.connect() for _ in range(CROWD)]
    for client in crowd:
        await speak(client)
    assert await redis.xlen(keys.ASSIGN) == CROWD
    await refused(server)
    for client in crowd:
        await client.close()

    async def gone() -> bool:
        return await redis.xlen(keys.ASSIGN) == 0 and not await redis.keys("*:state")

    await until(gone)
    async with server.connect() as talker:
        await speak(talker)
        assert (await figures(server))["waiting"] == 1


async def test_drops_of_clients_that_can_come_back_and_never_spoke_leave_room(
    start_server: Any, redis: Redis, until: Until
) -> None:
    """Guards everybody else for the half minute in which such sessions waited for their clients."""
    server = await start_server(slots=2, max_sessions=3)
    for _ in range(10):
        client = await server.connect("events=true")
        await client.recv()
        client.transport.abort()
        await until(lambda: not server.hub.held.by_id)
    async with server.connect() as talker:
        await speak(talker)


async def test_oldest_silent_client_makes_room_on_a_full_gateway(
    start_server: Any, redis: Redis
) -> None:
    server = await start_server(max_sessions=2)
    hits = BOUNDS_HIT[Bound.SILENT_CONNECTIONS].value
    async with server.connect() as talker, server.connect() as silent:
        await speak(talker)
        await refused(server)  # nobody has been silent for long
        await asyncio.sleep(SILENT_LEAST_SECONDS + 0.1)  # it has to be silent for so long
        async with server.connect() as newcomer:
            await speak(newcomer)
            frame = json.loads(await silent.recv())
            assert frame["code"] == "idle"
            with pytest.raises(ConnectionClosed):
                await silent.recv()
            assert silent.close_code == 1001
            await speak(talker)
            await refused(server)  # those who have spoken stay
    assert BOUNDS_HIT[Bound.SILENT_CONNECTIONS].value == hits + 3


async def test_end_before_any_audio_needs_no_transcriber_and_finalize_does(
    server: Any, redis: Redis, scribe: Any
) -> None:
    async with server.connect("events=true") as client:
        await client.recv()
        await client.send('{"type":"end"}')
        assert json.loads(await client.recv()) == {"status": "ended", "duration": 0.0}
        await client.wait_closed()
        assert client.close_code == 1000
    assert not await redis.keys("*:state")
    async with server.connect() as client:
        await client.send('{"type":"finalize"}')
        await scribe.take()
        await scribe.work(until_seq=1)
        assert json.loads(await client.recv())["status"] == "transcript"


async def test_upload_waits_behind_live_sessions_and_counts_as_demand(
    start_server: Any, redis: Redis, until: Until, broker: Broker
) -> None:
    server = await start_server(slots=1, max_waiting=1)
    async with server.connect() as talker, server.connect(UPLOAD) as upload:
        await speak(talker)
        waiting = asyncio.create_task(speak(upload))

        async def counted() -> bool:
            return await figures(server) == {"demand": 2, "waiting": 2, "leased": 0}

        await until(counted)
        assert await redis.xlen(keys.ASSIGN) == 1  # it is not in line
        assert "uploads wait already" in (await refused(server, UPLOAD))["error"]
        await refused(server)  # nor does it make live sessions wait
        assert not waiting.done()
        await talker.close()
        await asyncio.wait_for(waiting, 10)
        assert await redis.xlen(keys.ASSIGN) == 1


async def test_upload_that_leaves_while_it_waits_is_gone_at_once(
    start_server: Any, redis: Redis, until: Until
) -> None:
    server = await start_server(slots=1)
    async with server.connect() as talker:
        await speak(talker)
        upload = await server.connect(UPLOAD)
        await upload.send(b"ab")
        places = server.hub._places._pools["default"]
        await until(lambda: places.waiting == 1)
        upload.transport.abort()
        await until(lambda: places.waiting == 0)
        await until(lambda: len(server.hub.held.by_id) == 1)


async def test_upload_for_which_no_slot_comes_free_is_told(start_server: Any, redis: Redis) -> None:
    server = await start_server(slots=1, upload_wait_seconds=0.5)
    async with server.connect() as talker, server.connect(UPLOAD) as upload:
        await speak(talker)
        await upload.send(b"ab")
        frame = json.loads(await upload.recv())
        assert frame["code"] == "no_capacity"
        await upload.wait_closed()
        assert upload.close_code == 1013


async def test_live_clients_make_demand_where_there_is_no_transcriber_yet(
    start_server: Any, redis: Redis, until: Until
) -> None:
    """Guards a pool that was scaled to nothing: without demand it would stay there."""
    servers = [await start_server(slots=0) for _ in range(2)]
    for _ in range(5):
        await refused(servers[0])
    await servers[0].hub._places.tell_once()
    assert await figures(servers[1]) == {"demand": 1, "waiting": 0, "leased": 0}


async def test_whoever_was_let_in_is_not_refused_while_a_transcriber_is_replaced(
    start_server: Any, broker: Broker, redis: Redis
) -> None:
    roster = Roster(broker)
    await roster.enlist("tr", Member("default", (), (), 2))
    server = await start_server(slots=0)
    async with server.connect() as client:
        await roster.enlist("tr", Member("default", (), (), 0))
        await server.hub.fleet.look_once()
        await speak(client)
