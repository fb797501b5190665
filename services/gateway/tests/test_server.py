"""The gateway's server: what it answers before the upgrade, and how it finds dead clients."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from raw_client import RawClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from scripta_common.tracing import Tracing
from scripta_gateway.server import GatewayServer
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.transports import websocket
from scripta_local.broker import Broker as BrokerProcess
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

PROXY_PATIENCE = 60
"""Seconds after which common proxies close a silent WebSocket."""

Serve = Callable[..., Awaitable[GatewayServer]]


@asynccontextmanager
async def served(
    settings: GatewaySettings, until: Callable[..., Awaitable[None]]
) -> AsyncIterator[GatewayServer]:
    server = GatewayServer(settings, secrets.token_hex(6), Tracing())
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield server
    server.should_exit = True
    await serving


@pytest_asyncio.fixture
async def serve(
    shared_broker: BrokerProcess,
    offer_slots: Callable[..., Awaitable[None]],
    until: Callable[..., Awaitable[None]],
) -> AsyncIterator[Serve]:
    await offer_slots(shared_broker.url, _SLOTS)
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> GatewayServer:
            values: dict[str, Any] = {"redis_url": shared_broker.url, **options}
            settings = GatewaySettings(app_host="127.0.0.1", app_port=free_port(), **values)
            return await stack.enter_async_context(served(settings, until))

        yield start


_SLOTS = 100


def address(server: GatewayServer, query: str = "") -> str:
    return f"ws://127.0.0.1:{server.config.port}/ws{query}"


async def refusal(server: GatewayServer, query: str = "") -> Response:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(address(server, query)):
            pass
    return caught.value.response


def error(response: Response) -> str:
    """Returns the error of a refusal's body, which is an error frame and nothing else."""
    body = json.loads(response.body or b"")
    assert body.keys() == {"status", "error"}
    assert body["status"] == "error"
    return str(body["error"])


async def test_session_is_named_in_headers_and_the_first_frame_is_an_answer(serve: Serve) -> None:
    """Guards clients in lock-step, which take the first frame for their acknowledgement."""
    server = await serve()
    async with connect(address(server)) as socket:
        assert socket.response is not None
        assert re.fullmatch(r"[0-9a-f]{32}", socket.response.headers["scripta-session"])
        assert 0 < int(socket.response.headers["scripta-client-id"]) < 2**53
        await socket.send(bytes(320))
        assert await socket.recv() == '{"status":"received","size":320}'


async def test_client_that_asks_for_events_hears_its_session_first(serve: Serve) -> None:
    server = await serve()
    async with connect(address(server, "?events=true")) as socket:
        assert socket.response is not None
        first = json.loads(await socket.recv())
        assert first["status"] == "session"
        assert first["session"] == socket.response.headers["scripta-session"]
        assert str(first["client_id"]) == socket.response.headers["scripta-client-id"]


@pytest.mark.parametrize(
    "query",
    ["encoding=opus", "sample_rate=7999", "channels=9", "interim_results=perhaps", "endpointing=1"],
)
async def test_bad_parameter_is_a_400_that_names_it(serve: Serve, query: str) -> None:
    response = await refusal(await serve(), f"?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in error(response)


async def test_unknown_parameter_is_tolerated(serve: Serve) -> None:
    async with connect(address(await serve(), "?tier=large")):
        pass


async def test_full_gateway_is_a_503_to_retry(serve: Serve) -> None:
    server = await serve(max_sessions=1)
    async with connect(address(server)):
        response = await refusal(server)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error(response)


async def test_gateway_without_a_broker_is_a_503_to_retry(serve: Serve) -> None:
    server = await serve(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    response = await refusal(server)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error(response)


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT"
)
async def test_connection_ends_when_nothing_is_acknowledged(serve: Serve) -> None:
    """Guards the inheritance from the listening socket, which is the kernel's to grant."""
    server = await serve()
    async with connect(address(server)):
        (connection,) = server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        milliseconds = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert milliseconds == 60_000


async def test_pings_keep_proxies_awake_and_wait_for_no_pong(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards clients that are held back: nobody reads their pongs meanwhile."""
    assert websocket.PING_SECONDS < PROXY_PATIENCE
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.05)
    server = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.config.port)
    client = RawClient(reader, writer)
    await client.shake()
    assert [await client.hear() for _ in range(3)] == [(9, b"")] * 3
    writer.transport.abort()
