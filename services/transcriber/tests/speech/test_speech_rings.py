"""Signals of speech as they come to a gateway: from real transcribers, across a takeover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.wire import Final, Ring, Speech, decode_doorbell
from scripta_transcriber.engines.base import Capabilities, Draft, Segment, Transcript
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
SECOND = bytes(32_000)
LEASE = 0.5


class Wordy:
    """Hears the same word in everything."""

    name = "wordy"
    capabilities = Capabilities(frozenset({"en"}))

    def load(self) -> None:
        """Loads nothing."""

    def transcribe(self, segment: Segment) -> Transcript:
        return Transcript("word")

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        return Draft("word")


@asynccontextmanager
async def rung(redis: Redis) -> AsyncIterator[list[Speech | Final]]:
    """Gives what rings at the gateway, as it comes."""
    heard: list[Speech | Final] = []
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.gateway_channel("gw"))

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] == "message":
                    ring = decode_doorbell(message["data"])
                    assert isinstance(ring, Ring)
                    heard.extend(r for r in ring.results if isinstance(r, Speech | Final))

        listening = asyncio.create_task(listen())
        try:
            yield heard
        finally:
            listening.cancel()


def kinds(heard: list[Speech | Final]) -> list[str]:
    return ["final" if isinstance(one, Final) else one.kind.value for one in heard]


async def test_silence_longer_than_what_checkpoints_pass_is_told_by_the_next_owner(
    make_transcriber: Any,
    call: Any,
    until: Until,
    redis: Redis,
    detector: VoiceDetector,
    beckett: bytes,
) -> None:
    """Only the log knows then when somebody last spoke."""
    first = make_transcriber(engine=Wordy(), lease=LEASE, detector=detector).start()
    async with rung(redis) as heard:
        session = await call(speech_events=True, silence_ms=8_000)
        await session.send(beckett[: 3 * len(SECOND)] + 7 * SECOND)

        async def silence_passed() -> bool:
            sample = (await session.log.poll(session.sid)).checkpoint.sample
            return bool(heard) and bool(sample > 16_000 * 7)

        await until(silence_passed)
        assert kinds(heard[:2]) == ["started", "stopped"]
        assert "silent" not in kinds(heard)
        last = [one for one in heard if isinstance(one, Final)][-1]
        await first.kill()
        make_transcriber(engine=Wordy(), lease=LEASE, detector=detector).start()
        await session.send(4 * SECOND)
        await until(lambda: "silent" in kinds(heard))
        silent = heard[-1]
        assert isinstance(silent, Speech)
        assert (silent.at, silent.index) == (last.end, last.index)


async def test_takeover_in_mid_sentence_tells_its_beginning_again_with_the_same_time(
    make_transcriber: Any,
    call: Any,
    until: Until,
    redis: Redis,
    detector: VoiceDetector,
    beckett: bytes,
) -> None:
    first = make_transcriber(engine=Wordy(), lease=LEASE, detector=detector).start()
    async with rung(redis) as heard:
        session = await call(speech_events=True)
        await session.send(beckett[: len(SECOND)])
        await until(lambda: heard)
        [begun] = heard
        await first.kill()
        make_transcriber(engine=Wordy(), lease=LEASE, detector=detector).start()
        await session.send(beckett[len(SECOND) :])
        await session.end()
        await session.results()
        await until(lambda: kinds(heard)[-1] == "final")
    assert heard[1] == begun
    ends = [(one.at, one.index) for one in heard if kinds([one]) == ["stopped"]]
    assert ends == [(one.end, one.index) for one in heard if isinstance(one, Final)]


async def test_session_that_does_not_ask_is_told_nothing(
    make_transcriber: Any, call: Any, redis: Redis, detector: VoiceDetector, beckett: bytes
) -> None:
    make_transcriber(engine=Wordy(), detector=detector).start()
    async with rung(redis) as heard:
        session = await call()
        await session.send(beckett + 3 * SECOND)
        await session.end()
        await session.results()
    assert set(kinds(heard)) == {"final"}
    assert await redis.hget(keys.state(session.sid), "cp_spoken") is None


async def test_cleared_speech_has_no_final_and_what_follows_has(
    make_transcriber: Any,
    call: Any,
    until: Until,
    redis: Redis,
    detector: VoiceDetector,
    beckett: bytes,
) -> None:
    make_transcriber(engine=Wordy(), detector=detector).start()
    async with rung(redis) as heard:
        session = await call(speech_events=True)
        await session.send(beckett[: len(SECOND)])
        await until(lambda: heard)
        await session.clear()

        async def all_decided() -> bool:
            return bool((await session.log.poll(session.sid)).checkpoint.seq == session.seq)

        await until(all_decided)
        assert kinds(heard) == ["started", "stopped"]
        await session.send(beckett[: 3 * len(SECOND)] + SECOND)
        await session.end()
        results = await session.results()
    finals = [one for one in results if isinstance(one, Final)]
    assert finals
    assert all(one.start >= 1.0 for one in finals)
