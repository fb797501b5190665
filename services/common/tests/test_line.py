"""The line of a pool: how sessions come to transcribers, and back into it."""

from __future__ import annotations

import asyncio

import pytest
from leasing_steps import SID, Lease, MakeTranscriber, Until, final, holders, in_line
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scripta_common import keys
from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import (
    Assignment,
    GatewayLog,
    SessionOptions,
    TranscriberLog,
)
from scripta_common.wire import Checkpoint

pytestmark = pytest.mark.store


async def test_assignments_come_in_order_and_each_once(
    gateway: GatewayLog, make_transcriber: MakeTranscriber, transcriber: TranscriberLog
) -> None:
    for number in range(6):
        await gateway.open(f"session-{number}", SessionOptions())
    taken = []
    for log in (transcriber, make_transcriber("other")) * 3:
        assignment = await log.next_assignment(2)
        assert assignment is not None
        taken.append(assignment.sid)
    assert taken == [f"session-{number}" for number in range(6)]
    assert await transcriber.next_assignment(0.01) is None


async def test_waiting_transcriber_gets_a_session_as_soon_as_it_is_opened(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    waiting = asyncio.create_task(transcriber.next_assignment(10))
    await gateway.open(SID, SessionOptions())
    assignment = await asyncio.wait_for(waiting, 5)
    assert assignment is not None
    assert assignment.sid == SID


@pytest.mark.parametrize("order", ["joined first", "opened first", "flushed in between"])
async def test_sessions_are_delivered_whenever_the_group_was_joined(
    gateway: GatewayLog, make_transcriber: MakeTranscriber, redis: Redis, order: str
) -> None:
    log = make_transcriber("tr")
    if order == "opened first":
        await gateway.open(SID, SessionOptions())
    await log.join()
    if order == "flushed in between":
        await redis.flushall()
        with pytest.raises(ResponseError, match="NOGROUP"):
            await log.next_assignment(0.05)
        with pytest.raises(ResponseError, match="NOGROUP"):
            await log.renew([b"1-0"])
        await log.join()
    if order != "opened first":
        await gateway.open(SID, SessionOptions())
    await log.join()  # once more does no harm
    assignment = await log.next_assignment(2)
    assert assignment is not None
    assert assignment.sid == SID


async def test_read_that_blocks_hears_that_the_group_is_lost(
    transcriber: TranscriberLog, redis: Redis, until: Until
) -> None:
    blocked = asyncio.create_task(transcriber.next_assignment(30))

    async def is_blocked() -> bool:
        return (await redis.info("clients"))["blocked_clients"] > 0

    await until(is_blocked)
    await redis.flushall()
    with pytest.raises((ResponseError, BrokerUnavailable)) as lost:
        await asyncio.wait_for(blocked, 5)
    # Redis 7.0 only says that something has changed.
    assert any(said in describe(lost.value) for said in ("NOGROUP", "UNBLOCKED"))
    with pytest.raises(ResponseError, match="NOGROUP"):
        await transcriber.next_assignment(30)


async def test_leave_removes_the_consumer(
    transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await transcriber.drop(claim.entry_id)
    assert len(await redis.xinfo_consumers(keys.ASSIGN, keys.GROUP)) == 1
    await transcriber.leave()
    assert await redis.xinfo_consumers(keys.ASSIGN, keys.GROUP) == []


async def test_leave_keeps_a_consumer_that_still_holds_a_lease(
    transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await transcriber.leave()
    assert await holders(redis) == {claim.entry_id: b"tr"}


async def test_hand_off_puts_the_session_back_in_line(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    old = await lease()
    await transcriber.commit(old, Checkpoint(320, 0), 0, [final(1)])
    await transcriber.hand_off(old)
    assert await holders(redis) == {}
    assert await in_line(redis) == [SID.encode()]
    assert await redis.hget(keys.state(SID), "owner") == b""

    other = make_transcriber("other")
    assignment = await other.next_assignment(2)
    assert assignment is not None
    new = await other.claim(assignment)
    assert new is not None
    assert (new.epoch, new.checkpoint, new.index) == (old.epoch + 1, Checkpoint(320, 0), 1)


async def test_session_of_a_dead_owner_that_waits_in_line_can_count_on_it(
    gateway: GatewayLog,
    transcriber: TranscriberLog,
    make_transcriber: MakeTranscriber,
    lease: Lease,
) -> None:
    """Guards it against being put in line again and again, and claimed as often."""
    claim = await lease()
    assert await gateway.is_served("tr")
    await transcriber.put_back(Assignment(claim.entry_id, SID))
    assert await gateway.is_served("tr")
    assert await make_transcriber("other").next_assignment(2) is not None
    assert not await gateway.is_served("tr")


async def test_hand_off_twice_puts_it_in_line_once(
    transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await transcriber.hand_off(claim)
    await transcriber.hand_off(claim)
    assert await in_line(redis) == [SID.encode()]


async def test_session_is_never_out_of_line_while_it_is_handed_off(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    """MONITOR shows that the new entry and the end of the old one are one script."""
    claim = await lease()
    async with redis.monitor() as monitor:
        await transcriber.hand_off(claim)
        await redis.ping()
        seen = []
        async for command in monitor.listen():
            if command["command"] == "PING":
                break
            if command["command"].split()[0] in ("XADD", "XACK", "XDEL"):
                seen.append((command["command"].split()[0], command["client_type"]))
    assert seen == [("XADD", "lua"), ("XACK", "lua"), ("XDEL", "lua")]


async def test_assignment_that_no_slot_is_free_for_goes_back_in_line(
    gateway: GatewayLog, transcriber: TranscriberLog, redis: Redis
) -> None:
    await gateway.open(SID, SessionOptions())
    assignment = await transcriber.next_assignment(2)
    assert assignment is not None
    await transcriber.put_back(assignment)
    assert await holders(redis) == {}
    assert await in_line(redis) == [SID.encode()]
