"""Calls whose gateway goes: what their clients hear of it, by the scripted transcriber."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from scripta_common.errors import Draining
from scripta_common.wire import Ended, Entry, EntryKind, Final, Interim, Reason
from scripta_gateway.calls.leaving import Leaving
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.wyoming.events import Events
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]
PIECE = bytes(3200)
"""Short enough to be one entry of the log."""

QUERY = "encoding=linear16&sample_rate=16000&interim_results=true"
FORM = {"rate": 16_000, "width": 2, "channels": 1}


def event(kind: str, payload: bytes = b"") -> bytes:
    """Returns an event of Wyoming's."""
    header = {"type": kind, "data": FORM, "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + payload


async def told(client: ClientConnection, kind: str) -> dict[str, Any]:
    """Returns the next message of a kind."""
    async with asyncio.timeout(20):
        while True:
            message: dict[str, Any] = json.loads(await client.recv())
            if message.get("type") == kind:
                return message


async def all_told(client: ClientConnection) -> list[dict[str, Any]]:
    """Returns the messages up to the close."""
    messages = []
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            while True:
                messages.append(json.loads(await client.recv()))
    return messages


async def drain(server: Any, until: Until) -> asyncio.Task[None]:
    draining = asyncio.create_task(server.hub.drain())
    await until(lambda: server.hub.held.draining)
    return draining


async def logged(scribe: Any, count: int) -> list[EntryKind]:
    """Waits for so many entries; returns what they are."""
    entries: list[Entry] = []
    async with asyncio.timeout(20):
        while len(entries) < count:
            await asyncio.sleep(0.01)
            entries = await scribe.log.read(scribe.claim.sid, 0, 100)
    return [entry.kind for entry in entries]


async def test_call_is_ended_where_its_speaker_pauses(
    start_server: Any, redis: object, scribe: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards words that were cut in two, and those that were sent while the last were heard."""
    monkeypatch.setattr("scripta_gateway.calls.leaving.PAUSE_SECONDS", 60)
    server = await start_server(drain_seconds=60)
    async with connect(f"ws://{server.address}/v1/listen?{QUERY}", proxy=None) as client:
        await client.send(PIECE)
        await scribe.take()
        await scribe.log.ring_interim(scribe.claim, Interim(0.0, 0.1, "so far"))
        await told(client, "Results")
        draining = await drain(server, until)
        await client.send(PIECE)  # it is taken while somebody speaks
        assert await logged(scribe, 2) == [EntryKind.AUDIO] * 2
        for entry in await scribe.log.read(scribe.claim.sid, 0, 2):
            final = Final(entry.seq, 0.0, entry.seq, f"entry {entry.seq}", Reason.ENDPOINT)
            await scribe.commit(entry, [final])
        await scribe.work(until_seq=3)
        assert isinstance(scribe.history[-1], Ended)
        finals = [message for message in await all_told(client) if message["is_final"]]
    assert [each["channel"]["alternatives"][0]["transcript"] for each in finals] == [
        "entry 1",
        "entry 2",
    ]
    assert client.close_code == 1012
    await draining


async def test_speaker_without_a_pause_does_not_keep_the_gateway(
    server: Any, scribe: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripta_gateway.calls.leaving.PAUSE_SECONDS", 0.2)
    async with connect(f"ws://{server.address}/v1/listen?{QUERY}", proxy=None) as client:
        await client.send(PIECE)
        await scribe.take()
        await scribe.log.ring_interim(scribe.claim, Interim(0.0, 0.1, "so far"))
        await told(client, "Results")
        draining = await drain(server, until)
        assert await logged(scribe, 2) == [EntryKind.AUDIO, EntryKind.END]
        await scribe.work(until_seq=2)
        assert [each["is_final"] for each in await all_told(client)] == [True]
    assert client.close_code == 1012
    await draining


async def test_client_that_ends_its_stream_meanwhile_gets_all(
    server: Any, scribe: Any, until: Until
) -> None:
    async with connect(f"ws://{server.address}/v1/listen?{QUERY}", proxy=None) as client:
        await client.send(PIECE)
        await scribe.take()
        await scribe.log.ring_interim(scribe.claim, Interim(0.0, 0.1, "so far"))
        await told(client, "Results")
        draining = await drain(server, until)
        await client.send('{"type":"CloseStream"}')
        await scribe.work(until_seq=2)
        assert (await all_told(client))[-1]["type"] == "Metadata"
    assert client.close_code == 1000
    await draining


async def test_vosk_hears_its_last_words(
    start_server: Any, redis: object, scribe: Any, until: Until
) -> None:
    """Guards a client in lockstep: what waits for the next reply is told with the goodbye."""
    server = await start_server(vosk_port=free_port())
    async with connect(f"ws://{server.address}/vosk", proxy=None) as client:
        await client.send('{"config": {"sample_rate": 16000}}')
        await client.send(PIECE)
        assert json.loads(await client.recv()) == {"partial": ""}
        await scribe.take()
        draining = await drain(server, until)
        await logged(scribe, 2)
        await scribe.work(until_seq=2)
        assert [message["text"] for message in await all_told(client)] == ["entry 1"]
    assert client.close_code == 1012
    await draining


async def test_utterance_of_wyoming_is_heard_to_its_end(
    start_server: Any, redis: object, scribe: Any, until: Until
) -> None:
    """Guards clients that never say it again: what they speak to goes in the middle of it."""
    port = free_port()
    server = await start_server(wyoming_port=port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(event("audio-chunk", PIECE))
    await scribe.take()
    draining = await drain(server, until)
    writer.write(event("audio-chunk", PIECE) + event("audio-stop"))
    await scribe.work(until_seq=3)
    events = list(Events(4096).feed(await asyncio.wait_for(reader.read(), 20)))
    writer.close()
    assert [event.data["text"] for event in events if event.type == "transcript"] == [
        "entry 1 entry 2"
    ]
    await draining


async def test_pause_is_when_nobody_speaks_on_any_channel() -> None:
    farewell, ended = Draining("goes"), asyncio.Event()

    async def end(why: Draining) -> None:
        assert why is farewell
        ended.set()

    leaving = Leaving(Policy(last_words=True), end, 5.0)
    leaving.guessed(0, Interim(0.0, 1.0, "one"))
    leaving.guessed(1, Interim(0.0, 1.0, "another"))
    running = asyncio.create_task(leaving.run())
    leaving.begin(farewell)
    leaving.begin(Draining("of another channel"))
    leaving.decided(1)
    await asyncio.sleep(0)
    assert not ended.is_set()
    leaving.decided(0)
    await asyncio.wait_for(running, 1)
    assert ended.is_set()


def test_client_that_can_come_back_is_sent_away_at_once() -> None:
    async def end(why: Draining) -> None:
        raise AssertionError("there is nothing to end")

    with pytest.raises(Draining, match="goes"):
        Leaving(Policy(), end, 5.0).begin(Draining("goes"))
