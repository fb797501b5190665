"""Usage over HTTP: each caller's own tenant, and all of them on the operator's port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request

from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.errors import BadRequest
from scripta_common.usage import Meter, UsageReader, Used
from scripta_gateway.access.caller import Caller
from scripta_gateway.usage import routes
from scripta_gateway.usage.routes import UsageAnswers
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

MINUTE = 60 * 16_000


@pytest.fixture
def answers(broker: Broker) -> UsageAnswers:
    return UsageAnswers(UsageReader(broker), lambda: 2)


@pytest_asyncio.fixture
async def count(broker: Broker) -> Callable[..., Awaitable[None]]:
    """Counts sessions of a minute and one final."""
    meter = Meter(broker, BrokerClock(), days=35)
    counted = 0

    async def do(tenant: str, key: str = "", model: str = "tiny-en") -> None:
        nonlocal counted
        counted += 1
        await meter.count(Used(f"{counted}", tenant, key, model, MINUTE, 1, over=True))
        await meter.note([tenant])

    return do


def asking(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def port_of(server: Any) -> int:
    return int(server.address.rpartition(":")[2])


async def body(response: Any) -> Any:
    return cast("Any", httpx.Response(200, content=(await response).body)).json()


async def test_caller_hears_of_its_own_tenant_and_no_other(
    answers: UsageAnswers, count: Callable[..., Awaitable[None]]
) -> None:
    """Guards what a tenant does from others."""
    for tenant, key in (("acme", "web"), ("acme", "web"), ("acme", "phone"), ("beta", "web")):
        await count(tenant, key)
    caller = Caller(key="web", tenant="acme")
    said = await body(answers.of_caller(caller, asking("by=month")))
    start = f"{datetime.now(UTC):%Y-%m}-01T00:00:00Z"
    assert said["tenant"] == "acme"
    assert [row | {"start": ""} for row in said["rows"]] == [
        {
            "start": "",
            "key": "phone",
            "model": "tiny-en",
            "audio_seconds": 60.0,
            "sessions": 1,
            "finals": 1,
        },
        {
            "start": "",
            "key": "web",
            "model": "tiny-en",
            "audio_seconds": 120.0,
            "sessions": 2,
            "finals": 2,
        },
    ]
    assert {row["start"] for row in said["rows"]} == {start}
    with pytest.raises(BadRequest, match="no parameter 'tenant'"):
        await answers.of_caller(caller, asking("tenant=beta"))


async def test_operator_hears_of_all_or_of_one_and_whether_any_are_missing(
    answers: UsageAnswers, count: Callable[..., Awaitable[None]]
) -> None:
    for tenant in ("beta", "", "acme"):
        await count(tenant)
    said = await body(answers.of_all(asking("by=hour")))
    assert [row["tenant"] for row in said["rows"]] == ["anonymous", "acme", "beta"]
    assert said["unmetered_transcribers"] == 2
    said = await body(answers.of_all(asking("tenant=anonymous")))
    assert [row["tenant"] for row in said["rows"]] == ["anonymous"]


async def test_answers_are_bounded(
    answers: UsageAnswers,
    count: Callable[..., Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards the broker and the loop from a question about everything."""
    for key in "abc":
        await count("acme", key)
    monkeypatch.setattr(routes, "MAX_USAGE_ROWS", 2)
    with pytest.raises(BadRequest, match="more than 2 rows"):
        await answers.of_caller(Caller(tenant="acme"), asking(""))
    monkeypatch.setattr(routes, "MAX_USAGE_HASHES", 29)
    with pytest.raises(BadRequest, match="too much for 1 tenants"):
        await answers.of_all(asking(""))


async def test_usage_of_all_is_on_the_operators_port_alone(
    start_server: Any, count: Callable[..., Awaitable[None]]
) -> None:
    await count("")
    admin_port = free_port()
    server = await start_server(admin_port=admin_port)
    async with httpx.AsyncClient(trust_env=False) as client:

        async def get(port: int, path: str) -> httpx.Response:
            return await client.get(f"http://127.0.0.1:{port}{path}")

        port = port_of(server)
        own = await get(port, "/v1/usage")
        assert (own.status_code, own.json()["tenant"]) == (200, "anonymous")
        assert own.headers["cache-control"] == "no-store"
        assert (await get(admin_port, "/usage")).json()["rows"][0]["tenant"] == "anonymous"
        assert (await get(port, "/usage")).status_code == 404
        assert (await get(admin_port, "/v1/usage")).status_code == 404
        refused = await get(port, "/v1/usage?by=week")
        assert refused.status_code == 400
        assert refused.json() == {
            "status": "error",
            "error": "by has to be one of hour, day, month.",
        }
    alone = await start_server()
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{port_of(alone)}"
        assert (await client.get(f"{url}/usage")).status_code == 404


async def test_broker_that_is_away_is_said_to_be(
    start_server: Any,
    own_broker: Any,
) -> None:
    server = await start_server(own_broker.url)
    own_broker.kill()
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port_of(server)}/v1/usage")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
