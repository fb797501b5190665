"""Sessions that the broker has lost, written anew by their gateways."""

from __future__ import annotations

import asyncio

import pytest
from log_entries import OPTIONS, SID, Lease, append, audio, final
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.sessionlog import (
    AppendOutcome,
    Assignment,
    Fenced,
    GatewayLog,
    SessionGone,
    Standing,
    TranscriberLog,
)
from scripta_common.wire import (
    Checkpoint,
    Intake,
)

pytestmark = pytest.mark.store


def standing(checkpoint: Checkpoint, index: int, connection: int = 1) -> Standing:
    return Standing(checkpoint, index, checkpoint.sample, Intake(), connection)


async def test_poll_of_an_unknown_session_says_so(gateway: GatewayLog) -> None:
    assert await gateway.poll(SID) is None


async def test_restored_session_goes_on_at_its_checkpoint(
    gateway: GatewayLog, transcriber: TranscriberLog, redis: Redis
) -> None:
    await redis.flushall()
    await transcriber.join()
    await gateway.restore(SID, OPTIONS, standing(Checkpoint(250, 2), 4))

    assert await append(gateway, 3) == [AppendOutcome.OK]
    assignment = await transcriber.next_assignment(2)
    assert assignment is not None
    claim = await transcriber.claim(assignment)
    assert claim is not None
    assert (claim.checkpoint, claim.index, claim.options) == (Checkpoint(250, 2), 4, OPTIONS)
    assert await transcriber.read(SID, 2, 10) == [audio(3)]
    await transcriber.commit(claim, Checkpoint(300, 3), 4, [final(5)])
    assert await gateway.read_results(SID, 4) == [final(5)]


@pytest.mark.parametrize("loss", ["everything", "state", "audio", "nothing"])
async def test_former_owner_stays_fenced_after_a_restore(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis, loss: str
) -> None:
    old = await lease()
    await append(gateway, 1, 2)
    if loss == "everything":
        await redis.flushall()
        await transcriber.join()
    elif loss != "nothing":
        await redis.delete(f"{keys.PREFIX}{{{SID}}}:{loss}")

    await gateway.restore(SID, OPTIONS, standing(Checkpoint(), 0))
    with pytest.raises(Fenced):
        await transcriber.commit(old, Checkpoint(100, 1), 0, [final(1)])
    with pytest.raises(Fenced):
        await transcriber.check(old)
    assignment = await transcriber.next_assignment(2)
    assert assignment is not None
    new = await transcriber.claim(assignment)
    assert new is not None
    assert new.epoch > old.epoch
    with pytest.raises(Fenced):
        await transcriber.commit(old, Checkpoint(100, 1), 0, [final(1)])
    assert await append(gateway, 1) == [AppendOutcome.OK]
    await transcriber.commit(new, Checkpoint(100, 1), 0, [final(1)])


async def test_restore_forgets_results_that_come_again(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    """Left in the stream they would refuse the numbers of those that replace them, for ever."""
    old = await lease()
    await append(gateway, 1, 2)
    await transcriber.commit(old, Checkpoint(200, 2), 0, [final(1), final(2, "unseen")])
    await redis.delete(keys.state(SID))

    await gateway.restore(SID, OPTIONS, standing(Checkpoint(100, 1), 1))
    await append(gateway, 2)
    claim = await transcriber.claim(Assignment(old.entry_id, SID))
    assert claim is not None
    await transcriber.commit(claim, Checkpoint(200, 2), 1, [final(2, "again")])
    assert await gateway.read_results(SID, 1) == [final(2, "again")]


async def test_restore_twice_is_safe(gateway: GatewayLog, transcriber: TranscriberLog) -> None:
    for _ in range(2):
        await gateway.restore(SID, OPTIONS, standing(Checkpoint(100, 1), 1))
    assert await append(gateway, 2) == [AppendOutcome.OK]
    for _ in range(2):  # it is in line twice
        assignment = await transcriber.next_assignment(2)
        assert assignment is not None
        assert await transcriber.claim(assignment) is not None


async def test_gateway_goes_on_when_the_server_forgets_the_scripts(
    gateway: GatewayLog, redis: Redis
) -> None:
    await gateway.open(SID, OPTIONS)
    for seq in range(1, 21):
        flushing = redis.script_flush() if seq % 5 == 0 else asyncio.sleep(0)
        (outcome, _), _ = await asyncio.gather(gateway.append(SID, [audio(seq)]), flushing)
        assert outcome is AppendOutcome.OK
    assert await redis.xlen(keys.audio(SID)) == 20


async def test_session_that_is_lost_is_gone_for_its_owner(
    transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await redis.delete(keys.state(SID))
    with pytest.raises(SessionGone):
        await transcriber.check(claim)
    with pytest.raises(SessionGone):
        await transcriber.commit(claim, Checkpoint(), 0, [final(1)])
    assert await redis.exists(keys.results(SID)) == 0
