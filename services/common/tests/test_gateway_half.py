"""Open, append, poll, restore and results: the gateway's scripts with each of their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.sessionlog import (
    AppendOutcome,
    Assignment,
    Claim,
    Fenced,
    GatewayLog,
    Progress,
    SessionGone,
    SessionOptions,
    Standing,
    TranscriberLog,
)
from scripta_common.wire import (
    Checkpoint,
    Ended,
    Entry,
    EntryKind,
    Failed,
    Final,
    Intake,
    Reason,
)

pytestmark = pytest.mark.store

SID = "a-session"
OPTIONS = SessionOptions(language="en", interim_results=True, endpointing_ms=400)
Lease = Callable[..., Awaitable[Claim]]


def audio(seq: int, samples: int = 100) -> Entry:
    """Entry ``seq`` of a stream whose entries are all of one length."""
    return Entry(
        seq=seq,
        kind=EntryKind.AUDIO,
        first_sample=(seq - 1) * samples,
        pcm=bytes([seq % 256]) * (2 * samples),
        accepted_ms=1_700_000_000_000 + seq,
        message_bytes=2 * samples,
    )


def final(index: int, text: str = "words") -> Final:
    return Final(index, float(index), index + 0.5, text, Reason.ENDPOINT)


async def append(gateway: GatewayLog, *seqs: int) -> list[AppendOutcome]:
    return [(await gateway.append(SID, [audio(seq)]))[0] for seq in seqs]


def standing(checkpoint: Checkpoint, index: int, connection: int = 1) -> Standing:
    return Standing(checkpoint, index, checkpoint.sample, Intake(), connection)


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


async def test_poll_of_an_unknown_session_says_so(gateway: GatewayLog) -> None:
    assert await gateway.poll(SID) is None


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
