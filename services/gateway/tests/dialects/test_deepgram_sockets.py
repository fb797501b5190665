"""Deepgram's live transcription over real sockets: what its clients send and what they hear."""

from __future__ import annotations

import asyncio
import io
import json
import random
import wave
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.deepgram import LiveDialect

pytestmark = pytest.mark.asgi

Message = dict[str, Any]
RAW = "encoding=linear16&sample_rate=16000"
SECOND = bytes(32_000)
FINALIZE, CLOSE, KEEP = (
    json.dumps({"type": name}) for name in ("Finalize", "CloseStream", "KeepAlive")
)


def call(server: Any, query: str = RAW, **options: Any) -> Any:
    url = f"ws://{server.address}/v1/listen?{query}"
    options = {"proxy": None, "max_queue": None, "compression": None, "max_size": None, **options}
    return connect(url, **options)


async def hear(client: ClientConnection, **wanted: Any) -> list[Message]:
    """Returns the messages up to the next that has some values."""
    messages: list[Message] = []
    async with asyncio.timeout(20):
        while not messages or not wanted.items() <= messages[-1].items():
            messages.append(json.loads(await client.recv()))
    return messages


async def closed(client: ClientConnection) -> tuple[int | None, str | None]:
    """Returns code and reason of the close; what comes before it is passed over."""
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            while True:
                await client.recv()
    return client.close_code, client.close_reason


@pytest_asyncio.fixture
async def working(scribe: Any) -> AsyncIterator[Any]:
    """A transcriber by which each entry is a segment."""
    working = asyncio.create_task(scribe.run())
    yield scribe
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_a_call_from_the_handshake_to_the_close(server: Any, working: Any) -> None:
    async with call(server, f"{RAW}&keyterm=x&model=nova-3") as client:
        headers = client.response.headers
        assert headers["scripta-ignored"] == "keyterm"
        await client.send(SECOND)
        await client.send(FINALIZE)
        messages = await hear(client, from_finalize=True)
        assert messages[0]["metadata"]["request_id"] == headers["dg-request-id"]
        assert all(message["type"] == "Results" for message in messages)
        await client.send(CLOSE)
        metadata = (await hear(client, type="Metadata"))[-1]
        assert metadata["request_id"] == headers["dg-request-id"]
        assert metadata["duration"] == 1.0
        assert await closed(client) == (1000, "")


def two_channels() -> bytes:
    """Returns a WAV of one second, stereo."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(SECOND * 2)
    return file.getvalue()


@pytest.mark.parametrize(
    ("query", "audio"), [(f"{RAW}&channels=2", SECOND * 2), ("", two_channels())]
)
async def test_each_channel_is_a_session_of_its_own(
    server: Any, working: Any, make_scribe: Any, query: str, audio: bytes
) -> None:
    other = asyncio.create_task(make_scribe().run())
    async with call(server, f"{query}&multichannel=true") as client:
        await client.send(audio)
        await client.send(FINALIZE)
        answers = [await hear(client, from_finalize=True, channel_index=[0, 2])]
        if not any(
            each["channel_index"] == [1, 2] and each["from_finalize"] for each in answers[0]
        ):
            answers.append(await hear(client, from_finalize=True, channel_index=[1, 2]))
        await client.send(json.dumps({"type": "Finalize", "channel": 1}))
        await hear(client, from_finalize=True, channel_index=[1, 2])
        await client.send(CLOSE)
        metadata = (await hear(client, type="Metadata"))[-1]
        assert (metadata["channels"], metadata["duration"]) == (2, pytest.approx(1.0, abs=0.01))
        assert await closed(client) == (1000, "")
    await other


async def test_a_call_has_all_its_channels_or_none(start_server: Any, redis: object) -> None:
    """Guards places: a call that is refused for its second channel keeps none for its first."""
    server = await start_server(slots=0, live_wait_seconds=0, max_sessions=3)
    with pytest.raises(InvalidStatus) as refused:
        await call(server, f"{RAW}&channels=2&multichannel=true")
    assert refused.value.response.status_code == 503
    assert server.hub.held.audio_lags() == []


async def test_finalize_is_answered_whatever_there_is(server: Any, working: Any) -> None:
    """Guards pipecat: it waits for the answer before it lets anyone speak."""
    async with call(server) as client:
        for _ in range(3):
            await client.send(FINALIZE)
            await hear(client, type="Results", from_finalize=True)


async def test_close_of_a_call_without_audio(server: Any) -> None:
    async with call(server) as client:
        await client.send(CLOSE)
        (metadata,) = await hear(client, type="Metadata")
        assert metadata["duration"] == 0.0
        assert await closed(client) == (1000, "")


async def test_silence_closes_and_signs_of_life_do_not(
    server: Any, mock_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the close that the packages know, and clients that connect before anyone speaks."""
    monkeypatch.setattr(LiveDialect, "policy", Policy(acks=False, close=1.5, first=1.5))
    async with call(server) as silent, call(server) as alive:

        async def live() -> None:
            for _ in range(12):
                await alive.send(KEEP)
                await asyncio.sleep(0.25)  # the pace of the client

        living = asyncio.create_task(live())
        code, reason = await closed(silent)
        assert code == 1011
        assert reason is not None
        assert "NET-0001" in reason
        await living
        await alive.send(CLOSE)
        await hear(alive, type="Metadata")
        assert await closed(alive) == (1000, "")


@pytest.mark.parametrize("audio", [b"\x1aE\xdf\xa3" + b"\xff" * 4000, b"fLaC" + b"?" * 4000])
async def test_audio_that_can_not_be_decoded_ends_the_call(server: Any, audio: bytes) -> None:
    async with call(server, "") as client:
        await client.send(audio)
        await client.send(FINALIZE)
        code, reason = await closed(client)
        assert code == 1008
        assert reason is not None
        assert reason.startswith("DATA-0000")


NO_AUDIO = {
    "text": b"words, and not a sound among them " * 200,
    "few words": b"no sound",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(5_000),
    "pdf": b"%PDF-1.7 " + bytes(5_000),
    "zip": b"PK\x03\x04\x14\0" + bytes(5_000),
    "noise": random.Random(1).randbytes(50_000),
    "little noise": random.Random(2).randbytes(700),
    "silent samples": SECOND,
    "zeros": bytes(100),
}


@pytest.mark.parametrize("data", NO_AUDIO.values(), ids=NO_AUDIO)
async def test_what_is_no_audio_ends_the_call(server: Any, working: Any, data: bytes) -> None:
    """Bytes of which nobody had said what they are were taken for samples."""
    async with call(server, "") as client:
        for at in range(0, len(data), 4_000):
            await client.send(data[at : at + 4_000])
        await client.send(CLOSE)
        code, reason = await closed(client)
    assert (code, str(reason)[:9]) == (1008, "DATA-0000")


@pytest.mark.parametrize("data", NO_AUDIO.values(), ids=NO_AUDIO)
async def test_what_is_no_recording_is_refused(server: Any, working: Any, data: bytes) -> None:
    """Guards against an answer without words: there was no error for a picture or a text."""
    url = f"http://{server.address}/v1/listen"
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        refused = await http.post(url, content=data)
        heard = await http.post(f"{url}?{RAW}", content=data)
    assert (refused.status_code, heard.status_code) == (400, 200)
    assert refused.json()["err_code"] == "Bad Request"
    assert "send W" in refused.json()["err_msg"]


@pytest.mark.parametrize("rest", [bytes(700), b"TAG" + b"title " * 20, bytes(100_000)])
async def test_what_follows_a_recording_is_no_error(server: Any, working: Any, rest: bytes) -> None:
    """Guards against a refusal for a tag or padding at the end of a file."""
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(SECOND * 3)
    url = f"http://{server.address}/v1/listen"
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        answer = await http.post(url, content=whole.getvalue() + rest)
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["duration"] == 3.0


async def test_audio_that_is_too_large_ends_the_call(server: Any) -> None:
    async with call(server) as client:
        await client.send(bytes(2_000_000))
        assert (await closed(client))[0] == 1008


async def test_refusals_have_the_vendors_form(start_server: Any, redis: object) -> None:
    """Guards the vendors' clients: they give up for good when they are told 429."""
    server = await start_server(slots=0, live_wait_seconds=0)
    for query, status in ((RAW, 503), ("callback=http://127.0.0.1", 400)):
        with pytest.raises(InvalidStatus) as refused:
            await call(server, query)
        response = refused.value.response
        assert response.status_code == status
        assert ("Retry-After" in response.headers) == (status == 503)
        body = json.loads(response.body or b"")
        assert body["request_id"] == response.headers["dg-request-id"]
        assert body["err_code"] in response.headers["dg-error"]


async def test_drain_tells_the_last_words_and_closes_so_that_clients_come_back(
    server: Any, working: Any
) -> None:
    """Guards words of clients that do not come back, and the one for JavaScript, which does."""
    async with call(server) as client:
        await client.send(SECOND)
        await hear(client, type="Results")
        await client.send(SECOND)
        draining = asyncio.create_task(server.hub.drain())
        messages: list[Message] = []
        async with asyncio.timeout(20):
            with suppress(ConnectionClosed):
                while True:
                    messages.append(json.loads(await client.recv()))
        assert [message["type"] for message in messages if message["is_final"]] == ["Results"]
        assert client.close_code == 1012
        await draining


async def test_browsers_hear_their_subprotocol(server: Any) -> None:
    offered = ["token", "secret", "x-deepgram-session-id", "7"]
    async with call(server, subprotocols=offered) as client:
        assert client.subprotocol == "token"


@pytest.mark.parametrize(
    "text",
    [
        "\u202eRTL\u2067\u200f",
        "%ED%A0%80%ED%B0%80",
        "%FF%FE",
        "%F0%9F%91%A9%E2%80%8D",
        "\ufdd0\uffff",
    ],
)
@pytest.mark.parametrize("name", ["replace=size:", "keyterm=", "tag=", "extra=key:"])
async def test_strange_text_in_options_stays_text(
    server: Any, working: Any, name: str, text: str
) -> None:
    """Guards messages that no client could read: lone surrogates, marks of direction, no text."""
    async with call(server, f"{RAW}&{name}{quote(text, safe='%')}") as client:
        await client.send(SECOND)
        await client.send(CLOSE)
        messages = await hear(client, type="Metadata")
        assert await closed(client) == (1000, "")
    said = messages[-1].get("tags", []) + list(messages[-1].get("extra", {}).values())
    assert json.dumps(said, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("option", "status"),
    [
        *((f"{name}=a:%00", 400) for name in ("replace", "tag", "extra")),
        *((f"{name}={'a' * 100_000}", 414) for name in ("replace", "keyterm", "tag", "extra")),
    ],
    ids=lambda value: str(value)[:12],
)
async def test_options_that_nobody_can_take_are_refused(
    server: Any, option: str, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await call(server, f"{RAW}&{option}")
    assert refused.value.response.status_code == status
    assert (refused.value.response.body or b"").strip()
