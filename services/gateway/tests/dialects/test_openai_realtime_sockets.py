"""OpenAI's realtime transcription over real sockets: what its clients send and what they hear."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common.broker import Broker
from scripta_common.fleet import Member
from scripta_common.sessionlog import Roster
from scripta_common.wire import Ended
from scripta_gateway.bounds import AUDIO_TEXT_BYTES, MIB, TEXT_BYTES, Bound
from scripta_gateway.telemetry import metrics
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.asgi

Event = dict[str, Any]
Until = Callable[..., Awaitable[None]]
BYTES_A_SECOND = 48_000


def call(server: Any, query: str = "intent=transcription", **options: Any) -> Any:
    url = f"ws://{server.address}/v1/realtime?{query}"
    options = {"proxy": None, "max_queue": None, "compression": None, "max_size": None, **options}
    return connect(url, **options)


async def say(client: ClientConnection, kind: str, **fields: Any) -> None:
    await client.send(json.dumps({"type": kind, **fields}))


async def append(client: ClientConnection, audio: bytes) -> None:
    await say(client, "input_audio_buffer.append", audio=base64.b64encode(audio).decode())


async def hear(client: ClientConnection, kind: str) -> list[Event]:
    """Returns the events up to the next of a kind."""
    events: list[Event] = []
    async with asyncio.timeout(20):
        while not events or events[-1]["type"] != kind:
            events.append(json.loads(await client.recv()))
    return events


async def hear_all(client: ClientConnection) -> list[Event]:
    """Returns the events up to the close."""
    events: list[Event] = []
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            while True:
                events.append(json.loads(await client.recv()))
    return events


async def committing(client: ClientConnection) -> None:
    session = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    await say(client, "session.update", session=session)
    await hear(client, "session.updated")


@pytest_asyncio.fixture
async def working(scribe: Any) -> AsyncIterator[Any]:
    """A transcriber by which each entry is a segment."""
    working = asyncio.create_task(scribe.run())
    yield scribe
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest_asyncio.fixture
async def fleet(shared_broker: BrokerProcess, redis: object, start_server: Any) -> Any:
    """A gateway that knows which models there are."""
    broker = Broker(shared_broker.url, name="stand-in")
    await Roster(broker).enlist("tr", Member("default", ("moonshine",), ("en",), 4))
    await broker.aclose()
    return await start_server(slots=0)


COMPLETED = "conversation.item.input_audio_transcription.completed"


async def test_a_call_from_the_first_event_to_the_last(server: Any, working: Any) -> None:
    async with call(server) as client:
        assert (await hear(client, "session.created"))[0]["type"] == "session.created"
        await committing(client)
        await append(client, bytes(BYTES_A_SECOND))
        await say(client, "input_audio_buffer.commit")
        events = await hear(client, COMPLETED)
        assert [event["type"].rpartition(".")[2] for event in events] == [
            *("committed", "added", "done", "delta", "delta", "delta", "completed"),
        ]
        assert events[-1]["transcript"] == "entry 1 entry 2 entry 3"
        assert events[-1]["usage"] == {"type": "duration", "seconds": 1.0}


async def test_errors_do_not_end_the_call(server: Any, mock_worker: Any) -> None:
    async with call(server) as client:
        await hear(client, "session.created")
        await client.send(b"samples")
        await client.send("no event")
        await say(client, "input_audio_buffer.append", audio="?", event_id="mine")
        await say(client, "session.update", session={"type": "realtime"})
        errors = [(await hear(client, "error"))[-1]["error"] for _ in range(4)]
        assert errors[2]["event_id"] == "mine"
        await committing(client)


async def test_other_options_behind_audio_hold_for_what_comes(
    server: Any, mock_worker: Any
) -> None:
    """Guards streams of livekit and pipecat whose language is changed while they run."""
    async with call(server) as client:
        for _ in range(2):  # the same again is no other
            vad = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}
            await say(client, "session.update", session={"audio": {"input": vad}})
            await hear(client, "session.updated")
            await append(client, bytes(BYTES_A_SECOND))
        for silence in (900, 300):
            vad = {"turn_detection": {"type": "server_vad", "silence_duration_ms": silence}}
            await say(client, "session.update", session={"audio": {"input": vad}})
            await append(client, bytes(BYTES_A_SECOND))
        events = [event for _ in range(4) for event in await hear(client, COMPLETED)]
    kinds = [event["type"].rpartition(".")[2] for event in events]
    assert kinds.count("updated") == 2
    assert kinds.index("updated") > kinds.index("completed")
    started = [event["audio_start_ms"] for event in events if "audio_start_ms" in event]
    assert started == [pytest.approx(1000 * second, abs=50) for second in range(4)]
    assert len(server.hub.held.audio_lags()) == 0 or len(server.hub.held.audio_lags()) == 1


async def test_unknown_model_is_refused_before_and_behind_the_upgrade(fleet: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await call(fleet, "intent=transcription&model=nobody-has-this")
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "model_not_found"
    async with call(fleet) as client:
        session = {"audio": {"input": {"transcription": {"model": "nobody-has-this"}}}}
        await say(client, "session.update", session=session, event_id="mine")
        error = (await hear(client, "error"))[-1]["error"]
        assert error["event_id"] == "mine"
        assert "nobody-has-this" in error["message"]


async def test_no_place_is_a_503_before_the_upgrade(start_server: Any, redis: object) -> None:
    """Guards the vendors' clients: they give up for good when they are told 429."""
    server = await start_server(slots=0, live_wait_seconds=0)
    with pytest.raises(InvalidStatus) as refused:
        await call(server)
    response = refused.value.response
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)
    assert json.loads(response.body or b"")["error"]["type"] == "server_error"


async def test_drain_closes_with_the_code_by_which_clients_come_back(server: Any) -> None:
    async with call(server) as client:
        await hear(client, "session.created")
        await server.hub.drain()
        with pytest.raises(ConnectionClosed):
            await hear(client, "error")
        assert client.close_code == 1012


async def test_last_words_are_told_before_a_leaving_gateway_closes(
    server: Any, scribe: Any, until: Until
) -> None:
    """Guards words of clients that begin anew elsewhere: nobody else would tell them."""
    async with call(server) as client:
        await hear(client, "session.created")
        await append(client, bytes(BYTES_A_SECOND))
        await scribe.take()
        draining = asyncio.create_task(server.hub.drain())
        await until(lambda: server.hub.held.draining)
        while not scribe.history or not isinstance(scribe.history[-1], Ended):
            await scribe.step()
            await asyncio.sleep(0.01)
        assert "completed" in {event["type"].rpartition(".")[2] for event in await hear_all(client)}
        assert client.close_code == 1012
        await draining


async def test_a_leaving_gateway_does_not_wait_for_ever(start_server: Any, redis: object) -> None:
    server = await start_server(drain_seconds=2, drain_spread_seconds=0)
    async with call(server) as client:
        await committing(client)
        await append(client, bytes(BYTES_A_SECOND))
        await say(client, "input_audio_buffer.commit")
        await hear(client, "conversation.item.done")
        await server.hub.drain()
        assert [event["type"].rpartition(".")[2] for event in await hear_all(client)] == ["failed"]
        assert client.close_code == 1012


async def test_browsers_hear_their_subprotocol(server: Any) -> None:
    offered = ["realtime", "openai-insecure-api-key.secret", "openai-beta.realtime-v1"]
    async with call(server, subprotocols=offered) as client:
        assert client.subprotocol == "realtime"


async def test_minutes_of_speech_come_in_one_event(server: Any, working: Any) -> None:
    """Guards clients that append a whole recording, as the vendor allows up to 15 MiB of base64."""
    async with call(server) as client:
        await committing(client)
        await append(client, bytes(15 * MIB * 3 // 4))
        await say(client, "input_audio_buffer.commit")
        completed = (await hear(client, COMPLETED))[-1]
        assert completed["usage"]["seconds"] == pytest.approx(15 * MIB * 3 / 4 / BYTES_A_SECOND)
        await client.send(" " * (AUDIO_TEXT_BYTES + 1))
        assert "too large" in (await hear(client, "error"))[-1]["error"]["message"]
        await say(client, "session.update", session={"prompt": "x" * TEXT_BYTES})
        assert "at most" in (await hear(client, "error"))[-1]["error"]["message"]


async def test_long_texts_share_room_until_their_audio_is_in_the_log(
    server: Any, until: Until
) -> None:
    """Guards the process's memory: nobody transcribes, and many append all they may."""
    waited = metrics.BOUNDS_HIT[Bound.UNFINISHED_BYTES]
    before = waited.value
    clients = [await call(server) for _ in range(6)]
    try:
        for client in clients:
            await committing(client)
        event = {"type": "input_audio_buffer.append", "audio": "AAAA" * (15 * MIB // 4)}
        sending = [asyncio.create_task(client.send(json.dumps(event))) for client in clients]
        # Four find room; their audio is more than their logs take. The others wait.
        await until(lambda: waited.value >= before + 2)
        async with call(server) as other:
            await committing(other)
            await append(other, bytes(4800))
            await say(other, "input_audio_buffer.clear")
            await hear(other, "input_audio_buffer.cleared")
        for task in sending:
            task.cancel()
    finally:
        for client in clients:
            client.transport.abort()
