"""Which of a session's connections has it: the newest, whatever the broker has forgotten."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import (
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
    await gateway.open(SID, OPTIONS)
    assert await append(gateway, 1, 1) is AppendOutcome.OK
    attachment = await other.attach(SID)
    assert (attachment.seq, attachment.intake.messages) == (1, 1)
    assert attachment.connection > 1
    assert await append(gateway, 2, 1) is AppendOutcome.SUPERSEDED
    assert await append(other, 2, attachment.connection) is AppendOutcome.OK
    assert not await gateway.restore(SID, OPTIONS, standing(1))
    newest = await gateway.attach(SID)
    assert newest.connection > attachment.connection
    assert await append(other, 3, attachment.connection) is AppendOutcome.SUPERSEDED


async def test_poll_tells_who_has_the_session(gateway: GatewayLog, other: GatewayLog) -> None:
    await gateway.open(SID, OPTIONS)
    attachment = await other.attach(SID)
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.connection == attachment.connection


async def test_connection_that_the_log_has_forgotten_writes_it_anew(
    gateway: GatewayLog, other: GatewayLog, redis: Redis
) -> None:
    """Guards against calling the newest connection superseded by the one before it."""
    await gateway.open(SID, OPTIONS)
    replica = await redis.dump(keys.state(SID))
    attachment = await other.attach(SID)
    await redis.restore(keys.state(SID), 60_000, replica, replace=True)
    assert await append(other, 1, attachment.connection) is AppendOutcome.LOST
    assert await other.restore(SID, OPTIONS, standing(attachment.connection))
    assert await append(other, 1, attachment.connection) is AppendOutcome.OK
    assert await append(gateway, 2, 1) is AppendOutcome.SUPERSEDED


async def test_number_that_the_log_has_forgotten_is_not_given_out_again(
    gateway: GatewayLog, other: GatewayLog, redis: Redis, until: Until
) -> None:
    """Two connections of one number would both write, and mix what two clients say."""
    await gateway.open(SID, OPTIONS)
    replica = await redis.dump(keys.state(SID))
    forgotten = await other.attach(SID)
    moment = time.time()
    await redis.restore(keys.state(SID), 60_000, replica, replace=True)
    await until(lambda: time.time() > moment + 0.002)
    newest = await gateway.attach(SID)
    assert newest.connection > forgotten.connection
    assert await append(other, 1, forgotten.connection) is AppendOutcome.SUPERSEDED


async def test_restore_fences_an_owner_whose_epoch_is_ahead_of_the_clock(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    """The gateway that restored the session before may have had another idea of the time."""
    await lease()
    ahead = int(time.time() * 1000) + 3_600_000
    await redis.hset(keys.state(SID), "epoch", ahead)
    await gateway.restore(SID, OPTIONS, standing(1))
    old = Claim(SID, b"1-0", ahead, Checkpoint(), 0, OPTIONS)
    with pytest.raises(Fenced):
        await transcriber.commit(old, Checkpoint(), 0, [Final(1, 0.0, 0.0, "", Reason.IDLE)])
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.epoch > ahead


async def test_unknown_session_can_not_be_taken_over(other: GatewayLog, redis: Redis) -> None:
    with pytest.raises(NotResumable, match="unknown"):
        await other.attach(SID)
    assert await redis.keys("*") == []
