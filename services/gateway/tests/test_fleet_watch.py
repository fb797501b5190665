"""What a gateway makes of the fleet: routing, refusals, metrics; as clients and probes see it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis
from websockets.exceptions import InvalidStatus

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.fleet import Member
from scripta_common.sessionlog import Roster, SessionOptions, TranscriberLog
from scripta_gateway.admission.fleet_watch import FleetWatch
from scripta_gateway.telemetry.fleet_metrics import FleetCollector
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]

CPU = Member("default", ("moonshine", "moonshine-tiny-en"), ("en",), 1)
GPU = Member("gpu", ("whisper",), (), 2)


@pytest.fixture
def roster(broker: Broker) -> Roster:
    return Roster(broker)


async def refusal(server: Any, query: str = "") -> Any:
    """Returns the refused handshake's answer."""
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(query)
    return refused.value.response


def fleet_values(answer: httpx.Response) -> dict[tuple[str, str], float]:
    """Returns the values of the pools' metrics by name and pool."""
    return {
        (sample.name, sample.labels["pool"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if "pool" in sample.labels
    }


async def reasons(server: Any) -> dict[str, float]:
    text = (await server.get("/metrics")).text
    return {
        sample.labels["reason"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "scripta_gateway_refusals_total" and sample.labels["dialect"] == "native"
    }


async def speak(client: Any) -> None:
    """Sends the first audio; returns when it is accepted: the session is in line by then."""
    await client.send(b"ab")
    while '"status":"received"' not in await client.recv():
        pass


async def options_of(redis: Redis, client: Any) -> SessionOptions:
    await speak(client)
    sid = client.response.headers["scripta-session"]
    return SessionOptions.decode(await redis.hget(keys.state(sid), "options") or b"")


async def test_model_routes_a_session_to_its_pool_and_none_to_the_default(
    roster: Roster, start_server: Any, redis: Redis
) -> None:
    await roster.enlist("cpu", CPU)
    await roster.enlist("gpu", GPU)
    server = await start_server(slots=0)
    async with server.connect("model=whisper") as fine, server.connect() as plain:
        assert (await options_of(redis, fine)).pool == "gpu"
        assert (await options_of(redis, fine)).model == "whisper"
        assert (await options_of(redis, plain)).pool == "default"
        assert (await options_of(redis, plain)).model == "moonshine-tiny-en"
        assert await redis.xlen(keys.assign("gpu")) == 1
        assert await redis.xlen(keys.ASSIGN) == 1


async def test_unknown_model_is_a_400_that_names_the_known(
    roster: Roster, start_server: Any
) -> None:
    await roster.enlist("cpu", CPU)
    await roster.enlist("gpu", GPU)
    server = await start_server(slots=0)
    before = await reasons(server)
    answer = await refusal(server, "model=nova-3")
    assert answer.status_code == 400
    assert "retry-after" not in answer.headers
    assert json.loads(answer.body) == {
        "status": "error",
        "error": 'There is no model "nova-3" here (known: moonshine, moonshine-tiny-en, whisper)',
    }
    after = await reasons(server)
    assert after["unknown_model"] == before["unknown_model"] + 1


async def test_language_that_nobody_there_speaks_is_a_400_that_names_who_does(
    roster: Roster, start_server: Any, redis: Redis
) -> None:
    """Guards such a client from a place in line, and from an error only when it is served."""
    await roster.enlist("cpu", CPU)
    await roster.enlist("gpu", GPU)
    server = await start_server(slots=0)
    before = await reasons(server)
    answer = await refusal(server, "language=ru")
    assert answer.status_code == 400
    error = json.loads(answer.body)["error"]
    assert error.startswith('Pool "default" does not speak the language "ru" (it speaks: en)')
    assert (await reasons(server))["unsupported_language"] == before["unsupported_language"] + 1
    async with server.connect("language=en-GB"), server.connect("language=auto") as unsure:
        assert (await options_of(redis, unsure)).language is None


async def test_session_that_comes_back_keeps_its_pool_whatever_it_asks_for(
    roster: Roster, start_server: Any, redis: Redis
) -> None:
    await roster.enlist("gpu", GPU)
    server = await start_server(slots=0)
    async with server.connect("events=true&model=whisper") as client:
        token = json.loads(await client.recv())["token"]
        await speak(client)
        client.transport.abort()
        async with server.connect(f"events=true&resume={token}&model=gone") as again:
            assert json.loads(await again.recv())["resumed"]
            assert (await options_of(redis, again)).pool == "gpu"


async def test_burst_is_admitted_up_to_the_slots_and_the_rest_is_a_503_to_retry(
    roster: Roster, start_server: Any, redis: Redis
) -> None:
    """Guards the second between two looks at the fleet, in which several gateways take clients."""
    await roster.enlist("gpu", Member("default", (), (), 3))
    servers = [await start_server(slots=0) for _ in range(2)]
    before = await reasons(servers[0])
    clients = [await servers[number % 2].connect() for number in range(3)]
    for client in clients:
        await speak(client)
    for server in servers:
        server.hub.fleet.seen_at -= 0.5  # as if it had looked just before
        answer = await refusal(server)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert json.loads(answer.body) == {
            "status": "error",
            "error": 'All 3 slots of pool "default" are taken and none is expected to come free '
            "within 3 s; try again in some seconds.",
        }
    assert await redis.xlen(keys.ASSIGN) == 3
    after = await reasons(servers[0])
    assert after["no_capacity"] == before["no_capacity"] + 2
    for client in clients:
        await client.close()


async def test_whoever_speaks_when_all_slots_are_taken_meanwhile_is_sent_away_and_leaves_nothing(
    roster: Roster, start_server: Any, redis: Redis
) -> None:
    """Guards slots against gateways that admit clients at the same time."""
    await roster.enlist("cpu", CPU)
    servers = [await start_server(slots=0) for _ in range(2)]
    async with servers[0].connect() as first, servers[1].connect() as second:
        await speak(first)
        await second.send(b"ab")
        error = json.loads(await second.recv())
        assert (error["status"], error["code"]) == ("error", "no_capacity")
        await second.wait_closed()
        assert second.close_code == 1013
        assert await redis.xlen(keys.ASSIGN) == 1
        assert len(await redis.keys("*:state")) == 1


async def test_nobody_is_refused_by_what_was_seen_before_a_transcriber_came(
    roster: Roster, start_server: Any
) -> None:
    server = await start_server(slots=0)
    assert (await refusal(server)).status_code == 503
    server.hub.fleet.seen_at -= 0.5  # as if it had looked just before
    await roster.enlist("cpu", CPU)
    async with server.connect():
        pass


async def test_refused_session_leaves_room_on_its_gateway(
    roster: Roster, start_server: Any
) -> None:
    await roster.enlist("cpu", CPU)
    server = await start_server(slots=0, max_sessions=2)
    async with server.connect() as client:
        await speak(client)
        for _ in range(3):
            assert "slots" in json.loads((await refusal(server)).body)["error"]


async def test_client_that_comes_back_is_not_refused_by_a_full_pool(
    roster: Roster, start_server: Any
) -> None:
    await roster.enlist("cpu", CPU)
    server = await start_server(slots=0)
    async with server.connect("events=true") as client:
        token = json.loads(await client.recv())["token"]
        await speak(client)
        assert (await refusal(server)).status_code == 503
        client.transport.abort()
        async with server.connect(f"events=true&resume={token}") as again:
            assert json.loads(await again.recv())["resumed"]


async def test_place_is_free_again_when_a_session_needs_nobody_any_more(
    start_server: Any, start_worker: Any, redis: Redis, until: Until
) -> None:
    server = await start_server(slots=1)
    await start_worker()
    async with server.connect() as client:
        await speak(client)
        assert (await refusal(server)).status_code == 503
        await client.send('{"type":"end"}')
        async for _ in client:
            pass

    async def admitted() -> bool:
        try:
            async with server.connect():
                return True
        except InvalidStatus:
            return False

    await until(admitted)


async def test_every_gateway_exports_the_same_of_every_pool(
    roster: Roster, start_server: Any, broker: Broker, redis: Redis, until: Until
) -> None:
    await roster.enlist("cpu", CPU)
    await roster.enlist("gpu", GPU)
    servers = [await start_server(slots=0) for _ in range(2)]
    on_gpu = TranscriberLog(broker, "gpu", lease=60, ttl=60, pool="gpu")
    await on_gpu.join()
    wanted = {
        ("scripta_sessions_waiting", "default"): 1,
        ("scripta_sessions_leased", "default"): 0,
        ("scripta_demand_sessions", "default"): 1,
        ("scripta_slots", "default"): 1,
        ("scripta_transcribers", "default"): 1,
        ("scripta_unmetered_transcribers", "default"): 1,
        ("scripta_sessions_waiting", "gpu"): 1,
        ("scripta_sessions_leased", "gpu"): 1,
        ("scripta_demand_sessions", "gpu"): 2,
        ("scripta_slots", "gpu"): 2,
        ("scripta_transcribers", "gpu"): 1,
        ("scripta_unmetered_transcribers", "gpu"): 1,
    }
    async with (
        servers[0].connect() as plain,
        servers[0].connect("model=whisper") as fine,
        servers[1].connect("model=whisper") as finer,
    ):
        for client in (plain, fine, finer):
            await speak(client)
        assert await on_gpu.next_assignment(2) is not None
        for server in servers:

            async def seen(server: Any = server) -> bool:
                return fleet_values(await server.get("/metrics")) == wanted

            await until(seen)


async def test_without_a_broker_what_is_asked_is_unknown_and_not_zero(
    own_broker: BrokerProcess,
) -> None:
    """Guards an autoscaler that would take everything down while the broker is away."""
    broker = Broker(own_broker.url, name="test")
    watch = FleetWatch(Roster(broker), broker.memory)
    registry = CollectorRegistry()
    registry.register(FleetCollector(watch))
    assert [family.name for family in registry.collect()] == [
        "scripta_fleet_observation_age_seconds"
    ]
    await watch.look_once()
    assert registry.get_sample_value("scripta_demand_sessions", {"pool": "default"}) == 0
    own_broker.kill()
    watch.seen_at -= 11
    assert registry.get_sample_value("scripta_demand_sessions", {"pool": "default"}) is None
    age = registry.get_sample_value("scripta_fleet_observation_age_seconds")
    assert age is not None
    assert age > 11
    await broker.aclose()


async def test_gateway_sees_the_fleet_again_after_an_outage(
    own_broker: BrokerProcess, start_server: Any, until: Until
) -> None:
    access = Broker(own_broker.url, name="test")
    await Roster(access).enlist("gpu", GPU)
    server = await start_server(own_broker.url)
    async with server.connect("model=whisper"):
        pass
    own_broker.kill()
    own_broker.start()

    async def seen() -> bool:
        values = fleet_values(await server.get("/metrics"))
        return values.get(("scripta_transcribers", "gpu")) == 0

    await until(seen)
    assert (await refusal(server, "model=whisper")).status_code == 503  # it is known, and not there
    async with server.connect("model=whisper&upload=true"):
        pass
    await access.aclose()
