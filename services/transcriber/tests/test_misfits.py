"""A pool whose transcribers have different models, as in a rollout, on a real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.fleet import Member
from scripta_common.models import Model
from scripta_common.sessionlog import Roster
from scripta_common.wire import Ended, Failed
from scripta_transcriber.presence import Presence

pytestmark = pytest.mark.store

REST = 2.0
"""Seconds: longer than a slow machine takes for two sessions."""

Until = Callable[..., Awaitable[None]]
Enlist = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture
async def enlist(broker: Broker) -> AsyncIterator[Enlist]:
    """Has transcribers said to be there, by the one model that they have."""
    tasks: list[asyncio.Task[None]] = []
    roster = Roster(broker)

    async def do(name: str, pool: str = keys.DEFAULT_POOL) -> None:
        served = (Model((name,), ("en",)),)
        member = Member(pool, (name,), ("en",), 10, served=served)
        await roster.enlist(name, member)
        tasks.append(asyncio.create_task(Presence(roster, name, lambda: member).run()))

    yield do
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_session_goes_to_the_one_that_has_its_model(
    make_transcriber: Any, call: Any, enlist: Enlist, texts: Any
) -> None:
    one = make_transcriber(model="one", lease=0.6).start()
    two = make_transcriber(model="two", lease=0.6).start()
    for name in ("one", "two"):
        await enlist(name)
    sessions = [(await call(model=name), name) for name in ("one", "two") * 4]
    for session, name in sessions:
        await session.say(f"{name}.")
        await session.end()
    for session, name in sessions:
        results = await session.results()
        assert texts(results) == [f"{name}."]
        assert isinstance(results[-1], Ended)
        assert await session.epoch() == 1  # nobody else has claimed it
    assert set(one.engine.heard) == {"one."}
    assert set(two.engine.heard) == {"two."}


async def test_session_waits_for_the_one_that_has_its_model_and_is_taken_over_by_its_like(
    make_transcriber: Any, call: Any, enlist: Enlist, texts: Any, until: Until
) -> None:
    """Guards a takeover by whoever is free: the words of a session come from one model."""
    other = make_transcriber(model="other", lease=0.6).start()
    mine = make_transcriber(model="mine", lease=0.6).start()
    for name in ("mine", "other"):
        await enlist(name)
    session = await call(model="mine")
    await session.say("first. then")
    assert texts(await session.results(1)) == ["first."]
    await mine.kill()
    heir = make_transcriber(model="mine", lease=0.6).start()
    await until(lambda: session.sid in heir.sessions, 15)
    await session.say(" on.")
    await session.end()
    assert texts(await session.results()) == ["first.", "then on."]
    assert other.engine.heard == []


async def test_session_whose_model_nobody_in_its_pool_has_any_more_is_told_so(
    make_transcriber: Any, call: Any, enlist: Enlist
) -> None:
    await enlist("former", "gpu")
    await enlist("new")
    make_transcriber(model="new", lease=0.6).start()
    session = await call(model="former")
    await session.say("lost.")
    (failed,) = await session.results()
    assert isinstance(failed, Failed)
    assert failed.code == "model_gone"
    assert failed.message == (
        'Model "former" of this session is not served any more (known: new); connect again.'
    )


async def test_transcriber_that_is_full_looks_on(
    make_transcriber: Any, call: Any, enlist: Enlist, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It meets a session once, and then not before it has a slot again."""
    monkeypatch.setattr("scripta_transcriber.misfits._LOOK_SECONDS", 1.0)
    await enlist("new")
    full = make_transcriber(model="new", lease=0.6, slots=1).start()
    talker = await call(model="new")
    await until(lambda: talker.sid in full.sessions)
    await call(model="former")
    assert await full.worker._misfits.leave(await full.log.next_assignment(2))
    missed = full.worker._misfits._missed
    since, _ = missed["former"]
    await until(lambda: missed["former"][1] - since > 1.5)
    assert not await full.worker._misfits.leave(await full.log.next_assignment(2))


async def test_session_is_kept_while_the_broker_has_forgotten_who_is_there(
    make_transcriber: Any, call: Any, enlist: Enlist, texts: Any, until: Until
) -> None:
    """Guards sessions against a broker that comes back empty in the middle of a rollout."""
    new = make_transcriber(model="new", lease=0.6).start()
    session = await call(model="former")
    await session.say("kept.")
    await session.end()
    await until(lambda: new.worker._misfits._left)
    make_transcriber(model="former", lease=0.6).start()
    for name in ("new", "former"):
        await enlist(name)
    assert texts(await session.results()) == ["kept."]


async def test_model_that_was_missed_once_is_not_gone_at_the_next_look(
    make_transcriber: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    misfits = make_transcriber(model="new").worker._misfits
    now = [100.0]
    monkeypatch.setattr("scripta_transcriber.misfits.time.monotonic", lambda: now[0])
    us = [Member(keys.DEFAULT_POOL, ("new",), (), 1)]
    both = [*us, Member(keys.DEFAULT_POOL, ("old",), (), 1)]
    for seconds, members, gone in (
        (0.0, us, False),
        (0.1, both, False),
        (0.1, us, False),
        (0.1, us, False),
        (60.0, us, False),
        (0.1, [], False),
        (0.1, us, False),
        (0.3, us, True),
    ):
        now[0] += seconds
        assert misfits._is_gone("old", members) is gone, now


async def test_former_transcriber_that_has_the_model_gets_its_session(
    make_transcriber: Any, call: Any, broker: Broker, until: Until
) -> None:
    """Guards the first rollout of transcribers with several models."""
    new = make_transcriber(model="new", lease=0.6).start()
    former = Member(keys.DEFAULT_POOL, ("former", "former-tiny"), ("en",), 8)
    await Roster(broker).enlist("former", former)
    session = await call(model="former-tiny")
    await session.say("kept.")
    await until(lambda: new.worker._misfits._left)
    assert await session.epoch() == 0


async def test_session_that_is_left_to_others_is_in_line_at_once(
    make_transcriber: Any, call: Any, enlist: Enlist, redis: Redis
) -> None:
    """Guards gateways that put in line again what they see neither owned nor there."""
    await enlist("other")
    new = make_transcriber(model="new")
    await new.log.join()
    session = await call(model="other")
    for _ in range(2):
        assignment = await new.log.next_assignment(2)
        assert await new.worker._misfits.leave(assignment)
        assert (await redis.xpending(keys.ASSIGN, keys.GROUP))["pending"] == 0
        assert await session.log.is_served("", keys.DEFAULT_POOL)
    assert await redis.xlen(keys.ASSIGN) == 1


async def test_transcriber_rests_once_it_has_met_all_that_is_not_for_it(
    make_transcriber: Any, call: Any, enlist: Enlist, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the broker against sessions that go round as fast as they can."""
    monkeypatch.setattr("scripta_transcriber.misfits._REST_SECONDS", REST)
    await enlist("other")
    new = make_transcriber(model="new")
    await new.log.join()
    misfits = new.worker._misfits
    for _ in range(2):
        await call(model="other")
    rests = []
    for _ in range(3):
        assert await misfits.leave(await new.log.next_assignment(2))
        began = time.monotonic()
        await misfits.rest()
        rests.append(time.monotonic() - began >= REST)
    assert rests == [False, False, True]


async def test_session_behind_those_for_others_is_reached(
    make_transcriber: Any, call: Any, enlist: Enlist, texts: Any
) -> None:
    await enlist("other")
    for _ in range(5):
        await call(model="other")
    session = await call(model="new")
    await session.say("mine.")
    make_transcriber(model="new", slots=1).start()
    assert texts(await session.results(1)) == ["mine."]
