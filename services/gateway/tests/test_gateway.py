"""The gateway as a process sees it: HTTP, a broker that goes away, drain."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common.sessionlog import SessionOptions
from scripta_gateway.settings import GatewaySettings
from scripta_local.broker import Broker as BrokerProcess
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]


async def test_root_greets_programs_and_shows_the_page_to_browsers(server: Any) -> None:
    answer = await server.get("/")
    assert answer.json() == {"message": "WebSocket Service is running"}
    page = await server.get("/", accept="text/html,application/xhtml+xml")
    assert page.headers["content-type"].startswith("text/html")
    assert "accept" in page.headers["vary"].lower()


async def test_config_shows_where_it_stands_and_no_password(start_server: Any) -> None:
    server = await start_server("redis://user:hunter2@127.0.0.1:1/0", slots=0)
    answer = await server.get("/config")
    assert answer.json() == {
        "APP_PORT": int(server.address.rpartition(":")[2]),
        "REDIS_URL": "redis://user:***@127.0.0.1:1/0",
    }


async def test_gateway_with_a_broker_is_alive_ready_and_healthy(server: Any) -> None:
    for path in ("/livez", "/readyz", "/health"):
        answer = await server.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_websocket_at_an_unknown_path_is_told_where_there_are_some(server: Any) -> None:
    """Guards a client with a wrong path: 403 looked like a bad key."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{server.address}/v2/listen", proxy=None)
    assert refused.value.response.status_code == 404
    error = json.loads(refused.value.response.body or b"")["error"]
    assert error.endswith("they are at: /ws, /v1/realtime, /v1/listen")


async def test_unknown_path_is_404(server: Any) -> None:
    assert (await server.get("/nothing")).status_code == 404
    assert (await server.get("/page/../settings.py")).status_code == 404


async def test_metrics_parse_and_count(server: Any, mock_worker: Any) -> None:
    async def samples() -> dict[str, float]:
        text = (await server.get("/metrics")).text
        return {
            "/".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    before = await samples()
    async with server.connect() as client:
        await client.send(b"ab")
        await client.send(b"")
        await client.send('{"type":"end"}')
        async for _ in client:
            pass
    after = await samples()
    for name in (
        "scripta_gateway_sessions_opened_total",
        "scripta_gateway_messages_total",
        "scripta_gateway_messages_refused_total/native",
        "scripta_gateway_finals_total",
        "scripta_gateway_closes_total/1000/native",
    ):
        assert after[name] == before[name] + 1, name
    assert after["scripta_gateway_sessions"] == 0


async def test_without_a_broker_it_is_alive_and_not_ready_and_refuses_with_503(
    own_broker: BrokerProcess, start_server: Any, until: Until
) -> None:
    server = await start_server(own_broker.url)
    assert (await server.get("/readyz")).status_code == 200
    own_broker.kill()

    assert (await server.get("/livez")).status_code == 200
    for path in ("/readyz", "/health"):
        answer = await server.get(path)
        assert answer.status_code == 503
        assert answer.json()["reason"] == "broker_unavailable"
    with pytest.raises(InvalidStatus) as refused:
        await server.connect()
    response = refused.value.response
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert json.loads(response.body)["status"] == "error"

    own_broker.start()

    async def ready() -> bool:
        return bool((await server.get("/readyz")).status_code == 200)

    await until(ready)
    async with server.connect() as client:
        await client.send(b"ab")
        assert json.loads(await client.recv()) == {"status": "received", "size": 2}


async def test_connection_outlives_a_broker_that_comes_back_empty(
    own_broker: BrokerProcess, start_server: Any, start_worker: Any
) -> None:
    server = await start_server(own_broker.url)
    await start_worker(own_broker.url)
    frames: list[dict[str, Any]] = []

    async def until_transcripts(client: Any, count: int) -> None:
        async with asyncio.timeout(20):
            while [f["status"] for f in frames].count("transcript") < count:
                frames.append(json.loads(await client.recv()))

    async with server.connect() as client:
        await client.send(bytes(11))
        await until_transcripts(client, 1)
        own_broker.kill()
        await client.send(bytes(22))
        own_broker.start()
        await client.send(bytes(33))
        await until_transcripts(client, 3)
        await client.send('{"type":"end"}')
        frames += [json.loads(frame) async for frame in client]
    assert client.close_code == 1000
    transcripts = [frame for frame in frames if frame["status"] == "transcript"]
    assert [frame["text"][-9:-7] for frame in transcripts] == ["11", "22", "33"]
    assert [frame["index"] for frame in transcripts] == [1, 2, 3]
    assert [frame["size"] for frame in frames if frame["status"] == "received"] == [11, 22, 33]


async def test_full_gateway_refuses_with_503(start_server: Any, redis: Any) -> None:
    server = await start_server(max_sessions=1)
    async with server.connect():
        with pytest.raises(InvalidStatus) as refused:
            await server.connect()
    assert refused.value.response.status_code == 503
    assert "retry-after" in refused.value.response.headers


async def test_drain_sends_clients_away_with_1012_and_takes_no_more(
    start_server: Any, mock_worker: Any, until: Until
) -> None:
    server = await start_server()
    async with server.connect("events=true") as informed, server.connect() as plain:
        await plain.send(b"ab")
        assert [json.loads(await plain.recv())["status"] for _ in range(2)] == [
            "received",
            "transcript",
        ]
        draining = asyncio.create_task(server.hub.drain())
        await until(lambda: server.hub.held.draining)
        with pytest.raises(InvalidStatus) as refused:
            await server.connect()
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"
        assert (await server.get("/readyz")).json()["reason"] == "draining"
        assert (await server.get("/livez")).status_code == 200
        frames = [json.loads(frame)["status"] async for frame in ignore_close(informed)]
        assert frames == ["session", "going_away"]
        assert [frame async for frame in ignore_close(plain)] == []
        assert informed.close_code == plain.close_code == 1012
    await asyncio.wait_for(draining, 10)


async def test_server_drains_before_it_stops(
    start_server: Any, mock_worker: Any, until: Until
) -> None:
    server = await start_server()
    async with server.connect("events=true") as client:
        await client.recv()
        server.should_exit = True
        assert json.loads(await client.recv()) == {"status": "going_away", "received": 0}
        assert [frame async for frame in ignore_close(client)] == []
        assert client.close_code == 1012

    async def closed() -> bool:
        try:
            await server.get("/livez")
        except httpx.TransportError:
            return True
        return False

    await until(closed)


async def test_server_stops_although_a_session_does_not_let_it_drain(
    start_server: Any, redis: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = await start_server(drain_seconds=2, drain_spread_seconds=0)
    await server.hub.opener.open(SessionOptions())  # no connection will ever give it back
    server.should_exit = True
    await until(lambda: "gateway stopped" in caplog.messages, 20)
    assert "drain incomplete" in caplog.messages


async def ignore_close(client: Any) -> Any:
    """Yields frames until the connection is closed, with whatever code."""
    while True:
        try:
            yield await asyncio.wait_for(client.recv(), 10)
        except ConnectionClosed:
            return


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_PORT", "0"),
        ("APP_PORT", "http"),
        ("MAX_AUDIO_SIZE", "0"),
        ("MAX_WAITING", "-1"),
        ("BACKLOG_SECONDS", "1"),
        ("DRAIN_SECONDS", "0"),
        ("DRAIN_SPREAD_SECONDS", "8"),
    ],
)
def test_bad_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        GatewaySettings()


def test_spread_by_default_has_to_fit_into_a_shorter_drain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", "2")
    with pytest.raises(ValidationError, match=r"drain_spread_seconds[^\0]*2 has to be less than"):
        GatewaySettings()


@pytest.mark.parametrize("limit", ["SESSION_TTL_SECONDS", "STALL_SECONDS"])
def test_patience_that_something_else_would_end_names_what_to_raise(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("SESSION_TTL_SECONDS", "200")
    monkeypatch.setenv("STALL_SECONDS", "200")
    monkeypatch.setenv("BROKER_PATIENCE_SECONDS", "150")
    assert GatewaySettings().broker_patience_seconds == 150
    monkeypatch.setenv(limit, "100")
    with pytest.raises(ValidationError, match=f"raise {limit} as well"):
        GatewaySettings()


def test_settings_keep_their_documented_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "APP_HOST": "127.0.0.1",
        "APP_PORT": "9000",
        "REDIS_URL": "redis://there/1",
        "MAX_AUDIO_SIZE": "77",
    }.items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    assert (settings.app_host, settings.app_port) == ("127.0.0.1", 9000)
    assert (settings.redis_url, settings.max_audio_size) == ("redis://there/1", 77)


async def test_operators_port_has_what_clients_have_no_business_with(start_server: Any) -> None:
    """Guards metrics and settings against being read by whoever may speak."""
    admin_port = free_port()
    server = await start_server(admin_port=admin_port)
    async with httpx.AsyncClient(trust_env=False) as client:

        async def status(port: int, path: str) -> int:
            return (await client.get(f"http://127.0.0.1:{port}{path}")).status_code

        port = int(server.address.rpartition(":")[2])
        probes = ("/livez", "/readyz", "/health")
        for path in probes:
            assert (await status(port, path), await status(admin_port, path)) == (200, 200)
        for path in ("/metrics", "/config"):
            assert (await status(port, path), await status(admin_port, path)) == (404, 200)
        for path in ("/", "/ws", "/v1/models"):
            assert (await status(port, path), await status(admin_port, path)) == (
                426 if path == "/ws" else 200,
                404,
            )
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{admin_port}/ws", proxy=None)
    assert refused.value.response.status_code == 404
