"""Limits of tenants and keys, counted by hubs on one broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.errors import BrokerUnavailable, NoCapacity, OverLimit
from scripta_common.sessionlog import SessionOptions
from scripta_common.usage import day_of, total_field
from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.access.caller import Caller, Quota
from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.quotas import quotas
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.asgi

MakeHub = Callable[..., Awaitable[Hub]]
OPTIONS = SessionOptions()


def caller(key: str = "web", tenant: str = "acme", *, own: Any = None, **shared: Any) -> Caller:
    return Caller(key=key, tenant=tenant, own=Quota(**(own or {})), shared=Quota(**shared))


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "LAPSE_SECONDS", 1.2)
    monkeypatch.setattr(quotas, "_SETTLE_SECONDS", 0.6)


async def fill(hub: Hub, who: Caller, most: int = 100) -> tuple[list[Session], OverLimit]:
    opened: list[Session] = []
    while len(opened) < most:
        try:
            opened.append(await hub.opener.open(OPTIONS, caller=who))
        except OverLimit as error:
            return opened, error
    pytest.fail("there is no limit")


async def test_sessions_are_counted_over_all_gateways_and_keys(
    redis: Redis, make_hub: MakeHub
) -> None:
    first, second = await make_hub(), await make_hub()
    both = {"sessions": 3}
    opened = [await first.opener.open(OPTIONS, caller=caller("web", **both))]
    opened.append(await second.opener.open(OPTIONS, caller=caller("app", **both)))
    opened += (await fill(second, caller("web", **both)))[0]
    assert len(opened) == 3
    _, refused = await fill(first, caller("app", **both))
    assert str(refused) == (
        "The limit sessions of this tenant is 3 sessions at a time; end one, or try again later."
    )
    assert len((await fill(first, caller("web", "rival", **both)))[0]) == 3
    first.held.leave(opened[0], comes_back=False)
    assert len((await fill(second, caller("app", **both)))[0]) == 1


async def test_key_has_a_limit_of_its_own(redis: Redis, make_hub: MakeHub) -> None:
    hub = await make_hub()
    limited = caller("web", own={"sessions": 1}, sessions=2)
    opened, refused = await fill(hub, limited)
    assert len(opened) == 1
    assert "of this key is 1 " in str(refused)
    assert len((await fill(hub, caller("app", sessions=2)))[0]) == 1


async def test_fifty_at_once_get_three(redis: Redis, make_hub: MakeHub) -> None:
    hubs = [await make_hub(), await make_hub()]
    tries = [hubs[place % 2].opener.open(OPTIONS, caller=caller(sessions=3)) for place in range(50)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Session) for one in done) == 3
    assert all(isinstance(one, Session | OverLimit) for one in done)


async def test_new_sessions_a_minute(redis: Redis, make_hub: MakeHub) -> None:
    hub = await make_hub()
    opened, refused = await fill(hub, caller(sessions_a_minute=6))
    assert len(opened) == 6
    assert "sessions_a_minute" in str(refused)
    assert 8 <= refused.retry_after <= 10
    for session in opened:
        hub.held.leave(session, comes_back=False)
    assert not (await fill(hub, caller(sessions_a_minute=6)))[0]


async def test_session_that_does_not_begin_gives_all_back(redis: Redis, make_hub: MakeHub) -> None:
    hub = await make_hub()
    who = caller(sessions=2, sessions_a_minute=2)
    for _ in range(5):
        with pytest.raises(NoCapacity):
            await hub.opener.open(SessionOptions(model="nobody"), caller=who)
    assert len((await fill(hub, who))[0]) == 2


async def test_channels_of_a_call_are_let_in_all_or_none(redis: Redis, make_hub: MakeHub) -> None:
    hub, who = await make_hub(), caller(sessions=3)
    two = await hub.opener.open_all(OPTIONS, None, who, 2)
    with pytest.raises(OverLimit):
        await hub.opener.open_all(OPTIONS, None, who, 2)
    assert len((await fill(hub, who))[0]) == 1
    for session in two:
        hub.held.leave(session, comes_back=False)
    assert len(await hub.opener.open_all(OPTIONS, None, who, 2)) == 2


async def test_session_that_follows_another_has_its_seat(redis: Redis, make_hub: MakeHub) -> None:
    hub, who = await make_hub(), caller(sessions=1, sessions_a_minute=1)
    session = await hub.opener.open(OPTIONS, caller=who)
    for _ in range(3):
        session = await hub.opener.renew(session, OPTIONS)
    with pytest.raises(OverLimit):
        await hub.opener.open(OPTIONS, caller=who)
    hub.held.leave(session, comes_back=False)
    assert len((await fill(hub, caller(sessions=1)))[0]) == 1


async def test_session_that_is_taken_up_elsewhere_keeps_its_seat(
    redis: Redis, make_hub: MakeHub, scribe: Any
) -> None:
    first, second = await make_hub(), await make_hub()
    who, token = caller(sessions=1, sessions_a_minute=1), ResumeToken.make()
    session = await first.opener.open(OPTIONS, token, who)
    session.enter(b"ab", 2)
    await session.write()
    taken = await second.opener.resume(token, 0, who)
    first.held.leave(session, comes_back=True)
    await first._quotas.flush()  # it must not give back what the second has
    with pytest.raises(OverLimit):
        await second.opener.open(OPTIONS, caller=who)
    assert taken.seat is not None


@pytest.mark.parametrize("limits", [{"sessions": 1}, {"audio_seconds_a_day": 10}])
async def test_words_of_a_client_that_comes_back_late_are_not_kept_from_it(
    redis: Redis, make_hub: MakeHub, scribe: Any, until: Any, limits: dict[str, Any]
) -> None:
    """Guards words of a session whose seat has lapsed, or whose tenant's day is used up."""
    first, second = await make_hub(), await make_hub()
    who, token = caller(**limits), ResumeToken.make()
    session = await first.opener.open(OPTIONS, token, who)
    session.enter(b"ab", 2)
    await session.write()
    await scribe.take()
    await scribe.work(until_seq=1)
    seats = keys.seats("acme")
    first._quotas._held = tuple  # it is dead: nobody renews
    await redis.zrem(seats, session.sid)
    if "sessions" in limits:
        await second.opener.open(OPTIONS, caller=who)
    else:
        today = day_of((await redis.time())[0])
        await redis.hset(keys.usage("acme", today), total_field(), 10 * SAMPLE_RATE)
    with pytest.raises(OverLimit):
        await second.opener.open(OPTIONS, caller=who)
    taken = await second.opener.resume(token, 0, who)

    async def has_a_seat() -> bool:
        return await redis.zscore(seats, session.sid) is not None

    await until(has_a_seat)
    async with asyncio.timeout(5):
        assert await taken.next_results()
    with pytest.raises(OverLimit):
        await second.opener.open(OPTIONS, caller=who)


async def test_seats_of_a_gateway_that_died_lapse_and_others_stay(
    redis: Redis, make_hub: MakeHub, until: Any
) -> None:
    hub, who, seats = await make_hub(), caller(sessions=2), keys.seats("acme")
    await redis.zadd(seats, {"of the dead": 1})
    lapses = (await redis.time())[0] * 1000 + 1500
    await redis.zadd(seats, {"of the dying": lapses})
    assert len((await fill(hub, who))[0]) == 1

    async def opens() -> bool:
        with suppress(OverLimit):
            await hub.opener.open(OPTIONS, caller=who)
            return True
        return False

    await until(opens, 3)
    lapses = max(score for _, score in await redis.zrange(seats, 0, -1, withscores=True))

    async def over() -> bool:
        return (await redis.time())[0] * 1000 > lapses

    await until(over)  # those that nobody has renewed since have lapsed
    assert not (await fill(hub, who))[0]


async def test_broker_that_comes_back_empty_learns_all_seats(
    own_broker: BrokerProcess, make_hub: MakeHub
) -> None:
    hubs = [await make_hub(own_broker.url), await make_hub(own_broker.url)]
    who = caller(sessions=3)
    held = [await hubs[place % 2].opener.open(OPTIONS, caller=who) for place in range(3)]
    own_broker.kill()
    await asyncio.to_thread(own_broker.start)
    refused = 0
    async with asyncio.timeout(20):
        while refused < 20:
            for hub in hubs:
                try:
                    await hub.opener.open(OPTIONS, caller=who)
                except OverLimit:
                    refused += 1
                except BrokerUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    pytest.fail("a fourth session")
    hubs[0].held.leave(held[0], comes_back=False)
    assert len((await fill(hubs[1], who))[0]) == 1


async def test_day_that_is_used_up_refuses_and_ends(
    redis: Redis, make_hub: MakeHub, until: Any
) -> None:
    hub, who = await make_hub(), caller(audio_seconds_a_day=10)
    session = await hub.opener.open(OPTIONS, caller=who)
    other = await hub.opener.open(OPTIONS, caller=caller("else", "rival", audio_seconds_a_day=10))
    now = (await redis.time())[0]
    await redis.hset(keys.usage("acme", day_of(now)), total_field(), 10 * SAMPLE_RATE)
    with pytest.raises(OverLimit) as refused:
        await hub.opener.open(OPTIONS, caller=who)
    assert "audio_seconds_a_day of this tenant is 10 seconds" in str(refused.value)
    assert abs(refused.value.retry_after - (86400 - now % 86400)) <= 2
    with pytest.raises(OverLimit):
        async with asyncio.timeout(2):
            await session.next_results()
    assert other.seat is not None
    assert not other.seat.spent


async def test_caller_without_limits_is_not_counted(redis: Redis, make_hub: MakeHub) -> None:
    hub = await make_hub()
    session = await hub.opener.open(OPTIONS, caller=caller())
    assert session.seat is None
    assert not [name async for name in redis.scan_iter("*tenant:acme*")]
