"""A Cluster: sessions on all its shards, slots that move, primaries that go."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from scripta_common import keys
from scripta_common.broker import Broker as Access
from scripta_common.sessionlog import Doorbell
from scripta_common.usage import UsageReader, day_of
from scripta_local.broker import Broker

from .chatter import Chatter, all_of, chatters, say_more, talking
from .servers import ClusterGroup, ask, cut_off_replicas, settled

pytestmark = [pytest.mark.system, pytest.mark.slow]

Until = Callable[..., Awaitable[None]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterGroup]:
    """Three primaries; all of them are there after each test."""
    with ClusterGroup() as group:
        yield group


def shards(group: ClusterGroup, everybody: list[Chatter]) -> set[Broker]:
    """The servers that have the sessions."""
    return {group.owner(keys.state(one.session.sid)) for one in everybody}


async def test_sessions_are_on_all_shards_and_stay_whole_while_slots_move(
    cluster: ClusterGroup, start: Callable[..., Any]
) -> None:
    stack = await start(cluster.url)
    async with chatters(stack, 16) as everybody:
        assert shards(cluster, everybody) == set(cluster.servers)
        async with talking(everybody):
            await say_more(everybody, 3)
            sid = everybody[0].session.sid
            for key in (keys.state(sid), keys.ASSIGN):
                source = cluster.owner(key)
                target = next(server for server in cluster.servers if server is not source)
                await asyncio.to_thread(cluster.migrate, key, target)
                assert cluster.owner(key, target) is target
                await say_more(everybody, 3)
            async with chatters(stack, 2) as newcomers:
                await all_of(newcomers, lambda one: one.say(3))
                await all_of(newcomers, lambda one: one.end())
        await all_of(everybody, lambda one: one.end())


async def test_bell_is_heard_whichever_server_it_is_rung_on(
    cluster: ClusterGroup, until: Until
) -> None:
    rings: list[bytes] = []
    access = Access(cluster.url, name="test")
    channels = [keys.gateway_channel(str(number)) for number in range(8)]
    assert {cluster.owner(channel) for channel in channels} == set(cluster.servers)
    bells = [
        Doorbell(access, channel, on_ring=rings.append, on_join=lambda: None)
        for channel in channels
    ]
    listening = [asyncio.create_task(bell.run()) for bell in bells]
    await asyncio.wait_for(asyncio.gather(*(bell.wait_joined() for bell in bells)), 10)
    for server in cluster.servers:
        for channel in channels:
            ask(server, "PUBLISH", channel, f"{channel} {server.port}")
    await until(lambda: len(rings) == len(channels) * len(cluster.servers))
    assert len(set(rings)) == len(rings)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    await access.aclose()


async def test_fullest_shard_speaks_for_the_cluster(cluster: ClusterGroup) -> None:
    access = Access(cluster.url, name="test")
    fullest = cluster.servers[1]
    for server in cluster.servers:
        ask(server, "CONFIG", "SET", "maxmemory", "64mb" if server is fullest else "512mb")
    memory = await access.memory()
    for server in cluster.servers:
        ask(server, "CONFIG", "SET", "maxmemory", "0")
    assert memory.limit == 64 * 2**20
    assert 0 < memory.used < memory.limit
    await access.aclose()


async def test_sessions_outlive_planned_failovers_and_primaries_that_die_or_hang(
    start: Callable[..., Any],
) -> None:
    with ClusterGroup(replicas=True) as group:
        stack = await start(group.url)
        async with chatters(stack, 6) as everybody:
            async with talking(everybody):
                await say_more(everybody, 3)
                first = group.owner(keys.ASSIGN)
                ask(group.replica_of(first), "CLUSTER", "FAILOVER")
                await settled("failover", lambda: group.failed_over(first, keys.ASSIGN))
                await say_more(everybody, 3)

                second = group.owner(keys.ASSIGN)
                await settled("replica", lambda: group.replica_of(second) is first)
                # Its replica does not get what is written last: places in line, with sessions on
                # other servers, are lost.
                await stack.kill_transcriber(0, signal.SIGSTOP)
                cut_off_replicas(second)
                async with chatters(stack, 3) as newcomers:
                    await all_of(newcomers, lambda one: one.say(3))
                    second.kill()
                    group.lost.append(second)
                    await settled("failover", lambda: group.failed_over(second, keys.ASSIGN))
                    await stack.kill_transcriber(0, signal.SIGCONT)
                    await say_more(everybody, 3)
                    await all_of(newcomers, lambda one: one.end())

                states = [keys.state(one.session.sid) for one in everybody]
                state = next(state for state in states if group.owner(state) is not first)
                third = group.owner(state)
                third.pause()
                group.lost.append(third)
                await settled("failover", lambda: group.failed_over(third, state))
                await say_more(everybody, 3)
            await all_of(everybody, lambda one: one.end())
        async with chatters(stack, 2) as newcomers:
            await all_of(newcomers, lambda one: one.say(3))
            await all_of(newcomers, lambda one: one.end())


async def test_usage_of_a_tenant_is_whole_although_its_sessions_are_on_all_shards(
    cluster: ClusterGroup, start: Callable[..., Any]
) -> None:
    stack = await start(cluster.url)
    access = Access(cluster.url, name="test")
    reader = UsageReader(access)

    async def used() -> tuple[int, int, int]:
        now = time.time()
        rows = await reader.rows("", sorted({day_of(now - 3600), day_of(now)}))
        return (
            sum(row.samples for row in rows),
            sum(row.sessions for row in rows),
            sum(row.finals for row in rows),
        )

    before = await used()
    async with chatters(stack, 9) as everybody:
        assert shards(cluster, everybody) == set(cluster.servers)
        await all_of(everybody, lambda one: one.say(3))
        await all_of(everybody, lambda one: one.end())
    samples = sum(size for one in everybody for size in one.heard) // 2
    assert await used() == (before[0] + samples, before[1] + 9, before[2] + 27)
    await access.aclose()
