"""A real Prometheus watches a running system, in which a transcriber dies under live speech.

Every expression of the dashboards and the rules is put to it. ``-rP`` shows what it recorded.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import promql
import pytest
import pytest_asyncio
from native import CHUNK_SECONDS, Talk, talk, transcribe
from prometheus_server import Prometheus, prometheus
from recordings import beckett, two_cities
from redis.asyncio import Redis

from chart.autoscaling import desired
from chart.rendering import render
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SLOTS = 4
SESSIONS = (2, 1)
"""At the first and at the second gateway."""
SPOKEN = two_cities().until(34.0)
HIT = 17.0
"""The second at which a transcriber dies: a sentence has just ended, and nobody has noticed yet."""
LATER = 0.2
"""Seconds by which everybody begins later than the one before."""

NAMESPACE = {"namespace": "speech"}

EMPTY = {
    where: "there is no kube-state-metrics here"
    for where, expression in promql.expressions()
    if "kube_" in expression
}
"""Expressions that rightly have no value in this run, and why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What happened, and who watched. Times are Unix seconds.

    Attributes:
        prometheus: It still runs.
        steady_at: All speak, and each has a transcriber.
        killed_at: A transcriber was killed.
        busy_at: All have been taken over and still speak.
        over_at: All sessions have ended, and it has been scraped since.
        orphans: Sessions that the dead one had.
        finals: How many finals the clients got.
        interims: How many interims they got.
    """

    prometheus: Prometheus
    steady_at: float
    killed_at: float
    busy_at: float
    over_at: float
    orphans: int
    finals: int
    interims: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    """Lets three people speak for 34 s and kills the transcriber that has most of them."""
    env = {"SLOTS": str(SLOTS), "LEASE_SECONDS": "1.5", "TENANT_METRICS": "3"}
    async with Stack(transcribers=2, restart=False, env=env) as stack, AsyncExitStack() as exits:
        await stack.add_gateway()
        async with Redis.from_url(stack.redis_url) as redis:
            await redis.config_set("maxmemory", "512mb")
        ports = {"gateway": stack.gateway_ports, "transcriber": stack.transcriber_ports}
        targets = {
            f"127.0.0.1:{port}": {**NAMESPACE, "pod": f"{name}-{place}"}
            for name, of_service in ports.items()
            for place, port in enumerate(of_service)
        }
        folder = tmp_path_factory.mktemp("prometheus")
        watch = await exits.enter_async_context(prometheus(targets, folder, [promql.RULES]))
        await until(watch, "count(up == 1)", 4)
        yield await record(stack, watch)


async def record(stack: Stack, watch: Prometheus) -> Run:
    before = await transcribe(stack.ws_url, beckett())
    async with AsyncExitStack() as exits:
        talks = [
            await exits.enter_async_context(
                talk(
                    f"ws://127.0.0.1:{port}/ws",
                    encoding="linear16",
                    sample_rate=SPOKEN.rate,
                    interim_results="true",
                )
            )
            for port, number in zip(stack.gateway_ports, SESSIONS, strict=True)
            for _ in range(number)
        ]
        speaking = [asyncio.create_task(speak(one, place)) for place, one in enumerate(talks)]
        await until(watch, "sum(scripta_transcriber_slots_in_use)", len(talks))
        await until(watch, "min(scripta_sessions_leased)", len(talks))
        await asyncio.gather(*(one.until(lambda of=one: of.finals) for one in talks))
        steady_at = time.time()
        victim, orphans = await busiest(stack, watch)
        await talks[0].until(lambda: len(talks[0].chunk_times) >= HIT / CHUNK_SECONDS)
        killed_at = time.time()
        await stack.kill_transcriber(victim)
        await asyncio.gather(*speaking)
        busy_at = time.time()
        finals = await asyncio.gather(*(one.end() for one in talks))
        assert [one.close_code for one in talks] == [1000] * len(talks)
    await until(watch, "sum(scripta_gateway_sessions)", 0)
    number = sum(map(len, finals)) + len(before.finals)
    await until(watch, "sum(scripta_gateway_finals_total)", number)
    await asyncio.sleep(3)  # rules have seen it, too
    interims = sum(len(one.interims) for one in talks)
    return Run(watch, steady_at, killed_at, busy_at, time.time(), orphans, number, interims)


async def speak(session: Talk, place: int) -> None:
    await asyncio.sleep(LATER * place)
    await session.speak(SPOKEN, pace=1.0)


async def busiest(stack: Stack, watch: Prometheus) -> tuple[int, int]:
    """Returns the place of the transcriber with most sessions, and how many it has."""
    in_use = [
        int(await watch.value(f'scripta_transcriber_slots_in_use{{pod="transcriber-{place}"}}'))
        for place in range(len(stack.transcribers))
    ]
    victim = in_use.index(max(in_use))
    return victim, in_use[victim]


async def until(watch: Prometheus, expression: str, value: float, seconds: float = 30) -> None:
    """Waits until an expression has a value."""
    seen: list[float] = []
    try:
        async with asyncio.timeout(seconds):
            while (seen := await watch.query(expression)) != [value]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"{expression} is {seen} and not {value}")


PANELS = dict(promql.expressions(namespace="speech", rate_interval="1m", time_range="5m"))


@pytest.mark.parametrize("where", [where for where in PANELS if not where.startswith("rules")])
async def test_every_panel_shows_something(run: Run, where: str) -> None:
    values = await run.prometheus.query(PANELS[where], run.busy_at)
    if where in EMPTY:
        assert values == [], EMPTY[where]
    else:
        assert values, PANELS[where]
    print(where, values)


async def test_rules_are_evaluated_without_errors_and_only_takeovers_are_on_their_way(
    run: Run,
) -> None:
    groups = (await run.prometheus.ask("rules"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(list(promql.rules()))
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    pending = {rule["name"] for rule in rules if rule.get("state", "inactive") != "inactive"}
    print("alerts on their way:", pending)
    assert "ScriptaTakeovers" in pending


@pytest.mark.parametrize("rule", list(promql.rules()), ids=lambda rule: next(iter(rule.values())))
async def test_every_series_that_a_rule_names_is_there(run: Run, rule: dict[str, Any]) -> None:
    """An alert is silent when all is well, and just so when it asks for what does not exist."""
    for selector in promql.read(rule["expr"]).selectors:
        matchers = ",".join(f'{m.label}{m.operator}"{m.value}"' for m in selector.matchers)
        series = f"{selector.name}{{{matchers}}}"
        assert await run.prometheus.query(f"count({series})", run.busy_at), series


async def test_recorded_series_have_values(run: Run) -> None:
    names = [rule["record"] for rule in promql.rules() if "record" in rule]
    values = {name: await run.prometheus.query(name, run.busy_at) for name in names}
    print(values)
    assert [name for name, value in values.items() if not value] == []


@pytest.mark.parametrize("result", ["final", "first_interim"])
async def test_parts_of_the_latency_sum_to_the_whole(run: Run, result: str) -> None:
    whole = f"scripta_gateway_{result}_latency_seconds_sum"
    part = "scripta_gateway_latency_part_seconds"
    total = await run.prometheus.value(f"sum({whole})", run.over_at)
    values = {
        name: await run.prometheus.value(
            f'sum({part}_sum{{result="{result}",part="{name}"}})', run.over_at
        )
        for name in ("append", "queue", "decode", "commit", "relay")
    }
    print(result, "total", total, values, "off by", sum(values.values()) / total - 1)
    assert sum(values.values()) == pytest.approx(total, rel=0.05)
    by_part = f'sum by (part) ({part}_count{{result="{result}"}})'
    counts = await run.prometheus.query(by_part, run.over_at)
    assert len(set(counts)) == 1
    assert values["decode"] > 0


async def test_every_final_is_timed_or_said_not_to_be(run: Run) -> None:
    ask = run.prometheus.value
    timed = await ask("sum(scripta_gateway_final_latency_seconds_count)", run.over_at)
    untimed = await ask("sum(scripta_gateway_finals_untimed_total)", run.over_at)
    assert timed + untimed == run.finals
    assert timed > run.finals / 2
    interims = await ask("sum(scripta_gateway_interims_total)", run.over_at)
    assert interims == run.interims


async def test_gateways_tell_the_same_of_the_fleet(run: Run) -> None:
    for name in ("scripta_demand_sessions", "scripta_sessions_leased", "scripta_slots"):
        values = await run.prometheus.query(name, run.steady_at)
        assert len(values) == 2
        assert len(set(values)) == 1, (name, values)
    demand = await run.prometheus.query("scripta_demand_sessions", run.steady_at)
    assert demand == [sum(SESSIONS)] * 2
    after = await run.prometheus.query("scripta_demand_sessions", run.over_at)
    assert after == [0, 0]


async def test_takeover_shows(run: Run) -> None:
    ask, killed = run.prometheus, run.killed_at
    expired = 'sum(scripta_transcriber_claims_total{how="expired"})'
    assert await ask.value(expired, run.over_at) == run.orphans
    # The dead one is not scraped any more, and its slots are gone from the fleet.
    assert await ask.query("count(up == 0)", run.over_at) == [1]
    assert await ask.query("max(scripta_slots)", run.steady_at) == [2 * SLOTS]
    assert await ask.query("max(scripta_slots)", run.over_at) == [SLOTS]
    # Who lived has them all, before they ended.
    window = f"[{math.ceil(run.over_at - killed)}s]"
    most = f"max(max_over_time(scripta_transcriber_slots_in_use{window}))"
    assert await ask.value(most, run.over_at) == sum(SESSIONS)
    # Words of the orphans were late, for as long as a lease lasts at least: that is queue.
    parts = "scripta_gateway_latency_part_seconds"
    late = (
        f'sum by (part) ({parts}_count{{result="final"}})'
        f' - sum by (part) ({parts}_bucket{{result="final",le="0.5"}})'
    )
    by_part = {
        each["metric"]["part"]: float(each["value"][1])
        for each in (await ask.ask("query", query=late, time=run.over_at))["result"]
    }
    print("finals that spent more than 0.5 s in a part:", by_part)
    assert by_part["queue"] >= 1
    waiting = f"max(max_over_time(scripta_sessions_waiting{window}))"
    lag = f'max(max_over_time(scripta_gateway_audio_lag_seconds{{stat="max"}}{window}))'
    print("most waiting", await ask.value(waiting, run.over_at))
    print("greatest audio lag", await ask.value(lag, run.over_at))
    print("takeovers", await ask.value(expired, run.over_at))


async def test_demand_drives_the_autoscaler(run: Run) -> None:
    """What a metrics adapter would hand the HPA of the chart asks for the pods that are needed."""
    demand = await run.prometheus.value("max(scripta_demand_sessions)", run.steady_at)
    values = {
        "transcriber": {
            "slots": 1,
            "autoscaling": {"mode": "metric", "minReplicas": 1, "maxReplicas": 50},
        }
    }
    [scaler] = [
        each
        for each in render(values).all("HorizontalPodAutoscaler")
        if "transcriber" in each["metadata"]["name"]
    ]
    [metric] = scaler["spec"]["metrics"]
    target = float(metric["external"]["target"]["averageValue"])
    wanted = desired(scaler, 1, {metric["external"]["metric"]["name"]: demand})
    print("demand", demand, "target", target, "pods", wanted)
    assert wanted == math.ceil(demand / target)
    assert wanted >= demand  # one slot a pod
    after = await run.prometheus.value("max(scripta_demand_sessions)", run.over_at)
    assert desired(scaler, wanted, {metric["external"]["metric"]["name"]: after}) == 1
