"""Workers that drain, fail or lose their broker: their sessions go on elsewhere, or again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from worker_steps import SHORT, SPEECH, Texts, Until, holders, undisturbed, until_no_lease

from scripta_common import keys
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store


async def test_drain_hands_live_sessions_off_and_returns_soon(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    expected = await undisturbed(make_transcriber, call)
    first = make_transcriber().start()
    session = await call()
    await session.say(*SPEECH)
    await session.results(3)
    await asyncio.wait_for(first.worker.drain(), 5)
    await asyncio.wait_for(first.tasks[0], 5)
    assert not first.worker.ready
    consumers = await redis.xinfo_consumers(keys.ASSIGN, keys.GROUP)
    assert first.log._id.encode() not in {consumer["name"] for consumer in consumers}

    make_transcriber(lease=60).start()  # it need not wait for any lease to expire
    await session.finalize()
    await session.say(" the end")
    await session.end()
    assert await session.results() == expected


async def test_drain_does_not_wait_for_an_engine_that_hangs(
    make_transcriber: Any, call: Any, until: Until, texts: Texts
) -> None:
    first = make_transcriber().start()
    session = await call()
    await session.say("What?.")
    await until(first.engine.waiting.is_set)
    await asyncio.wait_for(first.worker.drain(), 6)
    await asyncio.wait_for(first.tasks[0], 6)
    second = make_transcriber()
    second.engine.go.set()
    second.start()
    await session.end()
    assert texts(await session.results()) == ["What?."]


async def test_worker_that_fails_leaves_its_sessions_to_others(
    make_transcriber: Any, call: Any, until: Until, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still at work when the threads end would be taken for the engine's failure."""

    async def refuse(*_: object) -> None:
        raise ResponseError("NOPERM")

    first = make_transcriber(lease=1).start()
    session = await call()
    await session.say("What?.")
    await until(first.engine.waiting.is_set)
    monkeypatch.setattr(first.log, "renew", refuse)
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(first.tasks[0], 10)
    assert not first.sessions
    second = make_transcriber()
    second.engine.go.set()
    second.start()
    await session.end()
    assert texts(await session.results()) == ["What?."]


async def test_drain_of_a_full_transcriber_takes_nothing_more(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    first = make_transcriber(slots=1).start()
    sessions = [await call() for _ in range(2)]
    await until(lambda: first.sessions)
    await asyncio.wait_for(first.worker.drain(), 5)
    await asyncio.wait_for(first.tasks[0], 5)
    assert await holders(redis) == []
    assert await redis.xlen(keys.ASSIGN) == 2
    for session in sessions:
        assert await session.epoch() <= 1


async def test_drain_ends_although_the_broker_is_away(
    make_transcriber: Any, call: Any, until: Until, own_broker: BrokerProcess
) -> None:
    first = make_transcriber(own_broker.url).start()
    session = await call(own_broker.url)
    await session.say("One.")
    await session.results(1)
    own_broker.kill()
    await asyncio.wait_for(first.worker.drain(), 15)
    await asyncio.wait_for(first.tasks[0], 15)
    assert first.tasks[0].exception() is None


async def test_engine_that_fails_costs_its_session_and_no_other(
    make_transcriber: Any, call: Any
) -> None:
    transcriber = make_transcriber().start()
    bad, good = await call(), await call()
    await bad.say("Fails!.")
    await good.say("Fine.")
    assert (await bad.results())[-1].code == "engine_failure"
    assert [result.text for result in await good.results(1)] == ["Fine."]
    assert good.sid in transcriber.sessions


async def test_session_that_the_broker_lost_is_let_go(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    transcriber = make_transcriber().start()
    session = await call()
    await until(lambda: transcriber.sessions)
    await redis.delete(keys.state(session.sid))
    await until(lambda: not transcriber.sessions)
    await until_no_lease(redis, until)


async def test_broker_that_forgets_everything_is_joined_again(
    make_transcriber: Any, call: Any, until: Until, redis: Redis
) -> None:
    transcriber = make_transcriber(lease=SHORT).start()
    await call()
    await until(lambda: transcriber.sessions)
    await redis.flushall()
    await until(lambda: not transcriber.sessions)
    session = await call()
    await session.say("Again.")
    assert [result.text for result in await session.results(1)] == ["Again."]


async def test_broker_that_comes_back_empty_is_served_again(
    make_transcriber: Any, call: Any, until: Until, own_broker: BrokerProcess
) -> None:
    transcriber = make_transcriber(own_broker.url, lease=SHORT).start()
    await call(own_broker.url)
    await until(lambda: transcriber.sessions)
    own_broker.kill()
    own_broker.start()
    session = await call(own_broker.url)
    await session.say("Again.")
    assert [result.text for result in await session.results(1)] == ["Again."]
