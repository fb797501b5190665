"""What both services measure: broker commands, the event loop, the broker's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import TimeoutError as BrokerTimeoutError

from scripta_common import metrics
from scripta_common.broker import Broker, Script
from scripta_common.broker_clock import BrokerClock
from scripta_common.broker_faults import fault_of
from scripta_common.errors import BrokerUnavailable
from scripta_common.loop_lag import watch_loop
from scripta_common.metrics import BrokerFault, Command
from scripta_common.sessionlog import Roster, scripts
from scripta_local.broker import Broker as BrokerProcess


def answered(command: str) -> float:
    labels = {"command": command}
    return REGISTRY.get_sample_value("scripta_broker_command_seconds_count", labels) or 0.0


def faults(kind: str) -> float:
    return REGISTRY.get_sample_value("scripta_broker_errors_total", {"kind": kind}) or 0.0


@pytest.mark.unit
def test_every_script_of_the_session_log_has_a_series() -> None:
    known = {script.name for script in vars(scripts).values() if isinstance(script, Script)}
    assert known
    assert known <= {command.value for command in Command}


@pytest.mark.store
async def test_commands_are_timed_by_name_and_unknown_ones_together(broker: Broker) -> None:
    before = {name: answered(name) for name in ("roster", "xrange", "other")}
    await Roster(broker).observe()
    await broker.execute("XRANGE", "nothing", "-", "+")
    await broker.execute("GET", "nothing")
    await broker.run(Script("of-our-own", "return 1"), ["key"])
    after = {name: answered(name) - count for name, count in before.items()}
    # A script that the server does not know yet is sent twice.
    assert after["roster"] in (1, 2)
    assert after["xrange"] == 1
    assert after["other"] >= 3
    series = {sample.labels["command"] for m in REGISTRY.collect() for sample in m.samples
              if m.name == "scripta_broker_command_seconds"}  # fmt: skip
    assert series == {command.value for command in Command}


@pytest.mark.store
async def test_time_of_a_command_includes_the_wait_for_its_answer(
    broker: Broker, redis: Redis
) -> None:
    def total() -> float:
        name = "scripta_broker_command_seconds_sum"
        return REGISTRY.get_sample_value(name, {"command": "other"}) or 0.0

    before = total()
    await redis.execute_command("CLIENT", "PAUSE", 200)
    began = time.perf_counter()
    await broker.execute("GET", "nothing")
    spent = time.perf_counter() - began
    assert 0.1 < total() - before <= spent


@pytest.mark.unit
@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (BrokerTimeoutError(), BrokerFault.TIMEOUT),
        (TimeoutError(), BrokerFault.TIMEOUT),
        (BrokerConnectionError("refused"), BrokerFault.CONNECTION),
        (BusyLoadingError(), BrokerFault.LOADING),
        (OutOfMemoryError(), BrokerFault.MEMORY),
        (ReadOnlyError(), BrokerFault.READONLY),
        (ClusterDownError("down"), BrokerFault.OTHER),
        (ResponseError("WRONGTYPE"), BrokerFault.OTHER),
        (NoScriptError("no script"), None),
        (ResponseError("BUSYGROUP there already"), None),
    ],
)
def test_fault_of_an_error(error: Exception, fault: BrokerFault | None) -> None:
    assert fault_of(error) is fault


@pytest.mark.store
async def test_broker_that_is_gone_is_counted(own_broker: BrokerProcess) -> None:
    broker = Broker(own_broker.url, name="test")
    await broker.ping()
    before = faults("connection")
    own_broker.kill()
    with pytest.raises(BrokerUnavailable):
        await broker.ping()
    with pytest.raises(BrokerUnavailable):
        await broker.memory()
    assert faults("connection") == before + 2
    await broker.aclose()


@pytest.mark.store
async def test_script_that_is_not_known_is_no_fault(broker: Broker) -> None:
    before = {kind: faults(kind) for kind in BrokerFault}
    assert await broker.run(Script("new", f"return {time.time_ns() % 1000}"), ["key"]) >= 0
    assert {kind: faults(kind) for kind in BrokerFault} == before


@pytest.mark.store
async def test_memory_is_told_with_its_limit(
    broker: Broker, start_broker: Callable[..., BrokerProcess]
) -> None:
    unlimited = await broker.memory()
    assert unlimited is not None
    assert unlimited.limit == 0
    await broker.execute("CONFIG", "SET", "maxmemory", "64mb")
    try:
        memory = await broker.memory()
    finally:
        await broker.execute("CONFIG", "SET", "maxmemory", "0")
    assert memory is not None
    assert memory.limit == 64 * 2**20
    assert 0 < memory.used < memory.limit


@pytest.mark.unit
async def test_loop_that_was_blocked_is_seen_to_be_late() -> None:
    lags: asyncio.Queue[float] = asyncio.Queue()
    watch = asyncio.create_task(watch_loop(lags.put_nowait))
    await asyncio.sleep(0.3)  # it has begun to look; too early would do as well
    time.sleep(0.5)  # noqa: ASYNC251  # what is to be seen
    assert await asyncio.wait_for(lags.get(), 5) >= 0.25
    watch.cancel()
    await asyncio.wait([watch])


@pytest.mark.unit
def test_clock_that_was_never_heard_is_not_told() -> None:
    assert BrokerClock().at(5.0) is None


@pytest.mark.unit
@given(
    st.floats(-1e6, 1e9),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=20),
)
def test_clock_is_wrong_by_half_the_fastest_answer_at_most(
    offset: float, trips: list[tuple[float, float]]
) -> None:
    clock = BrokerClock()
    for number, (there, back) in enumerate(trips):
        asked = float(number)
        clock.heard(asked, asked + there + back, asked + there + offset)
    fastest = min(there + back for there, back in trips[-8:])
    told = clock.at(50.0)
    assert told is not None
    assert abs(told - (50.0 + offset)) <= fastest / 2 + 1e-5


@pytest.mark.unit
def test_build_names_what_runs_once() -> None:
    metrics.export_build("gateway", "abc")
    metrics.export_build("gateway", "def")
    (family,) = (m for m in REGISTRY.collect() if m.name == "scripta_build_info")
    (sample,) = family.samples
    assert sample.labels["service"] == "gateway"
    assert sample.labels["revision"] == "def"
    assert sample.labels["version"]
