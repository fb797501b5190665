"""Metering by transcribers: usage equals what was accepted, whatever dies on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import TranscriberLog
from scripta_common.usage import Meter, UsageReader, Used, day_of
from scripta_common.wire import Ended, Failed
from scripta_transcriber import metering as metering_module
from scripta_transcriber.metering import AGAIN_SECONDS, KEEP_SECONDS, Metering

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
TENANT = {"tenant": "acme", "key": "web"}
SESSION = Used("a", "acme", "web", "letters", samples=100, finals=1)


@pytest.fixture
def total(broker: Broker) -> Callable[[], Awaitable[tuple[int, int, int]]]:
    """Returns the samples, sessions and finals of the tenant, of all days and models."""

    async def add_up() -> tuple[int, int, int]:
        now = time.time()
        days = sorted({day_of(now - 3600), day_of(now)})
        rows = await UsageReader(broker).rows("acme", days)
        return (
            sum(row.samples for row in rows),
            sum(row.sessions for row in rows),
            sum(row.finals for row in rows),
        )

    return add_up


class Stuck(TranscriberLog):
    """A log that does not carry out the commits behind a number of them."""

    before = 0
    stuck = asyncio.Event()

    async def commit(self, *arguments: Any, **more: Any) -> None:
        self.before -= 1
        if self.before < 0:
            self.stuck.set()
            await asyncio.Event().wait()
        await super().commit(*arguments, **more)


def stuck_behind(commits: int) -> type[TranscriberLog]:
    return type("StuckBehind", (Stuck,), {"before": commits, "stuck": asyncio.Event()})


async def test_what_is_counted_stands_when_the_client_hears_of_the_end(
    make_transcriber: Any, call: Any, total: Any, broker: Broker
) -> None:
    make_transcriber().start()
    session = await call(**TENANT)
    await session.say("one.", "two", " words.three")
    await session.end()
    await session.results()
    assert await total() == (session.samples, 1, 3)
    (row,) = await UsageReader(broker).rows("acme", [day_of(time.time())])
    assert (row.key, row.model) == ("web", "letters")


async def test_living_session_is_counted_while_it_goes_on(
    make_transcriber: Any, call: Any, total: Any, until: Until
) -> None:
    """Guards limits of a day, which are held to what is counted."""
    make_transcriber().start()
    session = await call(**TENANT)
    await session.say("one.", "two")

    async def counted() -> bool:
        return bool(await total() == (4, 1, 1))

    await until(counted)


@pytest.mark.parametrize("commits", [0, 1])
async def test_transcriber_killed_between_count_and_commit_is_counted_once(
    commits: int, make_transcriber: Any, call: Any, total: Any, until: Until
) -> None:
    """Guards the moment in which a second could be billed twice, or never."""
    log = stuck_behind(commits)
    first = make_transcriber(lease=0.5, log=log).start()
    session = await call(**TENANT)
    await session.say("one.", "two.")
    await until(lambda: commits == 0 or first.engine.heard)
    await session.say("three")
    await session.end()
    await asyncio.wait_for(cast("Any", log).stuck.wait(), 10)
    await first.kill()
    make_transcriber(lease=0.5).start()
    await session.results()
    assert await total() == (session.samples, 1, 3)


class StuckBehindTheEnd(TranscriberLog):
    """A log whose caller hears nothing of an end that was committed."""

    stuck: asyncio.Event

    async def commit(self, *arguments: Any, **more: Any) -> None:
        await super().commit(*arguments, **more)
        if isinstance(arguments[-1][-1], Ended):
            self.stuck.set()
            await asyncio.Event().wait()


async def test_transcriber_killed_behind_the_commit_of_an_end_has_counted_it(
    make_transcriber: Any, call: Any, total: Any
) -> None:
    """Guards the last seconds of a session: nobody is left to count them."""
    log = type("Log", (StuckBehindTheEnd,), {"stuck": asyncio.Event()})
    first = make_transcriber(log=log).start()
    session = await call(**TENANT)
    await session.say("one.", "two.")
    await session.end()
    await asyncio.wait_for(log.stuck.wait(), 10)
    await first.kill()
    await session.results()
    assert await total() == (session.samples, 1, 2)


async def test_former_owner_that_wakes_up_late_counts_nothing_twice(
    make_transcriber: Any, call: Any, total: Any, until: Until
) -> None:
    first = make_transcriber(lease=0.5).start()
    session = await call(**TENANT)
    await session.say("one.", "two?.")
    await until(first.engine.waiting.is_set)
    first.lose_heartbeat()
    second = make_transcriber(lease=0.5)
    second.engine.go.set()
    second.start()
    await until(lambda: session.sid in second.sessions)
    await session.end()
    await session.results()
    first.engine.go.set()
    await until(lambda: not first.sessions)
    await first.metering.run_once()
    assert await total() == (session.samples, 1, 2)


async def test_broker_that_forgets_gets_the_living_and_the_latest_ends_again(
    make_transcriber: Any, call: Any, total: Any, redis: Redis, until: Until
) -> None:
    """Guards usage behind a failover to a replica that lacks the last moments."""
    make_transcriber().start()
    ended, living = await call(**TENANT), await call(**TENANT)
    await ended.say("one.")
    await ended.end()
    await ended.results()
    await living.say("two.")

    async def counted() -> bool:
        return bool(await total() == (ended.samples + living.samples, 2, 2))

    await until(counted)
    for name in await redis.keys(keys.of_tenant("acme", "*")):
        await redis.delete(name)
    await redis.delete(keys.TENANTS)
    assert await total() == (0, 0, 0)
    await living.say("three.")
    await until(lambda: _is(total, ended.samples + living.samples, 2, 3))
    await until(lambda: redis.zscore(keys.TENANTS, "acme"))


async def _is(total: Any, *expected: int) -> bool:
    return bool(await total() == expected)


async def test_session_that_is_given_up_counts_what_was_taken_in(
    make_transcriber: Any, call: Any, total: Any, redis: Redis, until: Until
) -> None:
    """Guards audio that was accepted of a client whose gateway is gone for good."""
    transcriber = make_transcriber().start()
    session = await call(**TENANT)
    await session.say("one.", "and more")
    await session.results(1)
    await until(lambda: _is(total, 4, 1, 1))
    names = keys.state(session.sid), keys.audio(session.sid), keys.results(session.sid)
    await redis.delete(*names)
    await until(lambda: not transcriber.sessions)
    await until(lambda: _is(total, session.samples, 1, 1))


async def test_session_that_fails_counts_what_was_transcribed(
    make_transcriber: Any, call: Any, total: Any
) -> None:
    make_transcriber().start()
    session = await call(**TENANT)
    await session.say("one.", "two!.")
    results = await session.results()
    assert isinstance(results[-1], Failed)
    assert await total() == (4, 1, 1)


async def test_session_that_ends_without_a_final_is_a_session(
    make_transcriber: Any, call: Any, total: Any, by_message: Any
) -> None:
    make_transcriber(engine=by_message).start()
    session = await call(**TENANT)
    await session.end()
    await session.results()
    assert await total() == (0, 1, 0)


class ScriptedMeter:
    """Remembers what it is told, and can be away."""

    def __init__(self) -> None:
        self.counted: dict[str, int] = {}
        self.calls: list[Used] = []
        self.noted: list[set[str]] = []
        self.away = False

    async def count(self, used: Used) -> int:
        if self.away:
            raise BrokerUnavailable
        self.calls.append(used)
        before = self.counted.get(used.sid, -1)
        self.counted[used.sid] = max(before, used.samples)
        return before

    async def note(self, tenants: set[str]) -> None:
        if self.away:
            raise BrokerUnavailable
        self.noted.append(tenants)


class Bench:
    """Metering with a scripted meter and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.meter = ScriptedMeter()
        self.metering = Metering(cast("Meter", self.meter), lambda: self.now)

    async def answers(self) -> None:
        """The server of the session."""

    def taken(self) -> list[tuple[str, int]]:
        calls, self.meter.calls = self.meter.calls, []
        return [(used.sid, used.samples) for used in calls]

    async def round(self, seconds: float = 1.0) -> list[tuple[str, int]]:
        self.now += seconds
        await self.metering.run_once()
        return self.taken()


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_many_commits_of_a_round_are_one_count(bench: Bench) -> None:
    """Guards the broker from a count for each of many short messages."""
    for samples in range(50):
        bench.metering.progress(replace(SESSION, samples=samples))
    assert await bench.round() == [("a", 49)]
    assert await bench.round() == []


async def test_count_that_fails_is_made_in_the_next_round(bench: Bench) -> None:
    bench.meter.away = True
    bench.metering.progress(SESSION)
    bench.metering.lose(replace(SESSION, sid="b"))
    await bench.round()
    await bench.round(KEEP_SECONDS)
    bench.meter.away = False
    assert await bench.round() == [("a", 100), ("b", 100)]
    assert await bench.round() == []


async def test_end_is_counted_again_once_and_then_looked_at_now_and_then(bench: Bench) -> None:
    await bench.metering.settle(replace(SESSION, over=True), bench.answers)
    assert bench.taken() == [("a", 100)]
    assert await bench.round(AGAIN_SECONDS - 1) == []
    assert await bench.round(1.0) == [("a", 100)]
    assert await bench.round(1.0) == []
    assert await bench.round(AGAIN_SECONDS) == [("a", 100)]
    assert await bench.round(KEEP_SECONDS) == []


async def test_end_waits_for_a_server_of_its_tenant_that_hangs_but_not_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards clients from a shard of a Cluster that their sessions are not on."""
    monkeypatch.setattr(metering_module, "_RETRY_SECONDS", 0.001)
    bench.meter.away = True
    settling = asyncio.create_task(bench.metering.settle(SESSION, bench.answers))
    await asyncio.sleep(0.02)  # the time of many tries
    assert not settling.done()
    bench.now += metering_module.SETTLE_SECONDS
    await asyncio.wait_for(settling, 5)
    assert await bench.round() == []
    bench.meter.away = False
    assert await bench.round() == [("a", 100)]


async def test_end_waits_as_long_as_nothing_answers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the last seconds of sessions that end in an outage of the broker."""
    monkeypatch.setattr(metering_module, "_RETRY_SECONDS", 0.001)
    bench.meter.away = True
    asked = asyncio.Event()

    async def no_answer() -> None:
        asked.set()
        raise BrokerUnavailable

    settling = asyncio.create_task(bench.metering.settle(SESSION, no_answer))
    await asyncio.sleep(0)
    bench.now += metering_module.SETTLE_SECONDS
    await asyncio.wait_for(asked.wait(), 5)
    bench.meter.away = False
    await asyncio.wait_for(settling, 5)
    assert bench.taken() == [("a", 100)]


async def test_what_is_forgotten_makes_all_ends_be_counted_again(bench: Bench) -> None:
    for sid in "abc":
        await bench.metering.settle(replace(SESSION, sid=sid, over=True), bench.answers)
    await bench.round(AGAIN_SECONDS)
    bench.taken()
    bench.meter.counted.clear()
    assert await bench.round(AGAIN_SECONDS + 1) == [("c", 100)]
    assert await bench.round() == [("a", 100), ("b", 100)]
    assert bench.meter.counted == {"a": 100, "b": 100, "c": 100}
    assert len(bench.meter.noted) >= 2, "its tenants are noted down again"


async def test_process_that_ends_counts_what_nobody_else_would(bench: Bench) -> None:
    bench.meter.away = True
    bench.metering.lose(SESSION)
    bench.metering.progress(replace(SESSION, sid="b"))
    bench.metering.leave("b")
    await bench.round()
    bench.meter.away = False
    await bench.metering.close()
    assert sorted(bench.taken()) == [("a", 100), ("b", 100)]


async def test_tenants_are_noted_down_at_once_and_then_once_a_minute(bench: Bench) -> None:
    """Guards an operator's list: a tenant whose sessions are short belongs to it, too."""
    await bench.metering.settle(SESSION, bench.answers)
    await bench.round()
    assert bench.meter.noted == [{"acme"}]
    await bench.metering.settle(SESSION, bench.answers)
    await bench.round()
    assert bench.meter.noted == [{"acme"}]
    await bench.round(60.0)
    await bench.round()
    assert bench.meter.noted == [{"acme"}] * 2


async def test_ends_that_are_kept_are_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering_module, "MOST_KEPT", 3)
    for number in range(10):
        await bench.metering.settle(replace(SESSION, sid=f"{number}"), bench.answers)
    assert len(bench.metering._ended) == 3
    await bench.round(AGAIN_SECONDS)
    await bench.round(KEEP_SECONDS)
    assert not bench.metering._ended
    assert not bench.metering._living
