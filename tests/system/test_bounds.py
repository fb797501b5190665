"""What a session may cost: its log is bounded, a fast client is held back, nothing stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from native import Talk, decided, talk, transcribe
from recordings import two_cities
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.usage.meter import KEEP_ENDED_SECONDS
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

Until = Callable[..., Awaitable[None]]

BACKLOG_SECONDS = 35
"""The least that may be set."""

ENV = {"BACKLOG_SECONDS": str(BACKLOG_SECONDS), "SESSION_TTL_SECONDS": "60"}
SECOND = SAMPLE_RATE * BYTES_PER_SAMPLE
LONGEST_SEGMENT = 15 * SECOND
"""Bytes of the longest stretch that is decided at once."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A session's log at one moment, in bytes.

    Attributes:
        held: Audio in the stream.
        uncommitted: Audio behind the checkpoint.
        memory: What the broker needs for the stream.
    """

    held: int
    uncommitted: int
    memory: int


@asynccontextmanager
async def running(**options: object) -> AsyncIterator[tuple[Stack, Redis]]:
    async with Stack(restart=False, env=ENV, **options) as stack:  # type: ignore[arg-type]
        redis = Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False)
        try:
            yield stack, redis
        finally:
            await redis.aclose()


async def look(redis: Redis, sid: str) -> Sample:
    async with redis.pipeline(transaction=True) as moment:
        moment.hget(keys.state(sid), "cp_sample")
        moment.xrange(keys.audio(sid))
        moment.memory_usage(keys.audio(sid), samples=0)
        # Before its first audio a session has no state.
        checkpoint, entries, memory = await moment.execute()
    end = 0
    for _, fields in entries:
        end = int(fields[b"s"]) * BYTES_PER_SAMPLE + len(fields[b"d"])
    return Sample(
        held=sum(len(fields[b"d"]) for _, fields in entries),
        uncommitted=max(0, end - int(checkpoint or 0) * BYTES_PER_SAMPLE),
        memory=memory or 0,
    )


async def watch(redis: Redis, session: Talk) -> list[Sample]:
    """Looks at a session's log until its connection is closed."""
    samples = []
    while session.close_code is None:
        samples.append(await look(redis, session.sid))
        await asyncio.sleep(0.02)
    return samples


async def keys_of(redis: Redis, sid: str) -> dict[bytes, int]:
    """Returns what the broker has of a session, with the milliseconds that it keeps it."""
    found = [key async for key in redis.scan_iter(match=f"*{sid}*")]
    return {key: await redis.pttl(key) for key in found}


async def test_log_holds_no_more_than_what_is_uncommitted_and_a_segment() -> None:
    recording = two_cities().repeated(3)
    async with running() as (stack, redis):
        query = {"encoding": "linear16", "sample_rate": recording.rate}
        async with talk(stack.ws_url, **query) as session:
            watching = asyncio.create_task(watch(redis, session))
            await session.speak(recording)
            finals = await session.end()
            samples = await watching
        assert (session.close_code, session.errors) == (1000, [])
        assert recording.error_rate(" ".join(final["text"] for final in finals)) < 0.12

        assert len(samples) > 50
        assert max(sample.uncommitted for sample in samples) > SECOND
        for sample in samples:
            assert sample.held <= sample.uncommitted + LONGEST_SEGMENT
            assert sample.held <= BACKLOG_SECONDS * SECOND + LONGEST_SEGMENT
            # Audio and little else: entries are no larger than twice what they carry.
            assert sample.memory <= 2 * sample.held + 64 * 1024
        assert await redis.xlen(keys.audio(session.sid)) == 0


async def test_fast_client_is_held_back_until_a_transcriber_comes_and_loses_nothing() -> None:
    recording = two_cities().repeated(2)
    async with running() as (stack, redis):
        query = {"encoding": "linear16", "sample_rate": recording.rate, "events": "true"}
        async with talk(stack.ws_url, **query) as session:
            await stack.kill_transcriber(0)
            speaking = asyncio.create_task(session.speak(recording, window=10_000))

            def accepted() -> float:
                return sum(session.acknowledged) / BYTES_PER_SAMPLE / recording.rate

            await session.until(lambda: accepted() > BACKLOG_SECONDS - 1)
            with pytest.raises(TimeoutError):
                await session.until(lambda: accepted() > BACKLOG_SECONDS + 1, seconds=2)
            held = await look(redis, session.sid)
            assert BACKLOG_SECONDS - 1 < held.held / SECOND <= BACKLOG_SECONDS

            await stack.add_transcriber()
            await speaking
            finals = await session.end()

        assert (session.close_code, session.errors) == (1000, [])
        assert sum(session.acknowledged) == len(recording.pcm)
        assert session.of("ended")[0]["duration"] == pytest.approx(recording.seconds, abs=0.01)
        undisturbed = await transcribe(stack.ws_url, recording)
        assert decided(finals) == decided(undisturbed.finals)


async def test_every_key_of_an_ended_session_expires(until: Until) -> None:
    most = float(ENV["SESSION_TTL_SECONDS"]) * 1000
    async with running() as (stack, redis):
        ended = await transcribe(stack.ws_url, two_cities().until(13))
        async with talk(stack.ws_url) as session:  # leaves without a word
            await session.send(bytes(64_000))
            await session.until(lambda: session.acknowledged)

        async def over() -> bool:
            return await redis.hget(keys.state(session.sid), "status") == b"ended"

        await until(over)
        for sid in (ended.sid, session.sid):
            kept = await keys_of(redis, sid)
            assert keys.state(sid).encode() in kept
            assert keys.results(sid).encode() in kept
            # By this an end that is told again is not counted again.
            counted = kept.pop(keys.counted("", sid).encode())
            assert 0 < counted <= KEEP_ENDED_SECONDS * 1000
            assert all(0 < milliseconds <= most for milliseconds in kept.values()), kept

        async def nobody_in_line() -> bool:
            return await redis.xlen(keys.ASSIGN) == 0

        await until(nobody_in_line)
        assert await redis.pttl(keys.ASSIGN) > 0


async def test_session_that_no_transcriber_ever_took_leaves_nothing(until: Until) -> None:
    """Guards the line, and the broker's memory, against clients that have gone."""
    async with running() as (stack, redis):
        async with talk(stack.ws_url) as session:
            await stack.kill_transcriber(0)
            await session.send(bytes(64_000))
            await session.until(lambda: session.acknowledged)
            assert await redis.xlen(keys.ASSIGN) == 1

        async def gone() -> bool:
            return await keys_of(redis, session.sid) == {} and not await redis.xlen(keys.ASSIGN)

        await until(gone)
