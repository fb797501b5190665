"""What a transcriber measures, and what it tells the gateway beside its results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.wire import Ended, Final, Interim, Origin, Reason, Ring, decode_doorbell
from scripta_transcriber.engine_call import EngineCall
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.metrics import Kind

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]


class Change:
    """How far the metrics have moved since it was made."""

    def __init__(self) -> None:
        self._before = _samples()

    def __getitem__(self, series: str) -> float:
        """``name`` or ``name/value`` of its one label; without the prefix of transcribers."""
        return _samples()[series] - self._before[series]

    @property
    def added(self) -> set[str]:
        """Series that there were not before."""
        return _samples().keys() - self._before.keys()


def _samples() -> dict[str, float]:
    return {
        "/".join([sample.name.removeprefix("scripta_transcriber_"), *sample.labels.values()]):
            sample.value
        for family in REGISTRY.collect()
        if family.name.startswith("scripta_transcriber_") and not family.name.endswith("_info")
        for sample in family.samples
    }  # fmt: skip


class Bell:
    """All that rings at the gateway."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def next(self, wanted: Callable[[Ring], bool]) -> Ring:
        async with asyncio.timeout(10):
            while True:
                message = await self._pubsub.get_message(timeout=1)
                if message is not None and message["type"] == "message":
                    ring = decode_doorbell(message["data"])
                    if isinstance(ring, Ring) and wanted(ring):
                        return ring


async def test_ring_says_which_entry_decided_a_final_and_what_it_took(
    make_transcriber: Any, call: Any, redis: Redis
) -> None:
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.gateway_channel("gw"))
        bell = Bell(pubsub)
        transcriber = make_transcriber()
        transcriber.clock.heard(time.monotonic(), time.monotonic(), 1_000_000.0)
        transcriber.start()
        session = await call()
        await session.say("one", " two", ".three")
        first = await bell.next(lambda ring: bool(ring.results))
        await session.finalize()
        second = await bell.next(lambda ring: bool(ring.results))
        await session.finalize()
        third = await bell.next(lambda ring: bool(ring.results))
        await session.end()
        last = await bell.next(lambda ring: bool(ring.results))
    [origin] = first.origins
    assert origin is not None
    assert origin.by == 3  # the third message has the full stop
    assert origin.decode > 0
    assert first.sent_at == pytest.approx(1_000_000.0, abs=30)
    [origin] = second.origins
    assert origin is not None
    assert origin.by == 4
    assert third.origins == (Origin(5, 0.0),)  # nothing was said: no engine was asked
    assert [type(result) for result in last.results] == [Ended]
    assert last.origins == (None,)


async def test_interim_says_what_it_took(
    make_transcriber: Any, call: Any, redis: Redis, until: Until
) -> None:
    change = Change()
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.gateway_channel("gw"))
        make_transcriber().start()
        session = await call(interim_results=True)
        await session.say("one two")
        ring = await Bell(pubsub).next(lambda ring: isinstance(ring.results[-1], Interim))
    [origin] = ring.origins
    assert origin is not None
    assert origin.decode > 0
    assert change["decode_seconds_count/interim"] == 1
    await until(lambda: change["interims_total"] == 1)


async def test_engine_is_timed_and_its_audio_counted(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    change = Change()
    make_transcriber().start()
    session = await call()
    await session.say("x" * 1599 + ".")
    await session.end()
    results = await session.results()
    assert [type(result) for result in results] == [Final, Ended]
    await until(lambda: change["finals_total"] == 1)
    assert change["decode_seconds_count/final"] == change["queue_seconds_count/final"] == 1
    assert change["decoded_audio_seconds_total/final"] == pytest.approx(0.1)
    assert change["decode_seconds_sum/final"] > 0
    assert change["commit_seconds_count"] >= 1


def test_wait_for_a_thread_is_queue_and_not_decoding() -> None:
    change = Change()

    def engine(_: Segment) -> Transcript:
        time.sleep(0.06)  # decodes for so long
        return Transcript("")

    call = EngineCall(engine, Segment(0, bytes(3200), Reason.ENDPOINT), Kind.INTERIM)
    time.sleep(0.12)  # waits for a thread for so long
    call()
    call.record()
    assert change["queue_seconds_sum/interim"] >= 0.12
    assert call.seconds == pytest.approx(change["decode_seconds_sum/interim"])
    assert change["decode_seconds_bucket/interim/0.05"] == 0
    assert change["decoded_audio_seconds_total/interim"] == pytest.approx(0.1)


async def test_interim_whose_segment_ends_first_counts_as_skipped(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    change = Change()
    transcriber = make_transcriber().start()
    session = await call(interim_results=True)
    await session.say("what?")
    await until(transcriber.engine.waiting.is_set)
    await session.say(" and more")  # due while the first is still being made
    await until(lambda: change["interims_skipped_total"] >= 1)
    transcriber.engine.go.set()
    await until(lambda: change["interims_total"] >= 1)


@pytest.mark.parametrize(
    ("said", "options", "reason"),
    [("no!.", {}, "engine_failure"), ("hej.", {"language": "sv"}, "unsupported_language")],
)
async def test_failed_session_is_counted_by_reason(
    make_transcriber: Any, call: Any, said: str, options: dict[str, str], reason: str
) -> None:
    change = Change()
    make_transcriber().start()
    session = await call(**options)
    await session.say(said)
    await session.results()
    assert change[f"sessions_failed_total/{reason}"] == 1
    assert change.added == set()


async def test_claim_says_how_the_session_came(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    change = Change()

    def claims() -> tuple[float, ...]:
        return tuple(change[f"claims_total/{how}"] for how in ("new", "handoff", "expired"))

    first = make_transcriber(lease=0.6).start()
    session = await call()
    await session.say("one.")
    await session.results(1)
    assert claims() == (1, 0, 0)
    second = make_transcriber(lease=0.6)
    await first.worker.drain()
    second.start()
    await session.say("two.")
    await session.results(2)
    assert claims() == (1, 1, 0)
    await second.kill()
    make_transcriber(lease=0.6).start()
    await session.say("three.")
    await session.results(3)
    assert claims() == (1, 1, 1)


async def test_commit_of_a_former_owner_is_counted(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    change = Change()
    first = make_transcriber(lease=0.6).start()
    session = await call()
    await session.say("what?.")
    await until(first.engine.waiting.is_set)
    first.lose_heartbeat()
    second = make_transcriber(lease=0.6)
    second.engine.go.set()
    second.start()
    await session.results(1)
    assert change["fenced_commits_total"] == 0
    first.engine.go.set()
    await until(lambda: change["fenced_commits_total"] == 1)
