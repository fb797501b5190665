"""Fairness by tenant: whose turn it is, by rule, and among uploads and live callers of hubs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from scripta_common.errors import NoCapacity, OverLimit
from scripta_common.fleet import Standing
from scripta_common.sessionlog import SessionOptions
from scripta_gateway.access.caller import ANONYMOUS, Caller, Quota
from scripta_gateway.admission import fairness
from scripta_gateway.admission.admission import Admission
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Session

pytestmark = pytest.mark.asgi

MakeHub = Callable[..., Awaitable[Hub]]
LIVE, UPLOAD = SessionOptions(), SessionOptions(upload=True)
MANY = Admission(live_wait=0, max_uploads=100)
ACME, RIVAL = Caller(key="a", tenant="acme"), Caller(key="r", tenant="rival")


@pytest.mark.parametrize(
    ("tenants", "free", "first"),
    [
        ({"a": Standing(9, 60, 1), "b": Standing(0, 1, 9)}, 1, "b"),
        ({"a": Standing(3, 60, 1), "b": Standing(3, 1, 9)}, 1, "a"),
        ({"a": Standing(3, 1, 9), "b": Standing(3, 60, 1)}, 1, "b"),
        ({"a": Standing(0, 60, 1, last=7), "b": Standing(0, 1, 9)}, 1, "b"),
        ({"a": Standing(1, 0), "b": Standing(3, 1, 9)}, 1, "b"),
        ({"a": Standing(1), "b": Standing(3)}, 1, None),
        # A live client of a tenant with fewer comes back in a moment: the slot is for it.
        ({"a": Standing(0, 0, 0, 1), "b": Standing(3, 1, 9)}, 1, None),
        ({"a": Standing(0, 0, 0, 1), "b": Standing(3, 1, 9)}, 2, "b"),
        ({"a": Standing(5, 5, 1, 0, 0.5), "b": Standing(7, 1, 9)}, 1, "b"),
        ({"a": Standing(5, 5, 1, 0, 0.5)}, 1, "a"),
    ],
)
def test_fewest_in_service_come_first(
    tenants: dict[str, Standing], free: int, first: str | None
) -> None:
    assert fairness.next_upload(tenants, 10, free) == first


def test_what_gateways_say_is_added_up() -> None:
    parts = [{"a": Standing(1, 2, 9, 3, 0.5)}, {"a": Standing(4, 5, 6, 7), "b": Standing(1)}]
    assert fairness.added_up(parts) == {"a": Standing(5, 7, 6, 10, 0.5), "b": Standing(1)}


def test_room_to_wait_is_parted() -> None:
    tenants = {"a": Standing(0, 32, 1), "b": Standing(0, 15, 2)}
    assert fairness.may_wait(tenants, "b", 32)
    assert not fairness.may_wait(tenants | {"b": Standing(0, 16, 2)}, "b", 32)
    assert not fairness.may_wait(tenants, "a", 32)
    assert not fairness.may_wait({"a": Standing(0, 64, 1)}, "b", 32)


async def opened(hub: Hub, who: Caller, options: SessionOptions = LIVE) -> Session:
    session = await hub.opener.open(options, caller=who)
    session.enter(b"ab", 2)
    return session


async def waiting(hub: Hub, who: Caller, count: int) -> dict[asyncio.Task[None], Session]:
    """Returns uploads that wait for a slot: the task of each ends when it has one."""
    tasks: dict[asyncio.Task[None], Session] = {}
    for _ in range(count):
        session = await opened(hub, who, UPLOAD)
        tasks[asyncio.create_task(session.write())] = session
    places = hub._places._pools["default"]
    async with asyncio.timeout(10):
        while places.waiting < count:  # noqa: ASYNC110 - a number, and no event
            await asyncio.sleep(0.01)
    return tasks


async def gone(hub: Hub, session: Session) -> None:
    """Has the connection of a session go; returns when its end is in the log."""
    hub.held.leave(session, comes_back=False)
    async with asyncio.timeout(10):
        while session.sid in hub.held.by_id:  # noqa: ASYNC110 - a book, and no event
            await asyncio.sleep(0.01)


async def served_in_order(
    tasks: dict[asyncio.Task[None], Session], at: dict[Session, Hub], first: Session, count: int
) -> list[str]:
    """Frees a slot again and again; returns the tenants that got it."""
    served, holder = [], first
    for _ in range(count):
        at[holder].held.leave(holder, comes_back=False)
        done, _ = await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        (task,) = done
        task.result()
        holder = tasks.pop(task)
        served.append(holder.options.tenant)
    return served


@pytest.mark.parametrize("gateways", [1, 2])
@pytest.mark.parametrize("one", [RIVAL, ANONYMOUS], ids=["tenant", "anonymous"])
async def test_one_waits_behind_nobodys_sixty(
    redis: Redis, make_hub: MakeHub, gateways: int, one: Caller
) -> None:
    first = await make_hub(slots=1, admission=MANY)
    other = await make_hub(slots=1, admission=MANY) if gateways == 2 else first
    speaks = await opened(first, ACME)
    await speaks.write()
    tasks = await waiting(first, ACME, 60)
    at = dict.fromkeys([speaks, *tasks.values()], first)
    late = await waiting(other, one, 1)
    at |= dict.fromkeys(late.values(), other)
    tasks |= late
    await told(first, other)
    assert await served_in_order(tasks, at, speaks, 3) == [one.tenant, "acme", "acme"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_sixty_leave_room_to_wait(redis: Redis, make_hub: MakeHub) -> None:
    hub = await make_hub(slots=1, admission=Admission(live_wait=0, max_uploads=8))
    speaks = await opened(hub, ACME)
    await speaks.write()
    tasks = await waiting(hub, ACME, 8)
    with pytest.raises(NoCapacity):
        await hub.opener.open(UPLOAD, caller=ACME)
    tasks |= await waiting(hub, RIVAL, 1)
    await asyncio.sleep(0.1)  # in this time it would be refused
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def told(*hubs: Hub) -> None:
    """Makes gateways say what they know, and look at what others say."""
    for _ in range(2):
        for hub in hubs:
            await hub._places.tell_once()
        for hub in hubs:
            await hub.fleet.look_once()


@pytest.mark.parametrize("gateways", [1, 2])
async def test_live_callers_of_the_tenant_with_more_are_refused_first(
    redis: Redis, make_hub: MakeHub, gateways: int
) -> None:
    first = await make_hub(slots=2, admission=MANY)
    other = await make_hub(slots=2, admission=MANY) if gateways == 2 else first
    speaking = [await opened(first, ACME) for _ in range(2)]
    for session in speaking:
        await session.write()
    await told(first, other)
    with pytest.raises(NoCapacity):
        await other.opener.open(LIVE, caller=RIVAL)
    await told(first, other)
    await gone(first, speaking[0])
    await told(first, other)
    with pytest.raises(NoCapacity, match="have fewer"):
        await first.opener.open(LIVE, caller=ACME)
    late = await other.opener.open(LIVE, caller=RIVAL)
    late.enter(b"ab", 2)
    await late.write()


async def test_share_holds_while_others_wait_and_only_then(redis: Redis, make_hub: MakeHub) -> None:
    hub = await make_hub(slots=4, admission=MANY)
    half = Caller(key="a", tenant="acme", shared=Quota(share=0.5))
    speaking = [await opened(hub, half) for _ in range(3)]
    speaking.append(await opened(hub, RIVAL))
    for session in speaking:
        await session.write()
    await told(hub)
    with pytest.raises(NoCapacity):
        await hub.opener.open(LIVE, caller=RIVAL)
    await gone(hub, speaking.pop(0))
    await told(hub)
    with pytest.raises(OverLimit, match=r"share of this tenant is 0\.5 of the slots"):
        await hub.opener.open(LIVE, caller=half)
