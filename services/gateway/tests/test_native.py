"""The native dialect over real sockets: what clients send and what they hear."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from native_frames_heard import MAX, hear, hear_all, split
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common.sessionlog import SessionOptions
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_transcriber.engines.base import Capabilities, Segment, Segmentation, Transcript

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]


class Broken:
    """An engine that speaks English, and fails on messages of 13 bytes."""

    name = "broken"
    capabilities = Capabilities(frozenset({"en"}), Segmentation.MESSAGE, interims=False)

    def load(self) -> None: ...

    def transcribe(self, segment: Segment) -> Transcript:
        if segment.message_bytes == 13:
            raise RuntimeError("the engine fell over")
        return Transcript(f"{segment.message_bytes} bytes")

    draft = transcribe


async def test_every_message_is_acknowledged_and_transcribed_in_order(
    server: Any, mock_worker: Any
) -> None:
    sizes = [1, 2, 1024, 3, 200_000, MAX]
    async with server.connect() as client:
        for size in sizes:
            await client.send(b"\1" * size)
        await client.send('{"type":"end"}')
        acks, transcripts = split(await hear_all(client))
    assert acks == sizes
    assert [frame["index"] for frame in transcripts] == list(range(1, len(sizes) + 1))
    for size, frame in zip(sizes, transcripts, strict=True):
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        assert re.fullmatch(rf"Transcribed: {stamp} \(size: {size} bytes\)", frame["text"])
    assert client.close_code == 1000


async def test_transcript_has_exactly_the_documented_names(server: Any, mock_worker: Any) -> None:
    async with server.connect() as client:
        await client.send(bytes(3200))
        frames = await hear(client, 2)
    assert frames[0] == {"status": "received", "size": 3200}
    assert frames[1].keys() == {
        "client_id",
        "text",
        "status",
        "index",
        "start",
        "end",
        "reason",
        "words",
        "words_estimated",
        "confidence",
        "language",
    }
    assert (frames[1]["start"], frames[1]["end"]) == (0.0, 0.1)


async def test_finalize_is_answered_by_one_transcript_even_of_nothing(
    server: Any, scribe: Any
) -> None:
    working = asyncio.create_task(scribe.run())
    async with server.connect() as client:
        await client.send('{"type":"finalize"}')
        [frame] = await hear(client)
        assert (frame["status"], frame["reason"], frame["index"]) == ("transcript", "finalize", 1)
        await client.send('{"type":"end"}')
        assert await hear_all(client) == []
    await asyncio.wait_for(working, 5)


async def test_end_brings_what_is_owed_then_1000(server: Any, scribe: Any) -> None:
    async with server.connect("events=true") as client:
        for _ in range(3):
            await client.send(bytes(3200))
        await client.send('{"type":"end"}')
        await client.send('{"type":"end"}')
        await client.send('{"type":"finalize"}')
        opened, *acks = await hear(client, 4)
        await client.send(b"more")
        [refusal] = await hear(client)
        assert refusal["status"] == "error"
        assert "ended" in refusal["error"]
        working = asyncio.create_task(scribe.run())
        *transcripts, ended = await hear_all(client)
    assert opened["status"] == "session"
    assert [frame["size"] for frame in acks] == [3200] * 3
    assert [frame["index"] for frame in transcripts] == [1, 2, 3]
    assert ended == {"status": "ended", "duration": 0.3}
    assert client.close_code == 1000
    await asyncio.wait_for(working, 5)


async def test_client_that_goes_on_sending_after_the_end_gets_a_clean_close(
    server: Any, mock_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.connect() as client:
        await client.send(b"ab")
        await client.send('{"type":"end"}')
        with suppress(ConnectionClosed):
            for _ in range(2000):
                await client.send(b"ab")
        await hear_all(client)
        assert client.close_code == 1000
    assert "connection failed" not in caplog.text


async def test_events_come_only_when_asked_for_and_in_order(server: Any, mock_worker: Any) -> None:
    async with server.connect("events=true") as client, server.connect() as plain:
        for each in (client, plain):
            await each.send(bytes(320))
            await each.send('{"type":"end"}')
        frames, plainly = await hear_all(client), await hear_all(plain)
        headers = client.response.headers
    assert ResumeToken.parse(frames[0].pop("token")).sid == headers["scripta-session"]
    assert frames[0] == {
        "status": "session",
        "session": headers["scripta-session"],
        "client_id": int(headers["scripta-client-id"]),
        "resumed": False,
        "received": 0,
        "resume_seconds": server.hub.held.resume_seconds,
    }
    assert sorted(frame["status"] for frame in frames[1:-1]) == ["received", "transcript"]
    assert frames[-1] == {"status": "ended", "duration": 0.01}
    assert sorted(frame["status"] for frame in plainly) == ["received", "transcript"]


async def test_clients_never_hear_each_others_transcripts(
    start_server: Any, server: Any, mock_worker: Any
) -> None:
    servers = [server, await start_server()]

    async def talk(number: int) -> tuple[str, int]:
        sizes = [1000 * number + turn for turn in range(1, 21)]
        async with servers[number % 2].connect() as client:
            client_id = int(client.response.headers["scripta-client-id"])
            for size in sizes:
                await client.send(bytes(size))
            await client.send('{"type":"end"}')
            acks, transcripts = split(await hear_all(client, 30))
        assert acks == sizes
        assert [int(re.findall(r"size: (\d+)", f["text"])[0]) for f in transcripts] == sizes
        assert {frame["client_id"] for frame in transcripts} == {client_id}
        return client.response.headers["scripta-session"], client_id

    ids = await asyncio.gather(*(talk(number) for number in range(10)))
    assert len({sid for sid, _ in ids}) == len({number for _, number in ids}) == 10
    assert all(0 < number <= 2**53 - 1 for _, number in ids)


@pytest.mark.parametrize(
    "query",
    [
        *("sample_rate=1", "encoding=opus", "channels=9", "endpointing=1"),
        *("max_segment=15", "language=.."),
    ],
)
async def test_bad_query_is_refused_with_400(server: Any, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(query)
    response = refused.value.response
    assert response.status_code == 400
    body = json.loads(response.body)
    assert body.keys() == {"status", "error"}
    assert body["status"] == "error"
    assert query.partition("=")[0] in body["error"]
    assert response.headers["content-type"] == "application/json"


async def test_unknown_query_names_are_tolerated_and_told(server: Any, mock_worker: Any) -> None:
    """Guards whoever writes a name wrong: nothing said that it had no effect."""
    query = "tier=nova&client_id=3&sample_rate=16000&interim_result=true"
    async with server.connect(query) as client:
        await client.send(b"ab")
        assert (await hear(client))[0] == {"status": "received", "size": 2}
        assert client.response.headers["scripta-ignored"] == "tier, client_id, interim_result"
    async with server.connect("events=true&tier=nova&%C3%A4=1&" + "x" * 41 + "=1") as client:
        assert (await hear(client))[0]["ignored"] == ["tier"]
    async with server.connect("events=true") as client:
        assert "scripta-ignored" not in client.response.headers
        assert "ignored" not in (await hear(client))[0]


async def test_what_the_client_asked_for_reaches_the_transcriber(server: Any, scribe: Any) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    query = "language=en-GB&interim_results=true&endpointing=250&max_segment=4000&word_times=false"
    async with server.connect(query, additional_headers={"traceparent": parent}) as client:
        await client.send(b"ab")
        await scribe.take()
        client_id = int(client.response.headers["scripta-client-id"])
    assert scribe.claim.options == SessionOptions(
        "en-GB", True, 250, parent, client_id, max_segment_ms=4000, word_times=False
    )


async def test_language_that_the_engine_does_not_speak_is_closed_with_1008(
    server: Any, start_worker: Any, redis: Any
) -> None:
    await start_worker(engine=Broken())
    async with server.connect("language=de") as client, server.connect("language=en-GB") as other:
        await client.send(b"ab")
        *_, frame = await hear_all(client)
        assert (frame["status"], frame["code"]) == ("error", "unsupported_language")
        assert "'de'" in frame["error"]
        assert client.close_code == 1008
        await other.send(b"ab")
        assert (await hear(other, 2))[1]["text"] == "2 bytes"


async def test_failing_engine_ends_its_session_with_1011_and_no_other(
    server: Any, start_worker: Any, redis: Any
) -> None:
    await start_worker(engine=Broken())
    async with server.connect() as other, server.connect() as client:
        await client.send(bytes(2))
        await hear(client, 2)
        await client.send(bytes(13))
        frames = await hear_all(client)
        assert frames[-1]["code"] == "engine_failure"
        assert frames[-1].keys() == {"status", "error", "code"}
        assert client.close_code == 1011
        await other.send(bytes(14))
        assert (await hear(other, 2))[1]["text"] == "14 bytes"


async def test_fast_sender_is_held_back_by_missing_acknowledgements(
    start_server: Any, redis: Any, scribe: Any
) -> None:
    server = await start_server(backlog_seconds=35)
    async with server.connect() as client:
        for _ in range(40):
            await client.send(bytes(32_000))
        await client.send('{"type":"end"}')
        assert split(await hear(client, 35))[0] == [32_000] * 35
        with pytest.raises(TimeoutError):
            await hear(client, seconds=0.3)
        working = asyncio.create_task(scribe.run())
        acks, transcripts = split(await hear_all(client))
    assert acks == [32_000] * 5
    assert [frame["index"] for frame in transcripts] == list(range(1, 41))
    await asyncio.wait_for(working, 5)


async def test_client_that_vanishes_leaves_its_neighbours_and_an_ended_stream(
    server: Any, scribe: Any, mock_worker: Any, until: Until
) -> None:
    async with server.connect() as neighbour:
        client = await server.connect()
        await client.send(b"ab")
        await hear(client, 2)
        client.transport.abort()
        await until(lambda: len(server.hub.held.by_id) == 1)
        await neighbour.send(b"ab")
        await neighbour.send('{"type":"end"}')
        assert [len(part) for part in split(await hear_all(neighbour))] == [1, 1]
    await until(lambda: not server.hub.held.by_id)
    await until(lambda: not mock_worker._tasks)
