"""The hub on a real broker: which sessions it holds, rings, upkeep, outages of the broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from session_steps import (
    OPTIONS,
    SECOND,
    MakeHub,
    Until,
    append,
    collect,
    end,
    entries,
    opened,
    texts,
)

from scripta_common import keys
from scripta_common.errors import BrokerUnavailable, GatewayFull, ScriptaError
from scripta_gateway.telemetry.metrics import Outcome
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store


async def test_hub_holds_no_more_sessions_than_it_may(
    make_hub: MakeHub, redis: Redis, until: Until
) -> None:
    hub = await make_hub(max_sessions=2)
    first, _ = [await opened(hub) for _ in range(2)]
    with pytest.raises(GatewayFull):
        await opened(hub)
    hub.held.leave(first, comes_back=False)
    await until(lambda: len(hub.held.by_id) < 2)  # its end is in the log
    await opened(hub)


async def test_ids_are_unique_and_safe_in_javascript(make_hub: MakeHub, redis: Redis) -> None:
    hubs = [await make_hub(), await make_hub()]
    sessions = [await opened(hub) for hub in hubs for _ in range(20)]
    assert len({session.sid for session in sessions}) == 40
    numbers = {session.client_id for session in sessions}
    assert len(numbers) == 40
    assert all(0 < number <= 2**53 - 1 for number in numbers)


async def test_rings_that_nobody_understands_are_passed_over(
    make_hub: MakeHub, scribe: Any, redis: Redis
) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    [channel] = await redis.pubsub_channels(keys.gateway_channel("*"))
    await redis.publish(channel, b"\xc1 no msgpack")
    await redis.publish(channel, b"")
    await append(session, SECOND, 1)
    await scribe.work(until_seq=1)
    assert texts(await collect(session, 1)) == entries(1, 1)


async def test_session_that_can_not_write_delays_the_upkeep_of_none(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    """Guards all sessions' lives in the log: a round lasted as long as the slowest."""
    hub = await make_hub(own_broker.url, broker_patience=20)
    redis = Redis.from_url(own_broker.url, protocol=3)
    stuck, other = await opened(hub), await opened(hub)
    await redis.config_set("maxmemory", "1")
    writing = asyncio.create_task(append(stuck, SECOND, 1))
    await until(lambda: stuck._writer.busy)
    writing.cancel()
    await asyncio.wait([writing])
    for _ in range(2):  # the second time, the poll of the stuck one is still under way
        await redis.pexpire(keys.state(other.sid), 10_000)
        stuck.heard_at = other.heard_at = float("-inf")
        await asyncio.wait_for(hub.held.upkeep.run_once(), 3)
        assert await redis.pttl(keys.state(other.sid)) > 10_000
    polls = [task.get_name() for task in asyncio.all_tasks() if "poll-" in task.get_name()]
    assert polls == [f"poll-{stuck.sid}"]
    await redis.config_set("maxmemory", "0")
    await until(lambda: not stuck._exchange.unwritten)
    await redis.aclose()


async def test_poll_of_a_session_that_is_not_held_any_more_ends(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    """Guards a gateway against polls that outlive their sessions while the broker is away."""
    hub = await make_hub(own_broker.url, broker_patience=20)
    session = await opened(hub)
    own_broker.pause()
    session.heard_at = float("-inf")
    polling = asyncio.create_task(hub.held.upkeep.run_once())
    await until(lambda: hub.held.upkeep._polls)
    hub.held.lose(session, ScriptaError("It is gone."))
    hub.held.part(session, Outcome.FAILED)
    await until(lambda: not hub.held.upkeep._polls)
    await polling
    own_broker.resume()


async def test_broker_error_tells_clients_nothing_and_the_log_everything(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards against the broker's address, and its own words, in answers to clients."""
    hub = await make_hub(own_broker.url, broker_patience=0.1)
    session = await opened(hub)
    caplog.set_level(logging.WARNING)
    own_broker.kill()
    for failing in (append(session, SECOND, 1), hub.opener.open(OPTIONS)):
        with pytest.raises(ScriptaError) as failed:
            await failing
        assert str(failed.value) == (
            "The service can not store audio now; try again in some seconds."
        )
    port = str(own_broker.port)
    await until(lambda: any(port in str(vars(record)) for record in caplog.records))


@pytest.mark.slow
async def test_session_outlives_an_outage_that_is_shorter_than_its_patience(
    make_hub: MakeHub, make_scribe: Callable[..., Any], own_broker: BrokerProcess
) -> None:
    """The setting must hold what it says, for a broker that hangs: no word is lost before."""
    patient = await opened(await make_hub(own_broker.url, broker_patience=12))
    scribe = make_scribe(own_broker.url)
    await scribe.take()
    hasty = await opened(await make_hub(own_broker.url, broker_patience=2))
    for session in (patient, hasty):
        await append(session, SECOND, 1)
    own_broker.pause()
    writing = [asyncio.create_task(append(session, SECOND, 1)) for session in (patient, hasty)]
    await asyncio.sleep(8)  # the outage: longer than one has patience, shorter than the other
    own_broker.resume()
    await asyncio.wait(writing, timeout=20)
    assert isinstance(writing[1].exception(), BrokerUnavailable)
    await writing[0]
    await end(patient)
    await scribe.work(until_seq=3)
    assert len(scribe.history) == 3
