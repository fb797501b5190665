"""Commit and interim: all or nothing, only for the owner, once however often they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.sessionlog import (
    Assignment,
    Claim,
    Fenced,
    GatewayLog,
    SessionGone,
    TranscriberLog,
)
from scripta_common.wire import (
    Checkpoint,
    Ended,
    Entry,
    EntryKind,
    Failed,
    Final,
    Interim,
    Reason,
    Recorded,
    Ring,
    Word,
    decode_doorbell,
)

pytestmark = pytest.mark.store

SID = "a-session"
Lease = Callable[..., Awaitable[Claim]]


def final(index: int, text: str = "words") -> Final:
    words = (Word(text, 0.1, 0.4, 0.9),)
    return Final(index, 0.0, 0.5, text, Reason.ENDPOINT, words, True, 0.93, "en")


class Bell:
    """What rings on the gateway's channel."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def next(self) -> Ring:
        while True:
            message = await self._pubsub.get_message(timeout=5)
            assert message is not None, "it did not ring"
            if message["type"] == "message":
                return decode_doorbell(message["data"])

    async def silent(self) -> bool:
        await self._pubsub.ping()
        while True:
            message = await self._pubsub.get_message(timeout=5)
            if message is None or message["type"] != "subscribe":
                return message is not None and message["type"] == "pong"


@pytest_asyncio.fixture
async def bell(redis: Redis) -> AsyncIterator[Bell]:
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.gateway_channel("gw"))
        yield Bell(pubsub)


@pytest_asyncio.fixture
async def claim(gateway: GatewayLog, lease: Lease) -> Claim:
    """A claimed session with ten entries of 100 samples."""
    claim = await lease()
    for seq in range(1, 11):
        await gateway.append(SID, [Entry(seq, EntryKind.AUDIO, 100 * (seq - 1), b"ab" * 100)])
    return claim


async def state(redis: Redis) -> dict[str, str]:
    return {k.decode(): v.decode() for k, v in (await redis.hgetall(keys.state(SID))).items()}


async def test_commit_records_moves_on_trims_and_rings(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis, bell: Bell
) -> None:
    await transcriber.commit(claim, Checkpoint(350, 3), 0, [final(1), final(2)])

    assert await gateway.read_results(SID, 0) == [final(1), final(2)]
    after = await state(redis)
    assert (after["index"], after["cp_sample"], after["cp_seq"]) == ("2", "350", "3")
    assert (after["status"], after["owner"]) == ("open", "tr")
    assert [entry.seq for entry in await transcriber.read(SID, 0, 99)] == [4, 5, 6, 7, 8, 9, 10]
    assert await bell.next() == Ring(SID, 350, 3, 2, (final(1), final(2)))


async def test_commit_without_results_moves_the_checkpoint_and_rings(
    transcriber: TranscriberLog, claim: Claim, redis: Redis, bell: Bell
) -> None:
    await transcriber.commit(claim, Checkpoint(100, 1), 0, [final(1)])
    for _ in range(2):  # repeated it is the same
        await transcriber.commit(claim, Checkpoint(500, 5), 1, [])
    after = await state(redis)
    assert (after["index"], after["cp_sample"], after["cp_seq"]) == ("1", "500", "5")
    assert (await bell.next()).results == (final(1),)
    assert await bell.next() == Ring(SID, 500, 5, 1, ())


async def test_repeated_commit_is_recorded_once(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis, bell: Bell
) -> None:
    for _ in range(3):
        await transcriber.commit(claim, Checkpoint(350, 3), 0, [final(1), final(2)])
    assert await gateway.read_results(SID, 0) == [final(1), final(2)]
    assert (await state(redis))["index"] == "2"
    await bell.next()
    assert await bell.silent()


@pytest.mark.parametrize(
    ("checkpoint", "after", "results"),
    [
        (Checkpoint(350, 3), 2, [final(3)]),
        (Checkpoint(350, 3), 2, []),
        (Checkpoint(350, 3), 0, [final(1), final(2)]),
        (Checkpoint(50, 1), 1, [final(2)]),
        (Checkpoint(100, 0), 1, [final(2)]),
        (Checkpoint(50, 1), 1, []),
        (Checkpoint(1100, 11), 1, [final(2)]),
    ],
    ids=[
        *("gap", "gap without results", "overlap", "sample back", "seq back", "back, no results"),
        "beyond what the log has",
    ],
)
async def test_commit_out_of_order_is_refused_and_changes_nothing(
    gateway: GatewayLog,
    transcriber: TranscriberLog,
    claim: Claim,
    redis: Redis,
    checkpoint: Checkpoint,
    after: int,
    results: list[Recorded],
) -> None:
    await transcriber.commit(claim, Checkpoint(100, 1), 0, [final(1)])
    before = await state(redis)
    with pytest.raises(RuntimeError, match="out of order"):
        await transcriber.commit(claim, checkpoint, after, results)
    assert await state(redis) == before
    assert await gateway.read_results(SID, 0) == [final(1)]
    assert len(await transcriber.read(SID, 0, 99)) == 9


async def test_commit_under_an_old_epoch_is_fenced_and_changes_nothing(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis, bell: Bell
) -> None:
    await transcriber.claim(Assignment(claim.entry_id, SID))
    before = await state(redis)
    with pytest.raises(Fenced):
        await transcriber.commit(claim, Checkpoint(350, 3), 0, [final(1)])
    assert await state(redis) == before
    assert await gateway.read_results(SID, 0) == []
    assert len(await transcriber.read(SID, 0, 99)) == 10
    assert await bell.silent()


async def test_former_owner_learns_of_it_by_what_is_missing(
    transcriber: TranscriberLog, claim: Claim
) -> None:
    """Guards against an owner that wakes up late and takes what comes later for what comes next."""
    new = await transcriber.claim(Assignment(claim.entry_id, SID))
    assert new is not None
    assert (await transcriber.read_on(claim, 1, 2))[0].seq == 2
    await transcriber.commit(new, Checkpoint(350, 3), 0, [final(1)])
    with pytest.raises(Fenced):
        await transcriber.read_on(claim, 1, 2)
    assert (await transcriber.read_on(new, 3, 2))[0].seq == 4


async def test_owner_never_reads_past_what_the_broker_has_lost(
    transcriber: TranscriberLog, claim: Claim, redis: Redis
) -> None:
    await redis.xdel(keys.audio(SID), "2-0")
    with pytest.raises(LookupError):
        await transcriber.read_on(claim, 1, 2)
    await redis.delete(keys.state(SID))
    with pytest.raises(SessionGone):
        await transcriber.read_on(claim, 1, 2)


@pytest.mark.parametrize(
    ("last", "status"),
    [(Ended(2, 0.0625), "ended"), (Failed(2, "engine_failure", "broken"), "failed")],
)
async def test_last_result_frees_the_owner_and_empties_the_log(
    gateway: GatewayLog,
    transcriber: TranscriberLog,
    claim: Claim,
    redis: Redis,
    bell: Bell,
    last: Ended | Failed,
    status: str,
) -> None:
    await transcriber.commit(claim, Checkpoint(1000, 10), 0, [final(1), last])
    after = await state(redis)
    assert (after["status"], after["owner"], after["index"]) == (status, "", "2")
    assert await transcriber.read(SID, 0, 99) == []
    assert await gateway.read_results(SID, 0) == [final(1), last]
    assert (await bell.next()).results == (final(1), last)


async def test_interim_rings_and_leaves_no_trace(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis, bell: Bell
) -> None:
    before = await state(redis)
    interim = Interim(0.0, 0.7, "so far so", "so far")
    assert await transcriber.ring_interim(claim, interim)
    assert await bell.next() == Ring(SID, -1, -1, -1, (interim,))
    assert await state(redis) == before
    assert await gateway.read_results(SID, 0) == []


@pytest.mark.parametrize("how", ["fenced", "gone"])
async def test_interim_of_a_former_owner_does_not_ring(
    transcriber: TranscriberLog, claim: Claim, redis: Redis, bell: Bell, how: str
) -> None:
    if how == "fenced":
        await transcriber.claim(Assignment(claim.entry_id, SID))
    else:
        await redis.delete(keys.state(SID))
    assert not await transcriber.ring_interim(claim, Interim(0.0, 0.7, "late"))
    assert await bell.silent()


async def test_commit_works_when_the_server_forgets_the_scripts(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis
) -> None:
    for index in range(1, 6):
        await redis.script_flush()
        await transcriber.commit(claim, Checkpoint(100 * index, index), index - 1, [final(index)])
    assert [result.index for result in await gateway.read_results(SID, 0)] == [1, 2, 3, 4, 5]


async def test_speech_goes_on_behind_a_checkpoint_until_that_moves(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis
) -> None:
    await redis.hset(keys.state(SID), "token", "digest")
    for checkpoint in (
        Checkpoint(350, 3, speaking=True),
        Checkpoint(380, 3, speaking=True),
        Checkpoint(380, 4),
    ):
        await transcriber.commit(claim, checkpoint, 0, [])
        progress = await gateway.poll(SID)
        assert progress is not None
        assert progress.checkpoint == checkpoint
        assert (await gateway.attach(SID, "digest", 0)).checkpoint == checkpoint
    again = await transcriber.claim(Assignment(claim.entry_id, SID))
    assert again is not None
    assert again.checkpoint == Checkpoint(380, 4)


@pytest.mark.parametrize("later", [Checkpoint(380, 3), Checkpoint(350, 4), Checkpoint(500, 5)])
async def test_a_former_release_leaves_no_speech_behind_its_checkpoint(
    gateway: GatewayLog, transcriber: TranscriberLog, claim: Claim, redis: Redis, later: Checkpoint
) -> None:
    """Guards rollouts: its commit does not know the field, and leaves it as it was."""
    state_key = keys.state(SID)
    await redis.hset(state_key, "token", "digest")
    await transcriber.commit(claim, Checkpoint(350, 3, speaking=True), 0, [])
    left = await redis.hget(state_key, "cp_speaking")
    await transcriber.commit(claim, later, 0, [])
    await redis.hset(state_key, "cp_speaking", left)
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.checkpoint == later
    assert (await gateway.attach(SID, "digest", 0)).checkpoint == later
    again = await transcriber.claim(Assignment(claim.entry_id, SID))
    assert again is not None
    assert again.checkpoint == later
