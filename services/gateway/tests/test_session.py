"""Sessions at the gateway against a real broker, with a transcriber that follows a script."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
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

from scripta_common.errors import NoCapacity
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import (
    SAMPLE_RATE,
    Checkpoint,
    Ended,
    Failed,
    Final,
    Interim,
    Reason,
    Ring,
)
from scripta_gateway.bounds import MAX_UNDELIVERED

pytestmark = pytest.mark.store


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
    assert len(session._outflow._undelivered) <= MAX_UNDELIVERED + 1
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
    await until(lambda: getattr(session._outflow._interim, "text", None) == "so far")
    assert await session.next_results() == [Interim(0.0, 0.5, "so far")]

    await scribe.log.ring_interim(scribe.claim, Interim(0.0, 0.9, "too late"))
    await until(lambda: session._outflow._interim is not None)
    await scribe.work(until_seq=1)
    await until(lambda: session._outflow._undelivered)
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
