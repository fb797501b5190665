"""Sessions at the gateway whose broker goes away, hangs, or has forgotten a part or all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from session_steps import (
    SECOND,
    MakeHub,
    Until,
    append,
    collect,
    deaf,
    end,
    entries,
    hear_again,
    opened,
    poll,
    texts,
)

from scripta_common import keys
from scripta_common.errors import BrokerUnavailable
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Ring,
)
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store


async def test_entries_that_the_broker_has_forgotten_come_again_without_more_audio(
    make_hub: MakeHub, scribe: Any, redis: Redis
) -> None:
    """Guards a client that has sent its last before a failover to a replica without it."""
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND * 2, 1)
    await end(session)
    [first, *_] = await redis.xrange(keys.audio(session.sid))
    await redis.delete(keys.audio(session.sid))
    await redis.xadd(keys.audio(session.sid), first[1], id=first[0])
    await redis.hset(keys.state(session.sid), "seq", 1)

    await poll(hub, session)
    await scribe.work(until_seq=3)
    results = await collect(session, 3)
    assert texts(results) == entries(1, 2)
    assert results[2] == Ended(3, 2.0)


@pytest.mark.parametrize("moment", ["before", "between", "after"])
async def test_broker_that_forgets_everything_is_refilled_without_gap_or_double(
    make_hub: MakeHub, scribe: Any, redis: Redis, moment: str
) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND * 4, 1)
    if moment != "before":
        await scribe.work(until_seq=2 if moment == "between" else 4)
        assert texts(await collect(session, scribe.seq)) == entries(1, scribe.seq)
    done = scribe.seq
    await redis.flushall()
    await append(session, SECOND * 2, 1)
    await scribe.let_go()
    assert (scribe.claim.checkpoint.seq, scribe.claim.index) == (done, done)
    await end(session)
    await scribe.work(until_seq=7)
    results = await collect(session, 7 - done)
    assert texts(results) == entries(done + 1, 6)
    assert [result.index for result in results] == list(range(done + 1, 8))


async def test_silent_session_is_refilled_by_the_poll(
    make_hub: MakeHub, scribe: Any, redis: Redis
) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND * 2, 1)
    await redis.flushall()
    await poll(hub, session)
    await scribe.let_go()
    await scribe.work(until_seq=2)
    assert texts(await collect(session, 2)) == entries(1, 2)


async def test_finals_that_were_committed_and_not_heard_come_again_after_a_loss(
    make_hub: MakeHub, scribe: Any, redis: Redis, until: Until
) -> None:
    """The checkpoint had moved past them at the gateway, which then had no audio to refill."""
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND * 4, 1)
    await deaf(session)
    await scribe.work(until_seq=2)
    hear_again(session)
    ring = Ring(session.sid, 3 * SAMPLE_RATE, 3, 3, (scribe.history[0],))
    session.ring(ring)  # of 3 finals, one is heard, and that the checkpoint has moved
    await redis.flushall()
    await append(session, SECOND, 1)
    await scribe.let_go()
    await scribe.work(until_seq=5)
    assert texts(await collect(session, 5)) == entries(1, 5)
    await until(lambda: not session.outstanding)


async def test_finals_past_the_known_checkpoint_are_not_doubled_by_a_loss(
    make_hub: MakeHub, scribe: Any, redis: Redis
) -> None:
    """They were read from the log, the ring with their checkpoint was lost."""
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND * 4, 1)
    await deaf(session)
    await scribe.work(until_seq=3)
    session.read_up()
    assert texts(await collect(session, 3)) == entries(1, 3)
    hear_again(session)
    assert session._exchange.ledger.checkpoint == Checkpoint()
    await redis.flushall()
    await append(session, SECOND, 1)
    await scribe.let_go()
    await scribe.work(until_seq=5)
    results = await collect(session, 2)
    assert texts(results) == entries(4, 5)


async def test_append_that_waits_for_room_survives_a_loss(
    make_hub: MakeHub, scribe: Any, redis: Redis
) -> None:
    """It holds the lock that the refill needs, and only the refill can make room."""
    hub = await make_hub(backlog=2)
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND * 2, 1)
    waiting = asyncio.create_task(append(session, SECOND * 2, 1))
    await asyncio.wait([waiting], timeout=0.05)
    await redis.flushall()
    await poll(hub, session)
    await scribe.let_go()
    await scribe.work(until_seq=4)
    await asyncio.wait_for(waiting, 5)
    assert texts(await collect(session, 4)) == entries(1, 4)


@pytest.mark.parametrize("part", ["state", "results", "audio and state"])
async def test_loss_of_a_part_is_healed(
    make_hub: MakeHub, scribe: Any, redis: Redis, part: str
) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND * 4, 1)
    await deaf(session)
    await scribe.work(until_seq=2)
    hear_again(session)
    for name in part.split(" and "):
        await redis.delete(f"{keys.PREFIX}{{{session.sid}}}:{name}")
    if part == "results":
        session.read_up()
        [third, _] = await scribe.log.read(session.sid, 2, 2)
        await scribe.commit(third, scribe.results_of(third))  # a gap that nothing can fill
    else:
        await append(session, SECOND, 1)
    reading = asyncio.create_task(collect(session, 4))
    await scribe.let_go()
    assert scribe.claim.checkpoint == Checkpoint()
    await scribe.work(until_seq=4)
    assert texts(await reading) == entries(1, 4)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_session_outlives_a_broker_that_comes_back_empty(
    make_hub: MakeHub, make_scribe: Callable[..., Any], own_broker: BrokerProcess, end: str
) -> None:
    hub = await make_hub(own_broker.url)
    scribe = make_scribe(own_broker.url)
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND * 2, 1)
    await scribe.work(until_seq=1)
    assert texts(await collect(session, 1)) == entries(1, 1)

    getattr(own_broker, end)()
    appending = asyncio.create_task(append(session, SECOND * 2, 1))
    done, _ = await asyncio.wait([appending], timeout=0.2)
    assert not done
    with pytest.raises(BrokerUnavailable):
        await opened(hub)
    own_broker.start()
    await asyncio.wait_for(appending, 15)
    await scribe.let_go()
    await scribe.work(until_seq=4)
    assert texts(await collect(session, 3)) == entries(2, 4)


async def test_session_outlives_a_broker_that_hangs(
    make_hub: MakeHub, make_scribe: Callable[..., Any], own_broker: BrokerProcess
) -> None:
    hub = await make_hub(own_broker.url)
    scribe = make_scribe(own_broker.url)
    session = await opened(hub)
    await scribe.take()
    own_broker.pause()
    appending = asyncio.create_task(append(session, SECOND * 3, 1))
    done, _ = await asyncio.wait([appending], timeout=2.5)
    assert not done
    own_broker.resume()
    await asyncio.wait_for(appending, 10)
    await scribe.work(until_seq=3)
    assert texts(await collect(session, 3)) == entries(1, 3)


async def test_broker_that_stays_away_ends_the_session(
    make_hub: MakeHub, own_broker: BrokerProcess
) -> None:
    hub = await make_hub(own_broker.url, broker_patience=0.2)
    session = await opened(hub)
    own_broker.kill()
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(append(session, SECOND, 1), 10)
