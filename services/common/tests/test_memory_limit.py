"""A broker at its memory limit: audio waits, and what frees memory goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from scripta_common.broker import Broker
from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import AppendOutcome, Claim, GatewayLog, TranscriberLog
from scripta_common.wire import Checkpoint, Entry, EntryKind, Final, Reason
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store

SID = "a-session"
Lease = Callable[..., Awaitable[Claim]]


@pytest.fixture
def shared_broker(own_broker: BrokerProcess) -> BrokerProcess:
    """A server of its own instead of the shared one: its limit is nobody else's business."""
    return own_broker


@pytest_asyncio.fixture
async def claim(gateway: GatewayLog, lease: Lease) -> Claim:
    """A claimed session with ten seconds of audio in the log."""
    claim = await lease()
    for seq in range(1, 11):
        await gateway.append(SID, [entry(seq)])
    return claim


def entry(seq: int) -> Entry:
    return Entry(seq, EntryKind.AUDIO, 16_000 * (seq - 1), bytes(32_000))


@pytest_asyncio.fixture
async def full(claim: Claim, redis: Redis) -> AsyncIterator[None]:
    """The server has a little more in it than it may."""
    used = (await redis.info("memory"))["used_memory"]
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", used - 32_000)
    yield
    await redis.config_set("maxmemory", 0)


@pytest.mark.usefixtures("full")
async def test_commit_gets_through_and_makes_room_for_audio(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim
) -> None:
    """Guards against a standstill: only commits free memory, so they must not need any."""
    with pytest.raises(BrokerUnavailable):
        await gateway.append(SID, [entry(11)])
    final = Final(1, 0.0, 8.0, "words", Reason.ENDPOINT)
    await transcriber.commit(claim, Checkpoint(8 * 16_000, 8), 0, [final])
    assert await gateway.append(SID, [entry(11)]) == (AppendOutcome.OK, 11)


@pytest.mark.usefixtures("full")
async def test_session_can_be_handed_to_another_transcriber(
    transcriber: TranscriberLog, claim: Claim, broker: Broker
) -> None:
    await transcriber.hand_off(claim)
    other = TranscriberLog(broker, "other", lease=60, ttl=60)
    assignment = await other.next_assignment(2)
    assert assignment is not None
    taken = await other.claim(assignment)
    assert taken is not None
    assert taken.epoch > claim.epoch
