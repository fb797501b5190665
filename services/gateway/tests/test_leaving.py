"""Sessions whose clients are gone, and the drain of a whole gateway, on a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from session_steps import (
    OPTIONS,
    SECOND,
    MakeHub,
    Until,
    append,
    collect,
    entries,
    opened,
    texts,
)

from scripta_common.errors import BrokerUnavailable, Draining
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import (
    Entry,
    EntryKind,
)
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session
from scripta_gateway.telemetry.metrics import SESSIONS_ENDED, Outcome
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store


async def leave_while_held_back(hub: Hub, session: Session, until: Until) -> None:
    """Has a fast upload held back by a full backlog, and its client gone."""
    waiting = asyncio.create_task(append(session, SECOND * 4, 1))
    await until(lambda: session._exchange.logged == 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    hub.held.leave(session, comes_back=False, outcome=Outcome.ABANDONED)


async def kinds(scribe: Any, sid: str) -> list[EntryKind]:
    return [entry.kind for entry in await scribe.log.read(sid, 0, 100)]


async def test_session_that_is_left_is_ended_in_the_log(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await append(session, SECOND, 1)
    await scribe.take()
    hub.held.leave(session, comes_back=False)
    read: list[Entry] = []

    async def ended() -> bool:
        read[:] = await scribe.log.read(session.sid, 0, 10)
        return len(read) == 2

    await until(ended)
    assert read[1].kind == "end"


async def test_upload_that_was_held_back_when_its_client_left_is_ended(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    """Guards transcribers against sessions that never end: nothing told that there was room."""
    hub = await make_hub(backlog=1)
    session = await opened(hub)
    await scribe.take()
    await leave_while_held_back(hub, session, until)
    await scribe.work(until_seq=5)
    assert len(scribe.history) == 5
    await until(lambda: not hub.held.by_id)


async def test_end_for_which_no_room_comes_is_given_up_in_bounded_time(
    make_hub: MakeHub, scribe: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards a gateway against holding for ever what its clients have left behind."""
    hub = await make_hub(backlog=1, stall=0.3)
    session = await opened(hub)
    await scribe.take()
    await leave_while_held_back(hub, session, until)
    assert hub.held.by_id
    ended = SESSIONS_ENDED[Outcome.ABANDONED].value
    await until(lambda: not hub.held.by_id)
    assert SESSIONS_ENDED[Outcome.ABANDONED].value == ended + 1
    assert "end not recorded" in caplog.messages


async def test_what_was_received_is_written_although_the_connection_is_gone(
    make_hub: MakeHub, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards clients whose connections break so soon that nothing would ever be accepted."""
    monkeypatch.setattr("scripta_gateway.sessions.upkeep._ROUND_SECONDS", 60)  # it writes, too
    hub, other, token = await make_hub(), await make_hub(), ResumeToken.make()
    session = await hub.opener.open(OPTIONS, token)
    await session._writer.join()
    session.enter(SECOND, 1)
    hub.held.leave(session, comes_back=True)
    await until(lambda: session.logged == 1)
    assert (await other.opener.resume(token, 0)).messages == 1


async def test_client_gets_its_time_to_come_back_once_the_broker_is_back(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    """Guards sessions against ending while every client that comes back is refused."""
    hub, token = await make_hub(own_broker.url, resume_seconds=1.5), ResumeToken.make()
    session = await hub.opener.open(OPTIONS, token)
    await session._writer.join()
    own_broker.pause()
    hub.held.leave(session, comes_back=True)
    await asyncio.sleep(3)  # twice the time that it has
    with pytest.raises(BrokerUnavailable):
        await hub.opener.resume(token, 0)
    own_broker.resume()

    async def back() -> bool:
        try:
            again = await hub.opener.resume(token, 0)
        except BrokerUnavailable:
            return False
        return not again.ending

    await until(back)


async def test_session_that_waits_for_its_client_is_given_up_after_its_patience(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    hub = await make_hub(own_broker.url, resume_seconds=0.5, broker_patience=0.5)
    session = await hub.opener.open(OPTIONS, ResumeToken.make())
    await session._writer.join()
    own_broker.kill()
    hub.held.leave(session, comes_back=True)
    await until(lambda: not hub.held.by_id, 20)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_session_that_is_done_with_holds_no_audio(
    make_hub: MakeHub, scribe: Any, until: Until, comes_back: bool
) -> None:
    """Guards memory: what failed stays in cycles with its frames until garbage is looked for."""
    hub = await make_hub(backlog=60)
    hub.held.resume_seconds = 0.05
    session = await hub.opener.open(OPTIONS)
    await append(session, SECOND * 5, 1)
    await scribe.take()
    hub.held.leave(session, comes_back=comes_back)
    await until(lambda: not hub.held.by_id)
    assert session.seconds == 5
    assert not session.outstanding
    kinds_logged = await kinds(scribe, session.sid)
    assert kinds_logged == [EntryKind.AUDIO] * 5 + [EntryKind.END]


async def test_drain_sends_every_client_away_once_it_has_what_is_there(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    hub = await make_hub()
    session = await opened(hub)
    await scribe.take()
    await append(session, SECOND, 1)
    await scribe.work(until_seq=1)
    await until(lambda: session._outflow._undelivered)
    draining = asyncio.create_task(hub.drain())
    await until(lambda: hub.held.draining)
    with pytest.raises(Draining):
        await opened(hub)
    with pytest.raises(Draining):
        await hub.check_ready()
    assert texts(await collect(session, 1)) == entries(1, 1)
    with pytest.raises(Draining):
        await session.next_results()
    assert not draining.done()
    hub.held.leave(session, comes_back=False)
    await asyncio.wait_for(draining, 5)
    assert [e.kind for e in await scribe.log.read(session.sid, 1, 10)] == ["end"]


async def test_drain_of_an_empty_hub_returns_at_once(make_hub: MakeHub, redis: Redis) -> None:
    await asyncio.wait_for((await make_hub()).drain(), 5)


@pytest.mark.parametrize(("spread", "told_at_once"), [(0, 20), (5, 1)])
async def test_drain_spreads_its_goodbyes_as_far_as_it_may(
    make_hub: MakeHub, redis: Redis, spread: float, told_at_once: int
) -> None:
    """Guards clients of thousands that would all come back in the same moment."""
    hub = await make_hub(drain_spread=spread)
    sessions = [await hub.opener.open(SessionOptions()) for _ in range(20)]
    draining = asyncio.create_task(hub.drain())
    for _ in range(3):
        await asyncio.sleep(0)
    assert sum(session._outflow._failure is not None for session in sessions) == told_at_once
    for session in sessions:
        with pytest.raises(Draining):
            await asyncio.wait_for(session.next_results(), 10)
        hub.held.leave(session, comes_back=True)
    await asyncio.wait_for(draining, 10)


async def test_drain_waits_for_ends_and_not_for_room_that_does_not_come(
    make_hub: MakeHub, scribe: Any, until: Until
) -> None:
    hub = await make_hub(backlog=1)
    session = await opened(hub)
    await scribe.take()
    await leave_while_held_back(hub, session, until)
    draining = asyncio.create_task(hub.drain())
    await scribe.work(until_seq=5)
    await asyncio.wait_for(draining, 4)


async def test_session_that_is_opened_while_a_drain_begins_is_told(
    make_hub: MakeHub, redis: Redis, until: Until
) -> None:
    """Guards the drain: it waited in vain for a connection that nobody had told to go."""
    hub = await make_hub(drain_spread=0)
    ready, go = hub.check_ready, asyncio.Event()

    async def slow() -> None:
        await ready()
        await go.wait()

    hub.check_ready = slow  # type: ignore[method-assign]
    opening = asyncio.create_task(hub.opener.open(OPTIONS))
    await asyncio.sleep(0)
    draining = asyncio.create_task(hub.drain())
    await until(lambda: hub.held.draining)
    go.set()
    late = await opening
    with pytest.raises(Draining):
        await asyncio.wait_for(late.next_results(), 5)
    for session in tuple(hub.held.by_id.values()):
        hub.held.leave(session, comes_back=True)
    await asyncio.wait_for(draining, 5)
