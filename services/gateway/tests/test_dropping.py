"""Results in the log: those that nobody needs go while a session lives, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.sessionlog import NotResumable, SessionOptions
from scripta_common.wire import Final
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.bounds import DROP_STEP
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
MakeHub = Callable[..., Awaitable[Hub]]
KEPT = 100


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer results are kept for a resume than by default."""
    monkeypatch.setattr("scripta_gateway.sessions.session.MAX_RESULTS_KEPT", KEPT)


async def hear(session: Session, last: int) -> list[int]:
    """Takes results up to one; returns their numbers."""
    heard: list[int] = []
    while not heard or heard[-1] < last:
        results = await session.next_results()
        heard += [result.index for result in results if isinstance(result, Final)]
    return heard


async def talk(session: Session, scribe: Any, messages: int) -> list[int]:
    """Sends messages, one by one, and takes a result of each; returns their numbers."""
    heard: list[int] = []
    for _ in range(messages):
        session.enter(b"ab", 2)
        await session.write()
        await scribe.work(until_seq=session.last_entered)
        heard += await hear(session, scribe.index)
    return heard


async def test_session_that_can_not_be_resumed_keeps_no_results_that_were_sent(
    make_hub: MakeHub, scribe: Any, redis: Redis, until: Until
) -> None:
    """Guards the broker against a stream that runs all day."""
    hub = await make_hub()
    session = await hub.opener.open(SessionOptions())
    await session._writer.join()
    await scribe.take()
    total = 4 * DROP_STEP
    assert await talk(session, scribe, total) == list(range(1, total + 1))

    async def dropped() -> bool:
        return bool(await redis.xlen(keys.results(session.sid)) <= DROP_STEP)

    await until(dropped)


async def test_session_that_can_be_resumed_keeps_the_last_ones_and_says_what_it_has_not(
    make_hub: MakeHub, scribe: Any, redis: Redis, until: Until
) -> None:
    hub, token = await make_hub(), ResumeToken.make()
    session = await hub.opener.open(SessionOptions(), token)
    await session._writer.join()
    await scribe.take()
    await talk(session, scribe, KEPT + 2 * DROP_STEP)

    async def dropped() -> bool:
        return bool(await redis.xlen(keys.results(session.sid)) <= KEPT + DROP_STEP)

    await until(dropped)
    assert await redis.xlen(keys.results(session.sid)) >= KEPT
    hub.held.leave(session, comes_back=True)
    with pytest.raises(NotResumable) as refused:
        await hub.opener.resume(token, 1)
    assert refused.value.reason == "behind"
    again = await hub.opener.resume(token, session._outflow._sent - KEPT)
    got = await hear(again, scribe.index)
    assert got == list(range(session._outflow._sent - KEPT + 1, scribe.index + 1))


async def test_results_that_were_not_sent_are_kept(
    make_hub: MakeHub, scribe: Any, redis: Redis, until: Until
) -> None:
    """Guards a client that does not read: what it has not got must stay, whatever it is."""
    hub = await make_hub()
    session = await hub.opener.open(SessionOptions())
    await session._writer.join()
    await scribe.take()
    total = 3 * DROP_STEP
    for _ in range(total):
        session.enter(b"ab", 2)
    await session.write()
    await scribe.work(until_seq=total)
    await until(lambda: session._exchange.behind)
    session.heard_at = float("-inf")
    await hub.held.upkeep.run_once()
    assert await redis.xlen(keys.results(session.sid)) == total
    assert await hear(session, total) == list(range(1, total + 1))


async def test_gateway_that_has_lost_the_session_drops_nothing(
    make_hub: MakeHub, scribe: Any, redis: Redis
) -> None:
    """Guards the new connection: its client may have fewer results than the old one was sent."""
    hub, token = await make_hub(), ResumeToken.make()
    session = await hub.opener.open(SessionOptions(), token)
    await session._writer.join()
    await scribe.take()
    await talk(session, scribe, 5)
    log = session._log
    attachment = await log.attach(session.sid, token.digest(""), 2)
    await log.poll(session.sid, session.connection, drop=5)
    assert await redis.xlen(keys.results(session.sid)) == 5
    await log.poll(session.sid, attachment.connection, drop=3)
    assert await redis.xlen(keys.results(session.sid)) == 2


async def test_log_drops_no_more_than_it_has(make_hub: MakeHub, scribe: Any, redis: Redis) -> None:
    """After a failover it may have fewer results than were sent; those that come again count."""
    hub = await make_hub()
    session = await hub.opener.open(SessionOptions())
    await session._writer.join()
    await scribe.take()
    await talk(session, scribe, 3)
    await session._log.poll(session.sid, drop=10)
    assert await redis.hget(keys.state(session.sid), "dropped") == b"3"
    assert await talk(session, scribe, 1) == [4]
