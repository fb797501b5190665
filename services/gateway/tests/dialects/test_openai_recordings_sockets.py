"""OpenAI's recordings over real sockets: what is posted, and what is answered."""

from __future__ import annotations

import asyncio
import json
import random
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import httpx
import pytest
import pytest_asyncio

from scripta_common.broker import Broker
from scripta_common.fleet import Member
from scripta_common.models import Model
from scripta_common.sessionlog import Roster
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.asgi

PATH = "/v1/audio/transcriptions"
Until = Callable[..., Awaitable[None]]


def wav(seconds: float = 1.0) -> bytes:
    whole = BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(round(32000 * seconds)))
    return whole.getvalue()


@asynccontextmanager
async def client(server: Any) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://{server.address}"
    async with httpx.AsyncClient(trust_env=False, base_url=url, timeout=20) as http:
        yield http


async def post(server: Any, file: bytes, path: str = PATH, **fields: str) -> httpx.Response:
    async with client(server) as http:
        return await http.post(path, data=fields, files={"file": ("a.wav", file)})


@pytest_asyncio.fixture
async def fleet(shared_broker: BrokerProcess, redis: object, start_server: Any) -> Any:
    """A gateway that knows which models there are."""
    broker = Broker(shared_broker.url, name="stand-in")
    served = (
        Model(("moonshine", "moonshine-tiny-en"), ("en",), interims=True, word_times=True),
        Model(("whisper", "tiny.en"), ("en",), interims=False, word_times=True),
        Model(("whisper", "base"), ("de", "en"), interims=False, word_times=True),
    )
    names = tuple(name for model in served for name in model.names)
    member = Member("default", names, ("de", "en"), 4, served=served)
    await Roster(broker).enlist("tr", member)
    await broker.aclose()
    return await start_server(slots=0)


def error_of(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


async def test_a_recording_becomes_its_transcript(server: Any, mock_worker: Any) -> None:
    response = await post(server, wav(), model="whisper-1", prompt="names")
    assert response.status_code == 200
    assert response.json()["text"]
    assert response.json()["usage"] == {"type": "duration", "seconds": 1.0}
    assert response.headers["scripta-ignored"] == "prompt"


async def test_a_stream_comes_in_events(server: Any, mock_worker: Any) -> None:
    response = await post(server, wav(5), stream="true")
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in response.text.split("\n\n") if line]
    said = "".join(event["delta"] for event in events[:-1])
    assert len(events) > 2
    assert (events[-1]["type"], events[-1]["text"]) == ("transcript.text.done", said)


@pytest.mark.parametrize(
    ("file", "word"),
    [
        (b"%PDF-1.7 " + bytes(5000), "audio"),
        (b"no audio at all, only words " * 900, "audio"),
        (random.Random(1).randbytes(50_000), "audio"),
        (b"", "recording"),
    ],
    ids=["pdf", "words", "noise", "empty"],
)
async def test_what_is_no_recording_is_refused(
    server: Any, mock_worker: Any, file: bytes, word: str
) -> None:
    """Guards transcripts of pictures: what was not recognised was taken for samples."""
    response = await post(server, file)
    assert response.status_code == 400
    assert word in error_of(response)["message"]


async def test_no_form_is_refused(server: Any, mock_worker: Any) -> None:
    async with client(server) as http:
        response = await http.post(PATH, content=wav())
    assert response.status_code == 400
    assert "multipart" in error_of(response)["message"]


async def test_an_unknown_model_is_refused(fleet: Any) -> None:
    response = await post(fleet, wav(), model="nobody-has-this")
    assert response.status_code == 404
    assert error_of(response)["code"] == "model_not_found"
    assert (await post(fleet, wav(), language="fr", model="whisper-1")).status_code == 400


async def test_full_is_503_with_a_time_to_come_back(start_server: Any, redis: object) -> None:
    server = await start_server(slots=0, max_waiting=0)
    response = await post(server, wav())
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    error_of(response)


async def test_translations_are_refused_and_say_where_to_go(server: Any) -> None:
    response = await post(server, wav(30), path="/v1/audio/translations", model="whisper-1")
    assert response.status_code == 404
    assert PATH in error_of(response)["message"]


async def test_models_are_those_of_the_fleet_and_the_vendors(fleet: Any) -> None:
    async with client(fleet) as http:
        names = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
        assert {"moonshine", "whisper-1", "gpt-4o-transcribe"} <= set(names)
        one = (await http.get("/v1/models/moonshine")).json()
        assert (one["id"], one["object"]) == ("moonshine", "model")
        assert (one["languages"], one["interims"], one["word_times"]) == (["en"], True, True)
        # The first that speaks a session's language: what they have in common is said of it.
        either = (await http.get("/v1/models/whisper")).json()
        assert (either["languages"], either["interims"]) == (["de", "en"], False)
        assert "languages" not in (await http.get("/v1/models/whisper-1")).json()
        missing = await http.get("/v1/models/nobody-has-this")
    assert missing.status_code == 404
    assert error_of(missing)["code"] == "model_not_found"


async def test_a_client_that_leaves_ends_its_session(
    server: Any, mock_worker: Any, until: Until
) -> None:
    """Guards slots: a session without a client kept one for as long as it was let."""

    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        yield wav(60)
        await asyncio.Event().wait()

    async with client(server) as http:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        posting = asyncio.create_task(http.post(PATH, content=endless(), headers=headers))
        await until(lambda: server.hub.held.audio_lags())
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        await until(lambda: not server.hub.held.audio_lags())
