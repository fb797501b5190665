"""Which of a session's connections has it: the newest, whatever the broker has forgotten."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import (
    AheadOfLog,
    AppendOutcome,
    Claim,
    Fenced,
    GatewayLog,
    NotResumable,
    SessionOptions,
    Standing,
    TranscriberLog,
)
from scripta_common.wire import Checkpoint, Entry, EntryKind, Final, Intake, Reason

pytestmark = pytest.mark.store

SID = "a-session"
DIGEST = "5e884898"
OPTIONS = SessionOptions()
Until = Callable[..., Awaitable[None]]
Lease = Callable[..., Awaitable[Claim]]


@pytest.fixture
async def other(broker: Broker) -> GatewayLog:
    """Another gateway, to which clients come back."""
    return GatewayLog(broker, "other", ttl=60)


async def append(log: GatewayLog, seq: int, connection: int) -> AppendOutcome:
    entry = Entry(seq, EntryKind.AUDIO, seq - 1, b"ab", 7, 2, intake=Intake(seq))
    return (await log.append(SID, [entry], connection))[0]


def standing(connection: int) -> Standing:
    return Standing(Checkpoint(), 0, 0, Intake(), connection)


async def test_newest_connection_has_the_session(gateway: GatewayLog, other: GatewayLog) -> None:
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    assert await append(gateway, 1, 1) is AppendOutcome.OK
    attachment = await other.attach(SID, DIGEST, 0)
    assert (attachment.seq, attachment.intake.messages) == (1, 1)
    assert attachment.connection > 1
    assert await append(gateway, 2, 1) is AppendOutcome.SUPERSEDED
    assert await append(other, 2, attachment.connection) is AppendOutcome.OK
    assert not await gateway.restore(SID, OPTIONS, standing(1), token_digest=DIGEST)
    newest = await gateway.attach(SID, DIGEST, 0)
    assert newest.connection > attachment.connection
    assert await append(other, 3, attachment.connection) is AppendOutcome.SUPERSEDED


async def test_session_of_an_older_gateway_can_be_taken_up(
    gateway: GatewayLog, other: GatewayLog, redis: Redis
) -> None:
    """In a rollout the state may lack what only the new release writes."""
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    await redis.hdel(keys.state(SID), "cp_speaking")
    attachment = await other.attach(SID, DIGEST, 0)
    assert not attachment.checkpoint.speaking


async def test_poll_tells_who_has_the_session(gateway: GatewayLog, other: GatewayLog) -> None:
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    attachment = await other.attach(SID, DIGEST, 0)
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.connection == attachment.connection


async def test_connection_that_the_log_has_forgotten_writes_it_anew(
    gateway: GatewayLog, other: GatewayLog, redis: Redis
) -> None:
    """Guards against calling the newest connection superseded by the one before it."""
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    replica = await redis.dump(keys.state(SID))
    attachment = await other.attach(SID, DIGEST, 0)
    await redis.restore(keys.state(SID), 60_000, replica, replace=True)
    assert await append(other, 1, attachment.connection) is AppendOutcome.LOST
    assert await other.restore(SID, OPTIONS, standing(attachment.connection), token_digest=DIGEST)
    assert await append(other, 1, attachment.connection) is AppendOutcome.OK
    assert await append(gateway, 2, 1) is AppendOutcome.SUPERSEDED


async def test_number_that_the_log_has_forgotten_is_not_given_out_again(
    gateway: GatewayLog, other: GatewayLog, redis: Redis, until: Until
) -> None:
    """Two connections of one number would both write, and mix what two clients say."""
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    replica = await redis.dump(keys.state(SID))
    forgotten = await other.attach(SID, DIGEST, 0)
    moment = time.time()
    await redis.restore(keys.state(SID), 60_000, replica, replace=True)
    await until(lambda: time.time() > moment + 0.002)
    newest = await gateway.attach(SID, DIGEST, 0)
    assert newest.connection > forgotten.connection
    assert await append(other, 1, forgotten.connection) is AppendOutcome.SUPERSEDED


async def test_restore_fences_an_owner_whose_epoch_is_ahead_of_the_clock(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    """The gateway that restored the session before may have had another idea of the time."""
    await lease()
    ahead = int(time.time() * 1000) + 3_600_000
    await redis.hset(keys.state(SID), "epoch", ahead)
    await gateway.restore(SID, OPTIONS, standing(1), token_digest=DIGEST)
    old = Claim(SID, b"1-0", ahead, Checkpoint(), 0, OPTIONS)
    with pytest.raises(Fenced):
        await transcriber.commit(old, Checkpoint(), 0, [Final(1, 0.0, 0.0, "", Reason.IDLE)])
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.epoch > ahead


async def test_unknown_session_can_not_be_taken_over(other: GatewayLog, redis: Redis) -> None:
    with pytest.raises(NotResumable, match="unknown"):
        await other.attach(SID, DIGEST, 0)
    assert await redis.keys("*") == []


@pytest.mark.parametrize("digest", ["", "5e884899", "5e88489", SID])
async def test_session_is_not_taken_over_without_its_token_and_loses_nothing(
    gateway: GatewayLog, other: GatewayLog, redis: Redis, digest: str
) -> None:
    """Guards against a session that is read, thrown out or found by whoever knows its id."""
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    before = await redis.hgetall(keys.state(SID))
    with pytest.raises(NotResumable, match="unknown"):
        await other.attach(SID, digest, 0)
    assert await redis.hgetall(keys.state(SID)) == before
    assert await append(gateway, 1, 1) is AppendOutcome.OK


@pytest.mark.parametrize("digest", ["", DIGEST])
async def test_session_that_was_offered_no_token_is_taken_over_by_none(
    gateway: GatewayLog, other: GatewayLog, redis: Redis, digest: str
) -> None:
    await gateway.open(SID, OPTIONS)
    with pytest.raises(NotResumable, match="unknown"):
        await other.attach(SID, digest, 0)
    await redis.hdel(keys.state(SID), "token")
    with pytest.raises(NotResumable, match="unknown"):
        await other.attach(SID, digest, 0)
    assert await append(gateway, 1, 1) is AppendOutcome.OK


async def test_session_that_is_restored_keeps_its_token(
    gateway: GatewayLog, other: GatewayLog, redis: Redis
) -> None:
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    await redis.flushall()
    await gateway.restore(SID, OPTIONS, standing(1), token_digest=DIGEST)
    with pytest.raises(NotResumable, match="unknown"):
        await other.attach(SID, "another", 0)
    assert (await other.attach(SID, DIGEST, 0)).options == OPTIONS


@pytest.mark.parametrize("index", [3, 2**53 - 1])
async def test_client_ahead_of_the_log_leaves_the_session_to_its_owner(
    gateway: GatewayLog, other: GatewayLog, redis: Redis, index: int
) -> None:
    """Guards against a session that is deaf for ever: the results it waits for do not come."""
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    await redis.hset(keys.state(SID), "index", 2)
    before = await redis.hgetall(keys.state(SID))
    with pytest.raises(AheadOfLog) as refused:
        await other.attach(SID, DIGEST, index)
    assert refused.value.index == 2
    assert await redis.hgetall(keys.state(SID)) == before
    assert await append(gateway, 1, 1) is AppendOutcome.OK
    assert (await other.attach(SID, DIGEST, 2)).index == 2


async def test_client_of_a_session_that_is_over_can_not_have_its_end(
    gateway: GatewayLog, other: GatewayLog, redis: Redis
) -> None:
    """Its last result is the end itself: who came behind it would wait for ever."""
    await gateway.open(SID, OPTIONS, token_digest=DIGEST)
    await redis.hset(keys.state(SID), mapping={"index": 3, "status": "ended"})
    with pytest.raises(AheadOfLog) as refused:
        await other.attach(SID, DIGEST, 3)
    assert refused.value.index == 2
    assert (await other.attach(SID, DIGEST, 2)).status == "ended"
