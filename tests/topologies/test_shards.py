"""Access to the shards of a Cluster: lanes of its own for each, and keys found where they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from scripta_common import keys
from scripta_common.broker import Broker as Access
from scripta_common.broker import Script
from scripta_common.errors import BrokerUnavailable
from scripta_common.lanes import LANES
from scripta_common.servers import COMMAND_TIMEOUT
from scripta_common.sessionlog import Doorbell
from scripta_local.broker import Broker

from .chatter import Chatter, all_of, chatters
from .servers import ClusterGroup, ask, settled

pytestmark = [pytest.mark.system, pytest.mark.slow]

Until = Callable[..., Awaitable[None]]
SET = Script("set", "return redis.call('SET', KEYS[1], ARGV[1])")
NAME = "shards"


@pytest.fixture
def cluster() -> Iterator[ClusterGroup]:
    """Three primaries that go on answering when one of them does not."""
    with ClusterGroup() as group:
        for server in group.servers:
            ask(server, "CONFIG", "SET", "cluster-require-full-coverage", "no")
        yield group
        for server in group.servers:
            server.resume()


@pytest_asyncio.fixture
async def access(cluster: ClusterGroup) -> AsyncIterator[Access]:
    access = Access(cluster.url, name=NAME)
    yield access
    await access.aclose()


def keys_of(cluster: ClusterGroup, server: Broker, count: int) -> list[str]:
    """Keys of sessions that a server has."""
    states = (keys.state(f"s{number}") for number in range(1000))
    found = (state for state in states if cluster.owner(state) is server)
    return [next(found) for _ in range(count)]


def hang(cluster: ClusterGroup, server: Broker) -> None:
    server.pause()
    cluster.lost.append(server)  # nobody can ask it any more where a key is


class Visitors:
    """Callers that use their keys ten times a second each."""

    def __init__(self, access: Access, used: list[str]) -> None:
        self._access = access
        self.took: list[float] = []
        self.failed = 0
        self._tasks = [asyncio.create_task(self._visit(key)) for key in used]

    async def _visit(self, key: str) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._access.run(SET, [key], "x")
            except BrokerUnavailable:
                self.failed += 1
            self.took.append(time.monotonic() - began)
            await asyncio.sleep(0.1)

    def slowest_but_one_in_hundred(self) -> float:
        return sorted(self.took)[int(len(self.took) * 0.99)]

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_shard_that_hangs_delays_nobody_on_the_others(
    cluster: ClusterGroup, access: Access, until: Until
) -> None:
    """Guards healthy shards: their commands waited in the lanes of the one that hung."""
    hung, *healthy = cluster.servers
    here = [key for server in healthy for key in keys_of(cluster, server, 6)]
    theirs = keys_of(cluster, hung, 4)
    there = Visitors(access, theirs)
    visitors = Visitors(access, here)
    await asyncio.sleep(1)  # they have come and gone often
    hang(cluster, hung)
    visitors.took.clear()
    await asyncio.sleep(2 * COMMAND_TIMEOUT + 1)  # so long does the shard hang
    assert there.failed
    assert visitors.failed == 0
    assert visitors.slowest_but_one_in_hundred() < 0.2
    hung.resume()

    async def back() -> bool:
        return all(await asyncio.gather(*(access.execute("GET", key) for key in theirs)))

    await until(back)
    await visitors.leave()
    await there.leave()


async def test_broker_can_be_used_although_a_shard_has_hung_from_the_start(
    cluster: ClusterGroup, until: Until
) -> None:
    hung = next(s for s in cluster.servers if s is not cluster.owner(keys.ASSIGN))
    hang(cluster, hung)
    access = Access(cluster.url, name=NAME)
    await asyncio.wait_for(access.ping(), 3)
    [theirs] = keys_of(cluster, hung, 1)
    with pytest.raises(BrokerUnavailable):
        await access.execute("GET", theirs)
    assert await access.memory() is not None
    await access.aclose()


async def test_only_the_shard_with_the_line_makes_the_broker_unavailable(
    cluster: ClusterGroup, access: Access
) -> None:
    await access.ping()
    line = cluster.owner(keys.ASSIGN)
    hang(cluster, line)
    with pytest.raises(BrokerUnavailable):
        await access.ping()
    for server in cluster.reachable:
        await access.execute("GET", keys_of(cluster, server, 1)[0])


async def test_bell_on_a_shard_that_hangs_is_heard_on_another(
    cluster: ClusterGroup, access: Access, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a gateway whose channel's shard hangs against hearing nothing until it is mended."""
    monkeypatch.setattr("scripta_common.sessionlog.doorbell._DEAD_SECONDS", 1.0)
    monkeypatch.setattr("scripta_common.sessionlog.doorbell._LISTEN_SECONDS", 0.4)
    channel = keys.gateway_channel("one")
    rings: list[bytes] = []
    joined: list[float] = []
    bell = Doorbell(
        access, channel, on_ring=rings.append, on_join=lambda: joined.append(time.monotonic())
    )
    listening = asyncio.create_task(bell.run())
    await until(lambda: joined)
    hung = cluster.owner(channel)
    hang(cluster, hung)
    await until(lambda: len(joined) > 1)
    healthy = cluster.reachable[0]
    await access.execute("PUBLISH", keys_of(cluster, healthy, 1)[0], "for nobody")
    ask(healthy, "PUBLISH", channel, "ring")
    await until(lambda: rings == [b"ring"])
    listening.cancel()
    await asyncio.wait([listening])


@pytest.mark.parametrize("moved", [False, True], ids=["while it moves", "when it has moved"])
async def test_key_is_found_where_its_slot_goes(
    cluster: ClusterGroup, access: Access, moved: bool
) -> None:
    [key] = keys_of(cluster, cluster.servers[0], 1)
    await access.execute("SET", key, "here")
    source, target = cluster.servers[:2]
    slot = ask(source, "CLUSTER", "KEYSLOT", key)
    ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.node_id(source))
    ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.node_id(target))
    ask(source, "MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    if moved:
        for server in (target, source):
            ask(server, "CLUSTER", "SETSLOT", slot, "NODE", cluster.node_id(target))
    others = [k for server in cluster.servers for k in keys_of(cluster, server, 2) if k != key]
    answers = await asyncio.gather(
        *(access.run(SET, [other], "there") for other in others),
        access.execute("GET", key),
        access.execute("APPEND", key, " and there"),
    )
    assert answers[-2:] == [b"here", len("here and there")]
    assert await access.run(SET, [key], "gone on") == b"OK"
    assert await access.execute("GET", key) == b"gone on"
    if moved:
        assert await access.execute_blocking(0.1, "GET", key) == b"gone on"


async def test_blocking_read_follows_its_key(
    cluster: ClusterGroup, access: Access, until: Until
) -> None:
    [key] = keys_of(cluster, cluster.servers[0], 1)
    read = ("XREADGROUP", "GROUP", "g", "me", "BLOCK", 100, "STREAMS", key, ">")
    await access.execute("XGROUP", "CREATE", key, "g", "0", "MKSTREAM")
    assert await access.execute_blocking(0.1, *read) is None
    await asyncio.to_thread(cluster.migrate, key, cluster.servers[1])
    await access.execute("XADD", key, "*", "n", 1)
    answer = await access.execute_blocking(0.1, *read)
    assert len(answer[key.encode()]) == 1


async def test_connections_do_not_grow_with_commands_or_looks(
    cluster: ClusterGroup, access: Access
) -> None:
    used = [key for server in cluster.servers for key in keys_of(cluster, server, 20)]
    for _ in range(20):
        await asyncio.gather(*(access.run(SET, [key], "x") for key in used))
        access._servers.failed(TimeoutError())
        await asyncio.sleep(0.02)

    def ours() -> list[int]:
        lists = [ask(server, "CLIENT", "LIST").decode() for server in cluster.servers]
        return [clients.count(f"name={NAME}") for clients in lists]

    await settled("looks", lambda: max(ours()) <= LANES)
    assert min(ours()) >= 1


async def test_commands_for_a_primary_that_hangs_find_its_successor(
    until: Until,
) -> None:
    """Guards sessions against waiting for a server that has no slots any more."""
    with ClusterGroup(replicas=True) as group:
        access = Access(group.url, name=NAME)
        hung = group.servers[0]
        used = keys_of(group, hung, 4)
        visitors = Visitors(access, used)
        await until(lambda: len(visitors.took) > 8)
        hang(group, hung)
        await settled("failover", lambda: group.failed_over(hung, used[0]))
        began = time.monotonic()

        async def served() -> bool:
            try:
                return await access.execute("GET", used[0]) == b"x"
            except BrokerUnavailable:
                return False

        await until(served)
        assert time.monotonic() - began < 2 * COMMAND_TIMEOUT + 2
        await visitors.leave()
        hung.resume()
        await access.aclose()


async def test_closing_lets_nobody_wait(cluster: ClusterGroup) -> None:
    access = Access(cluster.url, name=NAME)
    hung = cluster.servers[0]
    [key] = keys_of(cluster, hung, 1)
    await access.execute("GET", key)
    hang(cluster, hung)
    waiting: Any = [asyncio.create_task(access.execute("GET", key)) for _ in range(10)]
    await asyncio.sleep(0.05)
    await asyncio.wait_for(access.aclose(), 5)
    done, pending = await asyncio.wait(waiting, timeout=5)
    assert not pending
    assert all(task.cancelled() for task in done)


async def test_sessions_on_healthy_shards_do_not_notice_one_that_hangs(
    cluster: ClusterGroup, start: Callable[..., Any]
) -> None:
    """Guards whole sessions: acknowledgements keep their pace, words come, newcomers get in."""
    stack = await start(cluster.url)
    async with chatters(stack, 12) as everybody:
        owners = {one: cluster.owner(keys.state(one.session.sid)) for one in everybody}
        needed = {cluster.owner(keys.ASSIGN), cluster.owner(keys.FLEET)}
        hung = next(server for server in cluster.servers if server not in needed)
        healthy = [one for one in everybody if owners[one] is not hung]
        assert 0 < len(healthy) < len(everybody)
        await all_of(everybody, lambda one: one.say(3))
        await all_of(everybody, lambda one: one.until_heard())

        async def slowest(count: int) -> float:
            took: list[float] = []

            async def say(one: Chatter) -> None:
                for _ in range(count):
                    began = time.monotonic()
                    await one.say(1)
                    took.append(time.monotonic() - began)
                    await asyncio.sleep(0.1)

            await all_of(healthy, say)
            return sorted(took)[int(len(took) * 0.99)]

        before = await slowest(30)
        hang(cluster, hung)
        during = await slowest(70)
        print(f"acknowledgements p99 {before * 1e3:.0f} ms, while a shard hangs {during * 1e3:.0f}")
        assert during < max(3 * before, 0.25)
        await all_of(healthy, lambda one: one.until_heard())
        hung.resume()
        cluster.lost.clear()
        await all_of(everybody, lambda one: one.say(3))
        await all_of(everybody, lambda one: one.end())
