"""The hub on a real broker: sessions whose clients are gone, drain, upkeep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.errors import BrokerUnavailable, Draining, ScriptaError
from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import SAMPLE_RATE, EntryKind
from scripta_gateway.access.tokens import ResumeToken
from scripta_gateway.hub import Hub
from scripta_gateway.metrics import SESSIONS_ENDED, Outcome
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


async def opened(hub: Hub) -> Session:
    """Opens a session and puts it in line before it has anything to be heard."""
    session = await hub.open(OPTIONS)
    await session._writer.join()
    return session


async def leave_while_held_back(hub: Hub, session: Session, until: Until) -> None:
    """Has a fast upload held back by a full backlog, and its client gone."""
    waiting = asyncio.create_task(append(session, SECOND * 4, 1))
    await until(lambda: session._exchange.logged == 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    hub.leave(session, comes_back=False, outcome=Outcome.ABANDONED)


async def kinds(scribe: Any, sid: str) -> list[EntryKind]:
    return [entry.kind for entry in await scribe.log.read(sid, 0, 100)]


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
    await until(lambda: not hub._sessions)


async def test_end_for_which_no_room_comes_is_given_up_in_bounded_time(
    make_hub: MakeHub, scribe: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards a gateway against holding for ever what its clients have left behind."""
    hub = await make_hub(backlog=1, stall=0.3)
    session = await opened(hub)
    await scribe.take()
    await leave_while_held_back(hub, session, until)
    assert hub._sessions
    ended = SESSIONS_ENDED[Outcome.ABANDONED].value
    await until(lambda: not hub._sessions)
    assert SESSIONS_ENDED[Outcome.ABANDONED].value == ended + 1
    assert "end not recorded" in caplog.messages


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
    opening = asyncio.create_task(hub.open(OPTIONS))
    await asyncio.sleep(0)
    draining = asyncio.create_task(hub.drain())
    await until(lambda: hub.draining)
    go.set()
    late = await opening
    with pytest.raises(Draining):
        await asyncio.wait_for(late.next_results(), 5)
    for session in tuple(hub._sessions.values()):
        hub.leave(session, comes_back=True)
    await asyncio.wait_for(draining, 5)


async def test_session_that_can_not_write_delays_the_upkeep_of_none(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    """Guards all sessions' lives in the log: a round lasted as long as the slowest."""
    hub = await make_hub(own_broker.url, broker_patience=20)
    redis = Redis.from_url(own_broker.url, protocol=3)
    stuck, other = await opened(hub), await opened(hub)
    await redis.config_set("maxmemory", "1")
    writing = asyncio.create_task(append(stuck, SECOND, 1))
    await until(lambda: stuck._writer.busy)
    writing.cancel()
    await asyncio.wait([writing])
    for _ in range(2):  # the second time, the poll of the stuck one is still under way
        await redis.pexpire(keys.state(other.sid), 10_000)
        stuck.heard_at = other.heard_at = float("-inf")
        await asyncio.wait_for(hub.keep_up_once(), 3)
        assert await redis.pttl(keys.state(other.sid)) > 10_000
    polls = [task.get_name() for task in asyncio.all_tasks() if "poll-" in task.get_name()]
    assert polls == [f"poll-{stuck.sid}"]
    await redis.config_set("maxmemory", "0")
    await until(lambda: not stuck._exchange.unwritten)
    await redis.aclose()


async def test_poll_of_a_session_that_is_not_held_any_more_ends(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    """Guards a gateway against polls that outlive their sessions while the broker is away."""
    hub = await make_hub(own_broker.url, broker_patience=20)
    session = await opened(hub)
    own_broker.pause()
    session.heard_at = float("-inf")
    polling = asyncio.create_task(hub.keep_up_once())
    await until(lambda: hub._upkeep._polls)
    hub._lose(session, ScriptaError("It is gone."))
    hub._part(session, Outcome.FAILED)
    await until(lambda: not hub._upkeep._polls)
    await polling
    own_broker.resume()


async def test_broker_error_tells_clients_nothing_and_the_log_everything(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    """Guards against the broker's address, and its own words, in answers to clients."""
    hub = await make_hub(own_broker.url, broker_patience=0.1)
    session = await opened(hub)
    caplog.set_level(logging.WARNING)
    own_broker.kill()
    for failing in (append(session, SECOND, 1), hub.open(OPTIONS)):
        with pytest.raises(ScriptaError) as failed:
            await failing
        assert str(failed.value) == (
            "The service can not store audio now; try again in some seconds."
        )
    port = str(own_broker.port)
    await until(lambda: any(port in str(vars(record)) for record in caplog.records))


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "survives"), [(12, True), (2, False)])
async def test_session_outlives_an_outage_that_is_shorter_than_its_patience(
    make_hub: MakeHub,
    make_scribe: Callable[..., Any],
    own_broker: BrokerProcess,
    patience: float,
    survives: bool,
) -> None:
    """The setting must hold what it says, for a broker that hangs: no word is lost before."""
    hub = await make_hub(own_broker.url, broker_patience=patience)
    scribe = make_scribe(own_broker.url)
    session = await opened(hub)
    await scribe.take()
    session.enter(SECOND, 1)
    await session.write()
    own_broker.pause()
    session.enter(SECOND, 1)
    writing = asyncio.create_task(session.write())
    await asyncio.sleep(8)
    own_broker.resume()
    await asyncio.wait([writing], timeout=20)
    if not survives:
        assert isinstance(writing.exception(), BrokerUnavailable)
        return
    await writing
    session.end()
    await session.write()
    await scribe.work(until_seq=3)
    assert len(scribe.history) == 3


async def test_client_gets_its_time_to_come_back_once_the_broker_is_back(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    """Guards sessions against ending while every client that comes back is refused."""
    hub, token = await make_hub(own_broker.url, resume_seconds=1.5), ResumeToken.make()
    session = await hub.open(OPTIONS, token)
    await session._writer.join()
    own_broker.pause()
    hub.leave(session, comes_back=True)
    await asyncio.sleep(3)  # twice the time that it has
    with pytest.raises(BrokerUnavailable):
        await hub.resume(token, 0)
    own_broker.resume()

    async def back() -> bool:
        try:
            again = await hub.resume(token, 0)
        except BrokerUnavailable:
            return False
        return not again.ending

    await until(back)


async def test_session_that_waits_for_its_client_is_given_up_after_its_patience(
    make_hub: MakeHub, own_broker: BrokerProcess, until: Until
) -> None:
    hub = await make_hub(own_broker.url, resume_seconds=0.5, broker_patience=0.5)
    session = await hub.open(OPTIONS, ResumeToken.make())
    await session._writer.join()
    own_broker.kill()
    hub.leave(session, comes_back=True)
    await until(lambda: not hub._sessions, 20)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_session_that_is_done_with_holds_no_audio(
    make_hub: MakeHub, scribe: Any, until: Until, comes_back: bool
) -> None:
    """Guards memory: what failed stays in cycles with its frames until garbage is looked for."""
    hub = await make_hub(backlog=60)
    hub.resume_seconds = 0.05
    session = await hub.open(OPTIONS)
    await append(session, SECOND * 5, 1)
    await scribe.take()
    hub.leave(session, comes_back=comes_back)
    await until(lambda: not hub._sessions)
    assert session.seconds == 5
    assert not session.outstanding
    kinds_logged = await kinds(scribe, session.sid)
    assert kinds_logged == [EntryKind.AUDIO] * 5 + [EntryKind.END]
