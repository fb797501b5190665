"""Callers over their limits, at every endpoint: refused, or ended, in the dialect's own form."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common import keys
from scripta_common.usage import day_of, total_field
from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.access.keyfile import digest
from scripta_gateway.telemetry import metrics
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

LIMITS = ("sessions", "sessions_a_minute", "audio_seconds_a_day")
KEYS = {name: secrets.token_urlsafe(32) for name in (*LIMITS, "upload_bytes", "small_day", "one")}
LARGEST = 5000
WEBSOCKETS = ("/ws", "/vosk", "/v1/listen", "/v1/realtime?intent=transcription")
POSTS = ("/v1/listen", "/v1/audio/transcriptions")


@pytest_asyncio.fixture
async def guarded(redis: object, start_server: Callable[..., Any], tmp_path: Path) -> Any:
    """A gateway with a key over each limit, one of a tenant with a day of 10 s, and others."""
    own = {name: {name: 0} for name in LIMITS}
    own |= {"upload_bytes": {"upload_bytes": LARGEST}, "small_day": {}, "one": {"sessions": 1}}
    entries = [
        {"id": name, "tenant": "day" if name == "small_day" else "acme", "hash": digest(key)}
        | {"limits": own[name]}
        for name, key in KEYS.items()
    ]
    path = tmp_path / "keys.json"
    tenants = {
        "day": {"limits": {"audio_seconds_a_day": 10}},
        "anonymous": {"limits": {"sessions": 0}},
    }
    path.write_text(json.dumps({"keys": entries, "tenants": tenants}), "utf-8")
    wyoming = free_port()
    server = await start_server(keys_file=str(path), vosk_port=free_port(), wyoming_port=wyoming)
    server.wyoming = wyoming
    return server


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name]}"}


def assert_own_form(path: str, body: dict[str, Any], status: int, limit: str) -> None:
    if path.startswith("/v1/listen"):
        assert body["err_code"] == ("TOO_MANY_REQUESTS" if status == 429 else "TOO_LARGE")
        said = body["err_msg"]
    elif path.startswith(("/ws", "/vosk")):
        said = body["error"]
    else:
        assert body["error"]["code"] == ("rate_limit_exceeded" if status == 429 else "too_large")
        said = body["error"]["message"]
    assert f"The limit {limit} of this key is {0 if status == 429 else LARGEST} " in said


@pytest.mark.parametrize("path", WEBSOCKETS)
@pytest.mark.parametrize("limit", LIMITS)
async def test_handshake_over_a_limit(
    guarded: Any, mock_worker: Any, path: str, limit: str
) -> None:
    before = metrics.OVER_LIMIT[limit].value
    with pytest.raises(InvalidStatus) as refused:
        await guarded.connect_to(path, additional_headers=bearer(limit))
    response = refused.value.response
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert_own_form(path, json.loads(response.body), 429, limit)
    assert metrics.OVER_LIMIT[limit].value == before + 1


async def post(server: Any, path: str, key: str, *, size: int, chunked: bool = False) -> Any:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 1000):
            yield bytes(1000)

    url, headers = f"http://{server.address}{path}", bearer(key)
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        if path == "/v1/listen":
            form = {"encoding": "linear16", "sample_rate": "16000"}
            content: Any = pieces() if chunked else bytes(size)
            return await client.post(url, content=content, headers=headers, params=form)
        if chunked:
            whole = httpx.Request("POST", url, files={"file": ("a.wav", bytes(size))})
            body = whole.read()
            headers["Content-Type"] = whole.headers["content-type"]

            async def parts() -> AsyncIterator[bytes]:
                for at in range(0, len(body), 1000):
                    yield body[at : at + 1000]

            return await client.post(url, content=parts(), headers=headers)
        files = {"file": ("a.wav", bytes(size))}
        return await client.post(url, files=files, headers=headers)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("limit", LIMITS)
async def test_recording_over_a_limit(
    guarded: Any, mock_worker: Any, path: str, limit: str
) -> None:
    response = await post(guarded, path, limit, size=1000)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert_own_form(path, response.json(), 429, limit)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("chunked", [False, True])
async def test_recording_that_is_too_large_for_its_key(
    guarded: Any, mock_worker: Any, path: str, chunked: bool
) -> None:
    response = await post(guarded, path, "upload_bytes", size=100_000, chunked=chunked)
    assert response.status_code == 413
    assert_own_form(path, response.json(), 413, "upload_bytes")


async def test_recording_that_is_as_large_as_it_may_be(guarded: Any, mock_worker: Any) -> None:
    for chunked in (False, True):
        response = await post(guarded, "/v1/listen", "upload_bytes", size=LARGEST, chunked=chunked)
        assert response.status_code == 200


async def test_client_that_can_show_no_key_is_held_to_the_anonymous_tenant(guarded: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.wyoming)
    async with asyncio.timeout(10):
        said = await reader.read()
    assert b"sessions of this tenant is 0" in said
    writer.close()


async def test_session_over_the_day_gets_all_that_was_accepted_and_then_the_error(
    guarded: Any, mock_worker: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded.hub._quotas, "_round", 0.2)
    async with guarded.connect("events=true", additional_headers=bearer("small_day")) as client:
        await client.send(b"ab" * 160)
        async with asyncio.timeout(10):
            while json.loads(await client.recv())["status"] != "transcript":
                pass
        today = day_of((await redis.time())[0])
        await redis.hset(keys.usage("day", today), total_field(), 10 * SAMPLE_RATE)
        accepted = finals = 0
        frames: list[dict[str, Any]] = []
        sending = asyncio.create_task(_send_on(client))
        async with asyncio.timeout(20):
            try:
                while True:
                    frames.append(json.loads(await client.recv()))
            except ConnectionClosed:
                pass
        sending.cancel()
        accepted = sum(frame["status"] == "received" for frame in frames)
        finals = sum(frame["status"] == "transcript" for frame in frames)
        assert frames[-1]["code"] == "over_limit"
        assert "audio_seconds_a_day of this tenant is 10 " in frames[-1]["error"]
        assert client.close_code == 1008
        assert finals == accepted
    with pytest.raises(InvalidStatus) as refused:
        await guarded.connect(additional_headers=bearer("small_day"))
    assert refused.value.response.status_code == 429


async def _send_on(client: Any) -> None:
    while True:
        await client.send(b"ab" * 160)
        await asyncio.sleep(0.05)


async def test_session_that_ends_makes_room_at_once(guarded: Any, mock_worker: Any) -> None:
    """Guards clients that open their next session as soon as the one before is closed."""
    for _ in range(10):
        async with guarded.connect(additional_headers=bearer("one")) as client:
            await client.send(b"ab")
            await client.recv()
