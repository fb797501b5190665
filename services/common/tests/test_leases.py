"""Leases: taken once, renewed by their holder, taken over when they expire, never lost."""

from __future__ import annotations

import asyncio

import pytest
from leasing_steps import SID, Lease, MakeTranscriber, Until, final, holders, in_line
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import (
    Assignment,
    Claim,
    Fenced,
    GatewayLog,
    SessionOptions,
    TranscriberLog,
    scripts,
)
from scripta_common.wire import Checkpoint, Ended

pytestmark = pytest.mark.store


async def expire(redis: Redis, claim: Claim) -> None:
    """Makes a lease look as if its heartbeat had stopped ten minutes ago."""
    owner = (await holders(redis))[claim.entry_id]
    await redis.xclaim(
        keys.ASSIGN, keys.GROUP, owner, 0, [claim.entry_id], idle=600_000, justid=True
    )


async def test_claim_makes_the_transcriber_the_owner_and_raises_the_epoch(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    first = await lease()
    assert first.epoch == 1
    assert first.checkpoint == Checkpoint()
    assert first.index == 0
    assert await redis.hget(keys.state(SID), "owner") == b"tr"
    await transcriber.commit(first, Checkpoint(160, 0), 0, [final(1)])

    second = await transcriber.claim(Assignment(first.entry_id, SID))
    assert second is not None
    assert second.epoch == 2
    assert (second.checkpoint, second.index) == (Checkpoint(160, 0), 1)


@pytest.mark.parametrize("how", ["gone", "over"])
async def test_claim_of_a_session_that_needs_no_owner_drops_the_lease(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis, how: str
) -> None:
    claim = await lease()
    if how == "gone":
        await redis.delete(keys.state(SID))
    else:
        await transcriber.commit(claim, Checkpoint(), 0, [Ended(1, 0.0)])
    assert await transcriber.claim(Assignment(claim.entry_id, SID)) is None
    assert await holders(redis) == {}
    assert await redis.xlen(keys.ASSIGN) == 0


async def test_heartbeat_keeps_a_lease_from_expiring(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await expire(redis, claim)
    assert await transcriber.renew([claim.entry_id]) == {claim.entry_id}
    assert await make_transcriber("other").reclaim(10) == []


async def test_live_lease_is_not_reclaimed(make_transcriber: MakeTranscriber, lease: Lease) -> None:
    await lease()
    assert await make_transcriber("other").reclaim(10) == []


async def test_lease_expires_by_the_servers_clock(
    make_transcriber: MakeTranscriber, lease: Lease, until: Until
) -> None:
    claim = await lease()
    other = make_transcriber("other", lease=0.1)

    async def reclaimed() -> bool:
        return await other.reclaim(1) == [Assignment(claim.entry_id, SID)]

    await until(reclaimed)


async def test_former_owner_is_refused_everything_after_a_takeover(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    old, other = await lease(), make_transcriber("other")
    await expire(redis, old)
    [assignment] = await other.reclaim(10)
    new = await other.claim(assignment)
    assert new is not None
    assert new.epoch == old.epoch + 1

    assert await transcriber.renew([old.entry_id]) == set()
    with pytest.raises(Fenced):
        await transcriber.check(old)
    with pytest.raises(Fenced):
        await transcriber.commit(old, Checkpoint(), 0, [final(1)])
    await transcriber.hand_off(old)
    await transcriber.drop(old.entry_id)
    assert await holders(redis) == {new.entry_id: b"other"}
    assert await redis.hget(keys.state(SID), "owner") == b"other"
    assert await in_line(redis) == []
    await other.check(new)
    await other.commit(new, Checkpoint(), 0, [final(1)])


async def test_expired_lease_is_claimed_once_when_transcribers_race(
    gateway: GatewayLog, broker: Broker, redis: Redis, transcriber: TranscriberLog, lease: Lease
) -> None:
    claims = [await lease(f"session-{number}") for number in range(5)]
    for claim in claims:
        await expire(redis, claim)
    racers = [TranscriberLog(broker, f"racer-{n}", lease=60, ttl=60) for n in range(8)]
    rounds = [await asyncio.gather(*(racer.reclaim(10) for racer in racers)) for _ in claims]
    taken = [assignment.sid for won in rounds for share in won for assignment in share]
    assert sorted(taken) == [f"session-{number}" for number in range(5)]


async def test_expired_lease_is_found_behind_many_live_ones(
    gateway: GatewayLog,
    make_transcriber: MakeTranscriber,
    transcriber: TranscriberLog,
    lease: Lease,
    redis: Redis,
) -> None:
    """XAUTOCLAIM looks at ten entries for each it may claim, from the start each time."""
    claims = [await lease(f"session-{number}") for number in range(40)]
    await expire(redis, claims[-1])
    assert [a.sid for a in await make_transcriber("other").reclaim(1)] == ["session-39"]


async def test_reclaim_takes_no_more_than_it_is_told(
    make_transcriber: MakeTranscriber, lease: Lease, redis: Redis
) -> None:
    for number in range(5):
        await expire(redis, await lease(f"session-{number}"))
    other = make_transcriber("other")
    assert len(await other.reclaim(1)) == 1


async def test_reclaim_leaves_the_others_their_share(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    """Guards a dead transcriber's sessions against all ending up with whoever looks first."""
    for number in range(5):
        await expire(redis, await lease(f"session-{number}"))
    one, two = make_transcriber("one"), make_transcriber("two")
    await one.renew([])
    await transcriber.renew([])  # heard of, and two is not
    assert len(await one.reclaim(10)) == 3
    await two.renew([])
    assert len(await two.reclaim(10)) == 1
    assert len(await one.reclaim(10)) == 1


async def test_transcriber_that_is_alone_takes_all_that_has_expired(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    for number in range(5):
        await expire(redis, await lease(f"session-{number}"))
    await transcriber.renew([])
    survivor = make_transcriber("survivor", lease=0.05)
    await asyncio.sleep(0.1)  # so long is the former owner silent
    await survivor.renew([])
    assert len(await survivor.reclaim(10)) == 5


async def heard(redis: Redis, name: str, *, last: float, since: float) -> None:
    """Makes the broker believe when it heard a transcriber: seconds ago, and since when."""
    seconds, micros = await redis.time()
    now = seconds * 1000 + micros // 1000
    record = f"{now - round(last * 1000)} {now - round(since * 1000)}"
    await redis.hset(keys.beats(keys.DEFAULT_POOL), name, record)


@pytest.mark.parametrize(
    ("last", "since", "takes"),
    [
        (1, 100, True),  # regularly, and for long
        (1, 31, True),  # for two beats of 15 s
        (1, 29, False),  # the broker stood still, and has not served everybody for two beats
        (31, 100, False),  # this call may be the first behind a standstill
    ],
)
async def test_leases_that_look_expired_behind_a_standstill_are_not_taken(
    make_transcriber: MakeTranscriber,
    lease: Lease,
    redis: Redis,
    last: float,
    since: float,
    takes: bool,
) -> None:
    """Guards live owners: behind a standstill whoever came first took all their sessions."""
    await expire(redis, await lease())
    await heard(redis, "other", last=last, since=since)
    assert bool(await make_transcriber("other").reclaim(10)) is takes


@pytest.mark.parametrize(("pause", "goes_on"), [(29, True), (31, False)])
async def test_heartbeats_are_regular_while_no_two_are_missing(
    make_transcriber: MakeTranscriber, redis: Redis, pause: float, goes_on: bool
) -> None:
    other = make_transcriber("other")
    await heard(redis, "other", last=pause, since=100)
    await other.renew([])
    last, since = map(int, (await redis.hget(keys.beats(keys.DEFAULT_POOL), "other")).split())
    assert last - since > 90_000 if goes_on else last == since


async def test_newcomer_takes_over_at_once(
    make_transcriber: MakeTranscriber, lease: Lease, redis: Redis
) -> None:
    """Guards sessions whose transcribers all died against waiting for the new one's habits."""
    await expire(redis, await lease())
    other = make_transcriber("other")
    await other.renew([])
    assert len(await other.reclaim(10)) == 1


async def test_consumers_of_the_killed_are_removed_and_no_others(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    """Guards the group against growing by each transcriber that was ever killed."""
    claim = await lease()
    for number in range(3):
        killed = make_transcriber(f"killed-{number}")
        await killed.renew([])
        await redis.xgroup_createconsumer(keys.ASSIGN, keys.GROUP, f"killed-{number}")
    await asyncio.sleep(1.1)  # so long are the killed silent, by the clock of the server
    living = make_transcriber("living")
    await living.renew([])
    await redis.xgroup_createconsumer(keys.ASSIGN, keys.GROUP, "living")
    assert await living.tidy(silent_ms=1000) == 3
    names = {consumer["name"] for consumer in await redis.xinfo_consumers(keys.ASSIGN, keys.GROUP)}
    assert names == {b"tr", b"living"}
    assert await redis.hkeys(keys.beats(keys.DEFAULT_POOL)) == [b"living"]
    assert await holders(redis) == {claim.entry_id: b"tr"}


async def test_consumer_that_lives_after_all_is_made_again(
    gateway: GatewayLog, make_transcriber: MakeTranscriber, redis: Redis
) -> None:
    slow = make_transcriber("slow")
    await slow.join()
    await redis.xgroup_createconsumer(keys.ASSIGN, keys.GROUP, "slow")
    await asyncio.sleep(0.02)  # so long is it silent, by the clock of the server
    assert await slow.tidy(silent_ms=1) == 1
    assert await slow.renew([b"1-0"]) == set()
    await gateway.open(SID, SessionOptions())
    assert await slow.next_assignment(2) is not None
    assert set((await holders(redis)).values()) == {b"slow"}


async def test_leave_forgets_the_heartbeats(transcriber: TranscriberLog, redis: Redis) -> None:
    await transcriber.join()
    await transcriber.renew([])
    await transcriber.leave()
    assert not await redis.exists(keys.beats(keys.DEFAULT_POOL))


async def test_lease_whose_entry_was_deleted_is_not_claimed(
    make_transcriber: MakeTranscriber, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await expire(redis, claim)
    await redis.xdel(keys.ASSIGN, claim.entry_id)
    assert await make_transcriber("other").reclaim(10) == []


async def test_claim_tells_the_span_of_the_lease_before(
    gateway: GatewayLog, make_transcriber: MakeTranscriber, transcriber: TranscriberLog
) -> None:
    await gateway.open(SID, SessionOptions())
    spans = []
    for number in range(3):
        by = make_transcriber(f"tr-{number}")
        assignment = await by.next_assignment(2)
        assert assignment is not None
        claim = await by.claim(assignment, span=f"span-{number}")
        assert claim is not None
        spans.append(claim.former_span)
        await by.hand_off(claim)
    assert spans == ["", "span-0", "span-1"]


@pytest.mark.parametrize("tries", [1, 2, 3])
async def test_claim_whose_answer_is_lost_counts_once_and_is_not_its_own_predecessor(
    gateway: GatewayLog, broker: Broker, tries: int
) -> None:
    """Guards sessions against being suspected of killing owners that live."""
    await gateway.open(SID, SessionOptions())
    for _ in range(tries):
        answer = await broker.run(scripts.CLAIM, [keys.state(SID)], "tr", "span-0", "token")
        assert (answer[1], *answer[6:9]) == (1, 1, b"", b"")
    answer = await broker.run(scripts.CLAIM, [keys.state(SID)], "tr", "span-1", "another")
    assert (answer[1], *answer[6:9]) == (2, 2, b"span-0", b"")


async def test_release_lets_nobody_ring_any_more(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await transcriber.hand_off(claim)
    assert await redis.hmget(keys.state(SID), "owner", "epoch") == [b"", b"1"]


async def test_dropped_lease_is_gone_from_the_stream(
    transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await transcriber.drop(claim.entry_id)
    await transcriber.drop(claim.entry_id)
    assert await holders(redis) == {}
    assert await redis.xlen(keys.ASSIGN) == 0


async def test_renew_tells_the_held_from_the_lost(
    make_transcriber: MakeTranscriber, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    kept, lost = await lease("kept"), await lease("lost")
    await expire(redis, lost)
    await make_transcriber("other").reclaim(10)
    held = await transcriber.renew([kept.entry_id, lost.entry_id, b"1-0"])
    assert held == {kept.entry_id}
