"""Sessions at the gateway against a real broker, with a transcriber that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.errors import BrokerUnavailable, Draining, GatewayFull, NoCapacity
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Entry,
    Failed,
    Final,
    Interim,
    Reason,
    Ring,
)
from scripta_gateway.bounds import MAX_UNDELIVERED
from scripta_gateway.hub import Hub
from scripta_gateway.session import Session
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store

SECOND = bytes(2 * SAMPLE_RATE)
OPTIONS = SessionOptions()
Until = Callable[..., Awaitable[None]]
MakeHub = Callable[..., Awaitable[Hub]]


async def append(session: Session, pcm: bytes, message_bytes: int) -> None:
    """Enters audio; returns when the log has it."""
    session.enter(pcm, message_bytes)
    await session.write()


async def end(session: Session) -> None:
    """Enters the end of the stream; returns when the log has it."""
    session.end()
    await session.write()


async def collect(session: Session, count: int, seconds: float = 10) -> list[Any]:
    """Waits for so many recorded results."""
    results: list[Any] = []
    async with asyncio.timeout(seconds):
        while len(results) < count:
            results += [r for r in await session.next_results() if not isinstance(r, Interim)]
    return results


async def opened(hub: Hub, options: SessionOptions = OPTIONS) -> Session:
    """Opens a session and puts it in line before it has anything to be heard."""
    session = await hub.open(options)
    await session._writer.join()
    return session


def texts(results: list[Any]) -> list[str]:
    return [result.text for result in results if isinstance(result, Final)]


def entries(first: int, last: int) -> list[str]:
    return [f"entry {seq}" for seq in range(first, last + 1)]


async def deaf(session: Session) -> None:
    """Makes a session miss all rings from here on."""
    session.ring = lambda *_: None  # type: ignore[method-assign]


async def poll(hub: Hub, session: Session) -> None:
    """Does at once what the hub does when nothing was heard for a while."""
    session.heard_at = float("-inf")
    await hub.keep_up_once()


def hear_again(session: Session) -> None:
    del session.ring  # type: ignore[attr-defined]


async def test_session_from_open_to_ended(make_hub: MakeHub, scribe: Any) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND, len(SECOND))
    session.finalize(Reason.FINALIZE)
    await session.write()
    assert session.outstanding
    await end(session)
    await scribe.work(until_seq=3)
    results = await collect(session, 3)
    assert texts(results) == entries(1, 2)
    assert results[1].reason is Reason.FINALIZE
    assert results[2] == Ended(3, 1.0)
    assert session.over
    assert not session.outstanding
    assert session.seconds == 1.0


async def test_end_is_written_once(make_hub: MakeHub, scribe: Any) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await asyncio.gather(end(session), end(session))
    await end(session)
    assert len(await scribe.log.read(session.sid, 0, 10)) == 1


async def test_append_waits_while_the_backlog_is_full_and_goes_on(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    session = await opened(await make_hub(backlog=3))
    await scribe.take()
    await append(session, SECOND * 3, 1)
    waiting = asyncio.create_task(append(session, SECOND * 2, 1))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    assert len(await scribe.log.read(session.sid, 0, 10)) == 3

    await scribe.work(until_seq=1)
    await until(lambda: session._exchange.logged == 4)
    assert not waiting.done()
    await scribe.work(until_seq=2)
    await asyncio.wait_for(waiting, 5)
    await scribe.work(until_seq=5)
    assert texts(await collect(session, 5)) == entries(1, 5)


async def test_backlog_that_does_not_move_ends_the_session(make_hub: MakeHub, scribe: Any) -> None:
    session = await opened(await make_hub(backlog=1, stall=0.1))
    await append(session, SECOND, 1)
    with pytest.raises(NoCapacity):
        await asyncio.wait_for(append(session, SECOND, 1), 5)


async def test_upkeep_does_not_wait_for_room(make_hub: MakeHub, scribe: Any, until: Until) -> None:
    """Guards against one session that holds up all others: it has audio there is no room for."""
    hub = await make_hub(backlog=1, stall=30)
    session = await opened(hub)
    waiting = asyncio.create_task(append(session, SECOND * 2, 1))
    await until(lambda: session._exchange.logged == 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.wait_for(poll(hub, session), 5)
    await scribe.take()
    await scribe.work(until_seq=1)
    await poll(hub, session)
    await scribe.work(until_seq=2)
    assert texts(await collect(session, 2)) == entries(1, 2)


async def test_stall_counts_from_the_last_move(make_hub: MakeHub, scribe: Any) -> None:
    session = await opened(await make_hub(backlog=1, stall=0.5))
    await scribe.take()
    await append(session, SECOND, 1)
    waiting = asyncio.create_task(append(session, SECOND * 4, 1))
    for seq in range(1, 5):
        await asyncio.sleep(0.2)  # moves on well within the limit, for longer than the limit
        await scribe.work(until_seq=seq)
    await asyncio.wait_for(waiting, 5)


async def test_lost_ring_is_healed_by_the_poll(make_hub: MakeHub, scribe: Any) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    await deaf(session)
    await append(session, SECOND * 2, 1)
    await scribe.work(until_seq=2)
    hear_again(session)
    await poll(hub, session)
    assert texts(await collect(session, 2)) == entries(1, 2)
    assert not session.outstanding


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


async def test_session_of_which_nothing_is_heard_is_polled_in_time(
    make_hub: MakeHub, scribe: Any
) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await deaf(session)
    await append(session, SECOND, 1)
    await scribe.work(until_seq=1)
    assert texts(await collect(session, 1)) == entries(1, 1)


async def test_gap_in_the_rings_is_filled_from_the_results(make_hub: MakeHub, scribe: Any) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND * 4, 1)
    await deaf(session)
    await scribe.work(until_seq=3)
    hear_again(session)
    session.ring(Ring(session.sid, 4 * SAMPLE_RATE, 4, 4, ()))  # a checkpoint tells it, too
    await scribe.work(until_seq=4)
    results = await collect(session, 4, seconds=1.5)  # sooner than any poll
    assert texts(results) == entries(1, 4)


async def test_results_for_a_client_that_does_not_read_stay_in_the_log(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    session = await opened(await make_hub(backlog=3000))
    await scribe.take()
    for _ in range(700):
        await append(session, b"ab", 1)
    await scribe.work(until_seq=700)
    await until(lambda: session._exchange.behind)
    assert len(session._undelivered) <= MAX_UNDELIVERED + 1
    assert session.outstanding  # their audio is kept until they are here
    assert texts(await collect(session, 700)) == entries(1, 700)
    await until(lambda: not session.outstanding)


async def test_newest_interim_comes_last_and_a_final_replaces_it(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    session = await opened(await make_hub(), SessionOptions(interim_results=True))
    await scribe.take()
    await append(session, SECOND * 2, 1)
    for text in ("so", "so far"):
        await scribe.log.ring_interim(scribe.claim, Interim(0.0, 0.5, text))
    await until(lambda: session._interim is not None and session._interim.text == "so far")
    assert await session.next_results() == [Interim(0.0, 0.5, "so far")]

    await scribe.log.ring_interim(scribe.claim, Interim(0.0, 0.9, "too late"))
    await until(lambda: session._interim is not None)
    await scribe.work(until_seq=1)
    await until(lambda: session._undelivered)
    assert texts(list(await session.next_results())) == entries(1, 1)


async def test_interim_of_what_is_decided_comes_too_late(make_hub: MakeHub, scribe: Any) -> None:
    session = await opened(await make_hub(), SessionOptions(interim_results=True))
    await scribe.take()
    await append(session, SECOND * 2, 1)
    [first, _] = await scribe.log.read(session.sid, 0, 2)
    await scribe.commit(first, [Final(1, 0.2, 1.0, "decided", Reason.ENDPOINT)])
    assert texts(await collect(session, 1)) == ["decided"]
    await scribe.log.ring_interim(scribe.claim, Interim(0.2, 0.9, "of the same words"))
    await scribe.log.ring_interim(scribe.claim, Interim(1.0, 1.4, "of the next"))
    assert await asyncio.wait_for(session.next_results(), 5) == [Interim(1.0, 1.4, "of the next")]


async def test_failed_session_takes_no_more_audio_and_says_why(
    make_hub: MakeHub, scribe: Any
) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND, 1)
    failure = Failed(1, "engine_failure", "It broke.")
    await scribe.log.commit(scribe.claim, Checkpoint(), 0, [failure])
    assert await collect(session, 1) == [failure]
    await append(session, SECOND, 1)
    assert session.over


async def test_append_learns_from_the_log_that_the_session_is_over(
    make_hub: MakeHub, scribe: Any
) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await deaf(session)
    failure = Failed(1, "engine_failure", "It broke.")
    await scribe.log.commit(scribe.claim, Checkpoint(), 0, [failure])
    await append(session, SECOND, 1)
    assert await collect(session, 1, seconds=1.5) == [failure]


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


async def test_hub_holds_no_more_sessions_than_it_may(
    make_hub: MakeHub, redis: Redis, until: Until
) -> None:
    hub = await make_hub(max_sessions=2)
    first, _ = [await opened(hub) for _ in range(2)]
    with pytest.raises(GatewayFull):
        await opened(hub)
    hub.leave(first, comes_back=False)
    await until(lambda: len(hub._sessions) < 2)  # its end is in the log
    await opened(hub)


async def test_ids_are_unique_and_safe_in_javascript(make_hub: MakeHub, redis: Redis) -> None:
    hubs = [await make_hub(), await make_hub()]
    sessions = [await opened(hub) for hub in hubs for _ in range(20)]
    assert len({session.sid for session in sessions}) == 40
    numbers = {session.client_id for session in sessions}
    assert len(numbers) == 40
    assert all(0 < number <= 2**53 - 1 for number in numbers)


async def test_session_that_is_left_is_ended_in_the_log(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await append(session, SECOND, 1)
    await scribe.take()
    hub.leave(session, comes_back=False)
    read: list[Entry] = []

    async def ended() -> bool:
        read[:] = await scribe.log.read(session.sid, 0, 10)
        return len(read) == 2

    await until(ended)
    assert read[1].kind == "end"


async def test_drain_sends_every_client_away_once_it_has_what_is_there(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND, 1)
    await scribe.work(until_seq=1)
    await until(lambda: session._undelivered)
    draining = asyncio.create_task(hub.drain())
    await until(lambda: hub.draining)
    with pytest.raises(Draining):
        await opened(hub)
    with pytest.raises(Draining):
        await hub.check_ready()
    assert texts(await collect(session, 1)) == entries(1, 1)
    with pytest.raises(Draining):
        await session.next_results()
    assert not draining.done()
    hub.leave(session, comes_back=False)
    await asyncio.wait_for(draining, 5)
    assert [e.kind for e in await scribe.log.read(session.sid, 1, 10)] == ["end"]


async def test_drain_of_an_empty_hub_returns_at_once(make_hub: MakeHub, redis: Redis) -> None:
    await asyncio.wait_for((await make_hub()).drain(), 5)


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


@pytest.mark.parametrize(("spread", "told_at_once"), [(0, 20), (5, 1)])
async def test_drain_spreads_its_goodbyes_as_far_as_it_may(
    make_hub: MakeHub, redis: Redis, spread: float, told_at_once: int
) -> None:
    """Guards clients of thousands that would all come back in the same moment."""
    hub = await make_hub(drain_spread=spread)
    sessions = [await hub.open(SessionOptions()) for _ in range(20)]
    draining = asyncio.create_task(hub.drain())
    for _ in range(3):
        await asyncio.sleep(0)
    assert sum(session._failure is not None for session in sessions) == told_at_once
    for session in sessions:
        with pytest.raises(Draining):
            await asyncio.wait_for(session.next_results(), 10)
        hub.leave(session, comes_back=True)
    await asyncio.wait_for(draining, 10)
