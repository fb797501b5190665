"""Pools: a session's line, wherever it is put into one, is that of its own pool."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import (
    Claim,
    GatewayLog,
    LineFull,
    SessionOptions,
    Standing,
    TranscriberLog,
)
from scripta_common.wire import Checkpoint, Intake

pytestmark = pytest.mark.store

SID = "a-session"
ON_GPU = SessionOptions(pool="gpu", model="whisper")
LINE = "scripta:v1:assign:gpu"


@pytest.fixture
def on_gpu(broker: Broker) -> TranscriberLog:
    return TranscriberLog(broker, "gpu-tr", lease=60, ttl=60, pool="gpu")


async def lines(redis: Redis) -> dict[bytes, int]:
    """Returns the length of every assignment stream."""
    return {name: await redis.xlen(name) for name in await redis.keys("scripta:v1:assign*")}


async def claim(log: TranscriberLog) -> Claim:
    await log.join()
    assignment = await log.next_assignment(2)
    assert assignment is not None
    taken = await log.claim(assignment)
    assert taken is not None
    return taken


def test_streams_have_the_names_that_others_rely_on() -> None:
    assert keys.assign("default") == keys.ASSIGN == "scripta:v1:assign"
    assert keys.assign("gpu") == LINE


def test_state_from_before_there_were_pools_is_of_the_default_one() -> None:
    assert SessionOptions.decode(b'{"language":"en"}').pool == "default"
    assert SessionOptions.decode(ON_GPU.encode()) == ON_GPU


def test_state_from_before_sessions_chose_their_segments_leaves_it_to_the_transcriber() -> None:
    assert SessionOptions.decode(b'{"endpointing_ms":400}').max_segment_ms is None
    asked = SessionOptions(max_segment_ms=4_000)
    assert SessionOptions.decode(asked.encode()) == asked


def test_state_from_before_sessions_chose_about_word_times_has_them() -> None:
    assert SessionOptions.decode(b"{}").word_times
    asked = SessionOptions(word_times=False)
    assert SessionOptions.decode(asked.encode()) == asked


async def test_session_is_leased_handed_off_and_dropped_in_its_pool(
    gateway: GatewayLog, on_gpu: TranscriberLog, redis: Redis
) -> None:
    assert await gateway.open(SID, ON_GPU)
    assert await lines(redis) == {LINE.encode(): 1}
    taken = await claim(on_gpu)
    assert taken.options == ON_GPU
    assert await gateway.is_served("gpu-tr", "gpu")
    assert await on_gpu.renew([taken.entry_id]) == {taken.entry_id}
    await on_gpu.hand_off(taken)
    assert await lines(redis) == {LINE.encode(): 1}
    again = await claim(on_gpu)
    await on_gpu.drop(again.entry_id)
    assert await lines(redis) == {LINE.encode(): 0}
    await on_gpu.leave()
    assert await redis.xinfo_consumers(LINE, keys.GROUP) == []


async def test_expired_lease_is_taken_over_within_the_pool(
    gateway: GatewayLog, on_gpu: TranscriberLog, transcriber: TranscriberLog, broker: Broker
) -> None:
    await gateway.open(SID, ON_GPU)
    await claim(on_gpu)
    heir = TranscriberLog(broker, "heir", lease=0.01, ttl=60, pool="gpu")
    stranger = TranscriberLog(broker, "stranger", lease=0.01, ttl=60)
    async with asyncio.timeout(10):
        while not (taken := await heir.reclaim(10)):
            assert await stranger.reclaim(10) == []
            await asyncio.sleep(0.005)
    assert [assignment.sid for assignment in taken] == [SID]


async def test_lost_session_is_restored_into_its_pool(gateway: GatewayLog, redis: Redis) -> None:
    standing = Standing(Checkpoint(), 0, 0, Intake(), 1)
    assert await gateway.restore(SID, ON_GPU, standing, token_digest="digest")
    assert await lines(redis) == {LINE.encode(): 1}
    attachment = await gateway.attach(SID, "digest", 0)
    assert attachment.options == ON_GPU


async def test_session_that_lost_its_place_is_put_back_into_its_pool(
    gateway: GatewayLog, on_gpu: TranscriberLog, redis: Redis
) -> None:
    await gateway.open(SID, ON_GPU)
    await redis.delete(LINE)
    assert not await gateway.is_served("", "gpu")
    await gateway.assign(SID, "gpu")
    assert await gateway.is_served("", "gpu")
    assert (await claim(on_gpu)).sid == SID
    assert await redis.pttl(LINE) > 3600 * 1000


async def test_line_takes_no_more_sessions_than_it_may_and_nothing_is_left_of_others(
    gateway: GatewayLog, broker: Broker, redis: Redis
) -> None:
    """Guards many gateways that all see the same free place."""
    gateways = [GatewayLog(broker, f"gw-{number}", ttl=60) for number in range(10)]
    calls = [one.open(f"s-{n}", ON_GPU, most=4) for n, one in enumerate(gateways)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes.count(True) == 4
    assert sum(isinstance(outcome, LineFull) for outcome in outcomes) == 6
    assert await redis.xlen(LINE) == 4
    assert len(await redis.keys("scripta:v1:{*}:state")) == 4


async def test_full_line_refuses_no_session_that_is_there_already(
    gateway: GatewayLog, redis: Redis
) -> None:
    await gateway.open("first", ON_GPU, most=1)
    with pytest.raises(LineFull):
        await gateway.open("second", ON_GPU, most=1)
    assert await gateway.restore(SID, ON_GPU, Standing(Checkpoint(), 0, 0, Intake(), 1))
    await gateway.assign("first", "gpu")
    assert await redis.xlen(LINE) == 3
