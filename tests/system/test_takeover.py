"""A transcriber that dies in mid-sentence changes nothing of what its clients are told.

Several people speak at the pace of speech, each at another place of a recording, when their
transcriber goes. All must get the very finals of an undisturbed run, on the connection they
have. How long they waited is printed (``-rP`` shows it), not judged.
"""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import pytest
import pytest_asyncio
from native import CHUNK_SECONDS, Frame, Talk, decided, talk, transcribe
from recordings import Recording, beckett, two_cities
from redis.asyncio import Redis

from scripta_common import keys
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

Until = Callable[..., Awaitable[None]]

# A machine that is held up for a second must not add an idle flush to the disturbance.
MOVING = {"IDLE_FLUSH_SECONDS": "30"}
ENV = {**MOVING, "REBALANCE": "false"}
"""All are at the transcriber that goes."""

SENTENCES = two_cities().until(13.4)
ONE_SENTENCE = two_cities().until(9.2)
SHORT_SEGMENTS = 2500
SPEAKERS: list[tuple[Recording, float, int]] = [
    (SENTENCES, 0.0, 15_000),
    (beckett(), 1.3, 15_000),
    (ONE_SENTENCE, 2.4, SHORT_SEGMENTS),
    (beckett(), 3.0, 15_000),
    (ONE_SENTENCE, 3.6, 15_000),
]
"""What is spoken, the second at which it begins, and the longest segment that is asked for."""

HIT = 6.8
"""The second at which the transcriber goes: everyone is in mid-sentence, at 6.8, 5.5, 4.4, 3.8
and 3.2 s of their recordings."""

HIT_AGAIN = 10.6
"""A second such moment: 10.6, 9.3 (after the last word), 8.2, 7.6 and 7.0 s."""


class Crowd:
    """People who speak at the same time, and who transcribes them."""

    def __init__(self, stack: Stack, redis: Redis, talks: list[Talk]) -> None:
        self.talks = talks
        self._stack = stack
        self._redis = redis

    async def until_spoken(self, seconds: float) -> None:
        """Waits until the first speaker has come so far."""
        first = self.talks[0]
        await first.until(lambda: len(first.chunk_times) * CHUNK_SECONDS >= seconds)

    async def owners(self) -> set[bytes | None]:
        states = [keys.state(one.sid) for one in self.talks]
        return {await self._redis.hget(state, "owner") for state in states}

    async def epochs(self) -> list[int]:
        """How often each session was claimed."""
        states = [keys.state(one.sid) for one in self.talks]
        return [int(await self._redis.hget(state, "epoch")) for state in states]


@asynccontextmanager
async def crowd(stack: Stack, until: Until) -> AsyncIterator[Crowd]:
    """Lets everybody of ``SPEAKERS`` speak to one transcriber; they are done after the block."""

    async def speak(session: Talk, recording: Recording, start: float) -> None:
        await asyncio.sleep(start)
        await session.speak(recording, pace=1, window=10_000)
        await session.end()

    async with AsyncExitStack() as connections:
        redis = Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False)
        connections.push_async_callback(redis.aclose)
        talks = []
        for recording, _, longest in SPEAKERS:
            query = {
                "encoding": "linear16",
                "sample_rate": recording.rate,
                "max_segment": longest,
            }
            opened = talk(stack.ws_url, interim_results="true", **query)
            talks.append(await connections.enter_async_context(opened))
        everybody = Crowd(stack, redis, talks)

        async def owned() -> bool:
            owners = await everybody.owners()
            return len(owners) == 1 and owners.isdisjoint({b"", None})

        async with asyncio.TaskGroup() as tasks:
            for session, (recording, start, _) in zip(talks, SPEAKERS, strict=True):
                tasks.create_task(speak(session, recording, start))
            await until(owned)  # each is once it has begun to speak
            yield everybody


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed() -> list[list[Frame]]:
    """What each of ``SPEAKERS`` is told if nothing happens."""
    told = {}
    async with Stack(env=ENV) as stack:
        for asked in {(recording, longest) for recording, _, longest in SPEAKERS}:
            recording, longest = asked
            alone = await transcribe(stack.ws_url, recording, max_segment=longest)
            told[asked] = decided(alone.finals)
    assert len(told[beckett(), 15_000]) == 6
    shortened = told[ONE_SENTENCE, SHORT_SEGMENTS]
    assert [final["reason"] for final in shortened].count("length") >= 2
    return [told[recording, longest] for recording, _, longest in SPEAKERS]


def check(everybody: Crowd, expected: list[list[Frame]]) -> None:
    for session, finals, (recording, *_) in zip(everybody.talks, expected, SPEAKERS, strict=True):
        assert (session.close_code, session.errors) == (1000, [])
        assert sum(session.acknowledged) == len(recording.pcm)
        assert decided(session.finals) == finals
    gap, delay = (max(map(of, everybody.talks)) for of in (longest_gap, latest_final))
    print(f"longest wait for any result {gap:.1f} s, for a final from its end on {delay:.1f} s")


def longest_gap(session: Talk) -> float:
    """Returns the longest time without any result, interims included, once there was one."""
    times = [time for time, frame in session.frames if frame["status"] != "received"]
    return max(after - before for before, after in pairwise(times))


def latest_final(session: Talk) -> float:
    """Returns the longest time from the sending of a segment's end to its final."""
    return max(
        time - session.chunk_times[math.ceil(frame["end"] / CHUNK_SECONDS) - 1]
        for time, frame in session.frames
        if frame["status"] == "transcript"
    )


async def test_another_transcriber_goes_on_after_a_kill(
    until: Until, undisturbed: list[list[Frame]]
) -> None:
    async with Stack(restart=False, env=ENV) as stack:
        async with crowd(stack, until) as everybody:
            await stack.add_transcriber()
            [victim] = await everybody.owners()
            await everybody.until_spoken(HIT)
            await stack.kill_transcriber(0)
        assert victim not in await everybody.owners()
        assert await everybody.epochs() == [2] * len(SPEAKERS)
        check(everybody, undisturbed)


async def test_transcriber_started_after_a_kill_goes_on(
    until: Until, undisturbed: list[list[Frame]]
) -> None:
    async with Stack(restart=False, env=ENV) as stack:
        async with crowd(stack, until) as everybody:
            await everybody.until_spoken(HIT)
            await stack.kill_transcriber(0)
            assert stack.transcribers == [None]
            await stack.add_transcriber()
        assert await everybody.epochs() == [2] * len(SPEAKERS)
        check(everybody, undisturbed)


async def test_transcriber_that_is_told_to_go_hands_over(
    until: Until, undisturbed: list[list[Frame]]
) -> None:
    async with Stack(restart=False, env=ENV) as stack:
        async with crowd(stack, until) as everybody:
            await stack.add_transcriber()
            await everybody.until_spoken(HIT)
            await stack.kill_transcriber(0, signal.SIGTERM)
            async with asyncio.timeout(10):
                await stack.transcriber_gone(0)
            # Well before the speakers are done: it must not have waited for them.
            assert all(session.close_code is None for session in everybody.talks)
        assert min(await everybody.epochs()) >= 2
        check(everybody, undisturbed)


async def test_only_transcriber_is_restarted_after_each_of_two_kills(
    until: Until, undisturbed: list[list[Frame]]
) -> None:
    async with Stack(env=ENV) as stack:
        async with crowd(stack, until) as everybody:
            await everybody.until_spoken(HIT)
            await stack.kill_transcriber(0)

            async def taken_over() -> bool:
                return await everybody.epochs() == [2] * len(SPEAKERS)

            await until(taken_over, 30)
            await everybody.until_spoken(HIT_AGAIN)
            await stack.kill_transcriber(0)
        assert max(await everybody.epochs()) == 3
        check(everybody, undisturbed)


async def test_sessions_move_to_a_transcriber_that_comes(
    until: Until, undisturbed: list[list[Frame]]
) -> None:
    """Guards those at a crowded transcriber: new pods of its autoscaler did not relieve them."""
    async with Stack(restart=False, env=MOVING) as stack:
        async with crowd(stack, until) as everybody:
            await stack.add_transcriber()

            async def shared() -> bool:
                return sum(await everybody.epochs()) == len(SPEAKERS) + 2

            await until(shared, 15)
        assert sorted(await everybody.epochs()) == [1, 1, 1, 2, 2]
        check(everybody, undisturbed)
