"""A thousand damaged messages a dialect: each is answered in its form, and nobody else is hurt."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from scripta_gateway.dialects.wyoming.events import Events
from scripta_local.broker import Broker as BrokerProcess
from scripta_local.ports import free_port

pytestmark = [pytest.mark.asgi, pytest.mark.slow]

COUNT = 1000
SEED = 14
SPOKEN = bytes(3200)
PIECES = ('"', "{", "}", "[", "]", "null", "-1", "1e999", "\\u0000", "\\ud800", "é", ":", ",")
NOTICED_SECONDS = 5.0
"""More than a neighbour waits for its words where it is not held up."""


class Damage:
    """Damaged messages, the same ones every time."""

    def __init__(self, *whole: str) -> None:
        self._dice = random.Random(SEED)
        self._whole = whole

    def text(self) -> str:
        """Returns one of the messages with a part of it cut out and something else in its place."""
        whole = self._dice.choice(self._whole)
        at, length = self._dice.randrange(len(whole)), self._dice.randrange(24)
        pieces = "".join(self._dice.choices(PIECES, k=self._dice.randrange(4)))
        return whole[:at] + pieces + whole[at + length :]

    def frame(self) -> str | bytes:
        """Returns such a message, or bytes that are nothing."""
        if self._dice.random() < 0.1:
            return self._dice.randbytes(self._dice.randrange(64))
        return self.text()

    def body(self, whole: bytes) -> bytes:
        """Returns a body with a few bytes near its beginning changed."""
        body = bytearray(whole)
        for _ in range(self._dice.randint(1, 6)):
            at = self._dice.randrange(min(len(body), 600))
            body[at : at + self._dice.randint(0, 3)] = self._dice.choice(
                (b"", b"\r\n", b"\0", b"--", b'"', self._dice.randbytes(2))
            )
        return bytes(body)

    def chosen(self, among: Sequence[str]) -> str:
        return self._dice.choice(among)


@pytest_asyncio.fixture
async def gateway(
    shared_broker: BrokerProcess, redis: object, offer_slots: Any, start_server: Any
) -> Any:
    """A gateway that knows which models there are, with a port for each dialect."""
    await offer_slots(shared_broker.url, 400, models=("moonshine",))
    wyoming_port = free_port()
    server = await start_server(slots=0, vosk_port=free_port(), wyoming_port=wyoming_port)
    server.wyoming_port = wyoming_port
    return server


@pytest_asyncio.fixture(autouse=True)
async def neighbour(
    gateway: Any, mock_worker: object, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[None]:
    """Somebody who speaks all the while, and hears each word in time; nothing logs a traceback."""
    caplog.set_level(logging.WARNING)
    heard = 0

    async def speak() -> None:
        nonlocal heard
        async with gateway.connect() as client:
            while True:
                await client.send(SPOKEN)
                async with asyncio.timeout(NOTICED_SECONDS):
                    while "text" not in json.loads(await client.recv()):
                        pass
                heard += 1
                await asyncio.sleep(0.05)

    speaking = asyncio.create_task(speak())
    yield
    assert not speaking.done(), speaking.exception()
    speaking.cancel()
    await asyncio.wait([speaking])
    assert heard >= 10
    assert [record for record in caplog.records if record.exc_info] == []
    assert "Traceback" not in caplog.text


def call(gateway: Any, path: str) -> Any:
    url = f"ws://{gateway.address}{path}"
    return connect(url, proxy=None, max_queue=None, max_size=None)


async def hear(client: ClientConnection, **wanted: Any) -> list[dict[str, Any]]:
    """Returns the messages up to the next that has some values."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not messages or not wanted.items() <= messages[-1].items():
            messages.append(json.loads(await client.recv()))
    return messages


async def test_deepgram(gateway: Any) -> None:
    damage = Damage(
        '{"type":"Configure","channel":0,"keyterms":["a","b"],"features":{"numerals":true}}',
        '{"type":"Finalize","channel":0}',
    )
    kinds = {"Error", "ConfigureSuccess", "ConfigureFailure", "Results", "Metadata"}
    heard: list[dict[str, Any]] = []
    async with call(gateway, "/v1/listen?encoding=linear16&sample_rate=16000") as client:
        for _ in range(COUNT):
            await client.send(damage.frame())
        await client.send(SPOKEN)
        await client.send('{"type":"CloseStream"}')
        with suppress(ConnectionClosed):
            async with asyncio.timeout(30):
                while True:
                    heard.append(json.loads(await client.recv()))
    assert client.close_code == 1000
    assert {message["type"] for message in heard} == kinds
    assert sum(message["type"] == "Error" for message in heard) > COUNT // 2


async def test_openai_realtime(gateway: Any) -> None:
    """On several connections: so many refusals in a row would end one."""
    damage = Damage(
        json.dumps(
            {"type": "session.update", "event_id": "e", "session": {"audio": {"input": {
                "format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None,
                "transcription": {"model": "whisper-1", "languages": ["en"]}}}}}
        ),
        '{"type":"input_audio_buffer.append","audio":"AAAAAAAAAAAAAAAAAAAAAAAA"}',
    )  # fmt: skip
    own = ("error", "session.", "input_audio_buffer.", "conversation.item.")
    for _ in range(5):
        async with call(gateway, "/v1/realtime?intent=transcription") as client:
            for _ in range(COUNT // 100):
                for _ in range(20):
                    await client.send(damage.frame())
                await client.send('{"type":"input_audio_buffer.clear"}')
                heard = await hear(client, type="input_audio_buffer.cleared")
                assert all(event["type"].startswith(own) for event in heard)


async def test_vosk(gateway: Any) -> None:
    damage = Damage(
        '{"config":{"sample_rate":16000,"words":true,"max_alternatives":2,"model":"m"}}',
        '{"reset":1}',
    )
    own = {"partial", "text", "result", "alternatives", "error"}
    for _ in range(COUNT // 50):
        replies: list[dict[str, Any]] = []
        async with call(gateway, "/vosk") as client:
            with suppress(ConnectionClosed):  # what is damaged may be the end of the stream
                for _ in range(50):
                    await client.send(damage.frame())
                await client.send('{"eof":1}')
            with suppress(ConnectionClosed):
                async with asyncio.timeout(20):
                    while True:
                        replies.append(json.loads(await client.recv()))
        assert client.close_code == 1000
        assert replies
        assert all(reply.keys() <= own for reply in replies)


async def test_wyoming(gateway: Any) -> None:
    """Bytes that are no event end their connection: each has one of its own."""
    form = '"data":{"rate":16000,"width":2,"channels":1}'
    whole = (
        '{"type":"ping","data":{"text":"a"}}\n{"type":"transcribe","data":{"language":"en"}}\n'
        f'{{"type":"audio-start",{form}}}\n'
        f'{{"type":"audio-chunk",{form},"payload_length":64}}\n{"a" * 64}'
        '{"type":"audio-stop"}\n'
    )
    damage = Damage(whole)
    own = {
        "error",
        "pong",
        "info",
        *(f"transcript{end}" for end in ("", "-start", "-chunk", "-stop")),
    }

    async def attack() -> None:
        for _ in range(COUNT // 10):
            data = damage.body(damage.text().encode())
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.wyoming_port)
            writer.write(data)
            writer.write_eof()
            async with asyncio.timeout(20):
                heard = list(Events(4096).feed(await reader.read()))
            writer.close()
            assert heard, data
            assert {event.type for event in heard} <= own, data

    await asyncio.gather(*(attack() for _ in range(10)))


def wav() -> bytes:
    whole = BytesIO()
    with wave.open(whole, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(SPOKEN)
    return whole.getvalue()


def client_of(gateway: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, base_url=f"http://{gateway.address}", timeout=20)


async def test_openai_recordings(gateway: Any) -> None:
    request = httpx.Request(
        "POST", "http://x/", data={"model": "whisper-1"}, files={"file": ("a.wav", wav())}
    )
    whole, headers = request.read(), {"content-type": request.headers["content-type"]}
    damage, seen = Damage("unused"), set()

    async def attack(http: httpx.AsyncClient) -> None:
        for _ in range(COUNT // 8):
            body = damage.body(whole)
            answer = await http.post("/v1/audio/transcriptions", content=body, headers=headers)
            seen.add(answer.status_code)
            if answer.status_code != 200:
                error = answer.json()["error"]
                assert isinstance(error["message"], str)
                assert error.keys() >= {"type", "param", "code"}

    async with client_of(gateway) as http:
        await asyncio.gather(*(attack(http) for _ in range(8)))
    assert seen == {200, 400, 404}


async def test_deepgram_recordings(gateway: Any) -> None:
    bodies = {"audio/wav": wav(), "application/json": b'{"url":"http://127.0.0.1:1/a.wav"}'}
    damage = Damage(
        "model=nova-3&smart_format=true&utterances=true&utt_split=0.8&multichannel=true",
        "encoding=linear16&sample_rate=16000&channels=2&redact=pci&replace=a:b&language=en",
    )
    seen: set[int] = set()

    async def attack(http: httpx.AsyncClient) -> None:
        for _ in range(COUNT // 8):
            kind = damage.chosen((*bodies, "audio/wav"))
            answer = await http.post(
                f"/v1/listen?{quote(damage.text(), safe='=&:')}",
                content=damage.body(bodies[kind]),
                headers={"content-type": kind},
            )
            seen.add(answer.status_code)
            if answer.status_code == 200:
                assert answer.json()["results"]["channels"]
            else:
                assert answer.json().keys() == {"err_code", "err_msg", "request_id"}

    async with client_of(gateway) as http:
        await asyncio.gather(*(attack(http) for _ in range(8)))
    assert {200, 400} <= seen <= {200, 400, 404}
