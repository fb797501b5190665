"""Open, append, poll, restore and results: the gateway's scripts with each of their outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from log_entries import OPTIONS, SID, Lease, append, audio, final
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import (
    AppendOutcome,
    GatewayLog,
    Progress,
    SessionOptions,
    TranscriberLog,
)
from scripta_common.wire import (
    Checkpoint,
    Ended,
    Entry,
    EntryKind,
    Failed,
    Intake,
    Reason,
)

pytestmark = pytest.mark.store


async def ttl_of_all(redis: Redis) -> dict[bytes, int]:
    return {key: await redis.pttl(key) for key in await redis.keys("*")}


async def test_open_creates_the_state_and_puts_the_session_in_line(
    gateway: GatewayLog, redis: Redis
) -> None:
    assert await gateway.open(SID, OPTIONS, token_digest="digest")

    state = await redis.hgetall(keys.state(SID))
    assert state.pop(b"created_ms").isdigit()
    assert SessionOptions.decode(state.pop(b"options")) == OPTIONS
    assert state == {
        b"status": b"open",
        b"gateway": b"gw",
        b"token": b"digest",
        b"connection": b"1",
        b"epoch": b"0",
        b"owner": b"",
        b"seq": b"0",
        b"samples": b"0",
        b"messages": b"0",
        b"partial": b"0",
        b"at_rest": b"1",
        b"cp_sample": b"0",
        b"cp_seq": b"0",
        b"cp_speaking": b"",
        b"index": b"0",
    }
    [(_, entry)] = await redis.xrange(keys.ASSIGN)
    assert entry == {b"sid": SID.encode()}


async def test_open_repeated_by_the_same_gateway_is_the_same_call(gateway: GatewayLog) -> None:
    assert await gateway.open(SID, OPTIONS)
    assert await gateway.open(SID, OPTIONS)


async def test_open_is_refused_once_the_session_has_audio(gateway: GatewayLog) -> None:
    await gateway.open(SID, OPTIONS)
    await append(gateway, 1)
    assert not await gateway.open(SID, OPTIONS)


async def test_open_of_another_gateways_id_is_refused_and_puts_nothing_in_line(
    gateway: GatewayLog, broker: Broker, redis: Redis
) -> None:
    await gateway.open(SID, OPTIONS)
    assert not await GatewayLog(broker, "another", ttl=60).open(SID, OPTIONS)
    assert await redis.hget(keys.state(SID), "gateway") == b"gw"
    assert await redis.xlen(keys.ASSIGN) == 1


async def test_appended_entries_are_read_back_as_they_were(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    await gateway.open(SID, OPTIONS)
    entries = [
        audio(1),
        Entry(2, EntryKind.AUDIO, 100, b"", 5, 1),
        Entry(3, EntryKind.FINALIZE, 100, accepted_ms=6, reason=Reason.IDLE),
        Entry(4, EntryKind.END, 100, accepted_ms=7, reason=Reason.END),
    ]
    for entry in entries:
        assert await gateway.append(SID, [entry]) == (AppendOutcome.OK, entry.seq)

    assert await transcriber.read(SID, 0, 10) == entries
    assert await transcriber.read(SID, 1, 2) == entries[1:3]
    assert await transcriber.read(SID, 4, 10) == []


async def test_repeated_append_is_a_duplicate_and_changes_nothing(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    await gateway.open(SID, OPTIONS)
    await append(gateway, 1, 2)
    assert await gateway.append(SID, [audio(1, samples=7)]) == (AppendOutcome.DUPLICATE, 2)
    assert await transcriber.read(SID, 0, 10) == [audio(1), audio(2)]


async def test_append_behind_a_missing_entry_is_refused(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    await gateway.open(SID, OPTIONS)
    await append(gateway, 1)
    assert await gateway.append(SID, [audio(3)]) == (AppendOutcome.GAP, 1)
    assert await transcriber.read(SID, 0, 10) == [audio(1)]


async def test_entries_of_one_call_are_all_there_and_ring_once(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    entries = [
        audio(1),
        Entry(2, EntryKind.FINALIZE, 100, accepted_ms=6, reason=Reason.IDLE, intake=Intake(1)),
        replace(audio(3), first_sample=100, intake=Intake(1, partial=40, at_rest=False)),
    ]
    async with redis.pubsub(ignore_subscribe_messages=True) as rings:
        await rings.psubscribe("*")
        await rings.get_message(timeout=2)
        assert await gateway.append(SID, entries) == (AppendOutcome.OK, 3)
        [ring, nothing] = [await rings.get_message(timeout=0.3) for _ in range(2)]
    assert ring["data"] == f"{SID}!".encode()  # urgent: there is a boundary among them
    assert nothing is None
    read = await transcriber.read(claim.sid, 0, 10)
    assert read == [replace(entry, intake=Intake()) for entry in entries]
    names = ("seq", "samples", "messages", "partial", "at_rest")
    assert await redis.hmget(keys.state(SID), *names) == [b"3", b"200", b"1", b"40", b"0"]


@pytest.mark.parametrize("known", [0, 1, 2, 3])
async def test_call_whose_start_is_known_adds_the_rest(
    gateway: GatewayLog, transcriber: TranscriberLog, known: int
) -> None:
    """Guards entries that an earlier call brought although its answer was lost."""
    await gateway.open(SID, OPTIONS)
    await append(gateway, *range(1, known + 1))
    outcome = AppendOutcome.DUPLICATE if known == 3 else AppendOutcome.OK
    entries = [audio(seq) for seq in (1, 2, 3)]
    assert await gateway.append(SID, entries) == (outcome, 3)
    assert await transcriber.read(SID, 0, 10) == entries


async def test_call_behind_a_missing_entry_adds_nothing(
    gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    await gateway.open(SID, OPTIONS)
    await append(gateway, 1)
    assert await gateway.append(SID, [audio(3), audio(4)]) == (AppendOutcome.GAP, 1)
    assert await transcriber.read(SID, 0, 10) == [audio(1)]


async def test_append_to_an_unknown_session_is_lost_and_leaves_no_key(
    gateway: GatewayLog, redis: Redis
) -> None:
    assert await gateway.append(SID, [audio(1)]) == (AppendOutcome.LOST, 0)
    assert await redis.keys("*") == []


@pytest.mark.parametrize("last", [Ended(1, 0.1), Failed(1, "engine_failure", "broken")])
async def test_append_to_a_session_that_is_over_is_refused(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, last: Ended | Failed
) -> None:
    claim = await lease()
    await append(gateway, 1)
    await transcriber.commit(claim, Checkpoint(100, 1), 0, [last])
    assert await append(gateway, 1, 2) == [AppendOutcome.DUPLICATE, AppendOutcome.OVER]


async def test_append_rings_the_owner_and_nobody_before_there_is_one(
    gateway: GatewayLog, transcriber: TranscriberLog, redis: Redis
) -> None:
    await gateway.open(SID, OPTIONS)
    async with redis.pubsub(ignore_subscribe_messages=True) as rings:
        await rings.psubscribe("*")
        await rings.get_message(timeout=2)
        await append(gateway, 1)
        assignment = await transcriber.next_assignment(2)
        assert assignment is not None
        await transcriber.claim(assignment)
        await append(gateway, 2)
        await gateway.append(SID, [Entry(3, EntryKind.FINALIZE, 200)])
        heard: list[dict[str, bytes]] = []
        while len(heard) < 2:
            message = await rings.get_message(timeout=2)
            heard += [message] if message else []
    assert {message["channel"] for message in heard} == {keys.transcriber_channel("tr").encode()}
    # A boundary is not left until the transcriber looks by itself.
    assert [message["data"] for message in heard] == [SID.encode(), SID.encode() + b"!"]


async def test_every_key_of_a_session_expires(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await append(gateway, 1, 2)
    await transcriber.commit(claim, Checkpoint(100, 1), 0, [final(1)])

    ttls = await ttl_of_all(redis)
    assert set(ttls) == {
        key.encode() for key in (keys.state(SID), keys.audio(SID), keys.results(SID), keys.ASSIGN)
    }
    assert all(ttl > 0 for ttl in ttls.values()), ttls


@pytest.mark.usefixtures("transcriber")
async def test_an_empty_line_expires_too_and_a_session_puts_that_off(
    gateway: GatewayLog, redis: Redis
) -> None:
    await redis.pexpire(keys.ASSIGN, 60_000)
    await gateway.open(SID, OPTIONS)
    assert await redis.pttl(keys.ASSIGN) > 3600 * 1000


async def test_a_group_is_made_with_a_time_to_live(
    transcriber: TranscriberLog, redis: Redis
) -> None:
    await redis.delete(keys.ASSIGN)
    await transcriber.join()
    assert await redis.pttl(keys.ASSIGN) > 3600 * 1000


async def test_poll_tells_how_far_a_session_is(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease
) -> None:
    claim = await lease()
    await append(gateway, 1, 2, 3)
    await transcriber.commit(claim, Checkpoint(150, 1), 0, [final(1)])
    assert await gateway.poll(SID) == Progress(
        over=False,
        seq=3,
        checkpoint=Checkpoint(150, 1),
        index=1,
        epoch=claim.epoch,
        owner="tr",
    )
    await transcriber.commit(claim, Checkpoint(300, 3), 1, [Ended(2, 0.02)])
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.over


async def test_poll_keeps_all_keys_alive(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease, redis: Redis
) -> None:
    claim = await lease()
    await append(gateway, 1, 2)
    await transcriber.commit(claim, Checkpoint(100, 1), 0, [final(1)])
    names = [keys.state(SID), keys.audio(SID), keys.results(SID)]
    for name in names:
        await redis.pexpire(name, 5_000)
    await gateway.poll(SID)
    assert [await redis.pttl(name) > 50_000 for name in names] == [True] * 3


async def test_results_are_read_in_pages_without_a_gap(
    gateway: GatewayLog, transcriber: TranscriberLog, lease: Lease
) -> None:
    claim = await lease()
    results = [final(index, f"final {index}") for index in range(1, 251)]
    for first in range(0, 250, 50):
        await transcriber.commit(claim, Checkpoint(), first, results[first : first + 50])
    read: list[Any] = []
    while page := await gateway.read_results(SID, len(read)):
        assert len(page) <= 100
        read += page
    assert read == results
