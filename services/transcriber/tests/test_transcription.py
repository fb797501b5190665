"""One session's transcription: what it commits, whatever is said, and what it rings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.sessionlog import TranscriberLog
from scripta_common.wire import (
    SAMPLE_RATE,
    Ended,
    Entry,
    Failed,
    Final,
    Interim,
    Reason,
    Recorded,
    Ring,
    Word,
    decode_doorbell,
)
from scripta_transcriber.engines.base import Draft, Segment, Transcript
from scripta_transcriber.segmenter.message import MessageSegmenter

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
Texts = Callable[[list[Recorded]], list[str]]


async def test_finals_are_numbered_and_timed_on_the_audio_clock(
    make_transcriber: Any, call: Any
) -> None:
    make_transcriber().start()
    session = await call(language="en")
    await session.say("one.", "two", " words.three")
    await session.finalize(Reason.IDLE)
    await session.end()
    results = await session.results()
    assert [(r.index, r.text, r.reason) for r in results[:-1]] == [
        (1, "one.", "endpoint"),
        (2, "two words.", "endpoint"),
        (3, "three", "idle"),
    ]
    assert results[-1] == Ended(4, 19 / SAMPLE_RATE)
    second = results[1]
    assert (second.start, second.end) == (4 / SAMPLE_RATE, 14 / SAMPLE_RATE)
    assert second.language == "en"
    assert second.words_estimated
    assert [word.text for word in second.words] == ["two", "words."]
    assert second.words[0].start == second.start
    assert second.words[-1].end == pytest.approx(second.end)


async def test_boundary_that_was_asked_for_is_answered_even_if_nothing_was_said(
    make_transcriber: Any, call: Any
) -> None:
    transcriber = make_transcriber().start()
    session = await call()
    await session.finalize()
    await session.say("  ")
    await session.finalize(Reason.IDLE)
    first, second = await session.results(2)
    assert (first.text, first.reason) == ("", "finalize")
    assert (second.text, second.reason) == ("", "idle")
    assert transcriber.engine.heard == []  # no engine is asked about nothing


async def test_stream_that_ends_without_a_word_is_answered_once(
    make_transcriber: Any, call: Any
) -> None:
    make_transcriber().start()
    silent, spoken = await call(), await call()
    await silent.say("   ")
    await silent.end()
    results = await silent.results()
    assert [type(result) for result in results] == [Final, Ended]
    assert (results[0].text, results[0].reason) == ("", "end")
    await spoken.say("word. ")
    await spoken.end()
    assert [type(result) for result in await spoken.results()] == [Final, Ended]


async def test_messages_are_answered_one_by_one_and_a_bare_end_by_nothing(
    make_transcriber: Any, call: Any, by_message: Any, texts: Texts
) -> None:
    make_transcriber(engine=by_message, segmenter=MessageSegmenter).start()
    session, silent = await call(), await call()
    await session.say("one", "", "three")
    await session.finalize()
    await session.end()
    await silent.end()
    results = await session.results()
    assert texts(results) == ["one", "", "three"]
    assert [result.reason for result in results[:-1]] == ["message"] * 3
    assert results[0].words == ()
    assert await silent.results() == [Ended(1, 0.0)]


async def test_finalize_between_messages_leaves_nothing_undecided(
    make_transcriber: Any, call: Any, by_message: Any, until: Until
) -> None:
    """Left in the log it kept a silent client's connection from ever falling idle."""
    make_transcriber(engine=by_message, segmenter=MessageSegmenter).start()
    session = await call()
    await session.say("one")
    await session.finalize(Reason.IDLE)

    async def all_decided() -> bool:
        return bool((await session.log.poll(session.sid)).checkpoint.seq == session.seq)

    await until(all_decided)


async def test_engine_that_knows_word_times_is_believed(make_transcriber: Any, call: Any) -> None:
    class Precise:
        name = "precise"

        def __init__(self, capabilities: Any) -> None:
            self.capabilities = capabilities

        def load(self) -> None: ...

        def transcribe(self, segment: Segment) -> Transcript:
            return Transcript("hi", 0.5, (Word("hi", 0.25, 0.5, 0.9),), "de")

        def draft(self, segment: Segment, memo: object = None) -> Draft:
            return Draft("hi")

    from_letters = make_transcriber()
    make_transcriber(engine=Precise(from_letters.engine.capabilities)).start()
    session = await call(language="en")
    await session.say("anything.")
    [final] = await session.results(1)
    assert final.words == (Word("hi", 0.25, 0.5, 0.9),)
    assert (final.words_estimated, final.confidence, final.language) == (False, 0.5, "de")


async def test_failing_engine_ends_the_session_behind_what_came_before(
    make_transcriber: Any, call: Any
) -> None:
    """The failure was committed at the claim's checkpoint, which had been passed: refused."""
    make_transcriber().start()
    session, other = await call(), await call()
    await session.say("good.")
    await session.results(1)
    await session.say("also good.bad!.never heard.")
    await other.say("untouched.")
    results = await session.results()
    assert [result.text for result in results[:2]] == ["good.", "also good."]
    assert results[2:] == [Failed(3, "engine_failure", "The engine failed on this audio.")]
    assert [result.text for result in await other.results(1)] == ["untouched."]
    assert await session.epoch() == 1


@pytest.mark.parametrize("language", ["de", "DE-at", "xx"])
async def test_language_that_nobody_speaks_fails_the_session_at_once(
    make_transcriber: Any, call: Any, language: str
) -> None:
    make_transcriber().start()
    session = await call(language=language)
    [failed] = await session.results()
    assert failed.code == "unsupported_language"
    assert repr(language) in failed.message
    assert "en" in failed.message


@pytest.mark.parametrize("language", ["en", "EN", "en-GB", None])
async def test_languages_are_compared_by_their_primary_tag(
    make_transcriber: Any, call: Any, language: str | None
) -> None:
    make_transcriber().start()
    session = await call(language=language)
    await session.say("words.")
    assert [result.text for result in await session.results(1)] == ["words."]


async def test_lost_rings_of_new_audio_cost_a_second_and_no_more(
    make_transcriber: Any, call: Any
) -> None:
    transcriber = make_transcriber()
    transcriber.worker.ring = lambda message: None
    transcriber.bell._on_ring = transcriber.worker.ring
    transcriber.start()
    session = await call()
    await session.say("one.")
    await session.results(1)
    await session.say("two.")
    assert [result.text for result in await session.results(2, seconds=5)] == ["one.", "two."]


class Counting(TranscriberLog):
    """A log that counts how often it is read."""

    reads = 0

    async def read(self, sid: str, after: int, count: int) -> list[Entry]:
        self.reads += 1
        return await super().read(sid, after, count)


async def test_quiet_session_is_read_in_rounds_and_not_at_each_message(
    make_transcriber: Any, call: Any
) -> None:
    """A hundred muted microphones kept a transcriber busy with looking at their logs."""
    transcriber = make_transcriber(log=Counting, rounds=0.5).start()
    session = await call()
    await session.say(*"  " * 40, "word.")
    assert [result.text for result in await session.results(1)] == ["word."]
    assert transcriber.log.reads < 20


async def test_boundary_in_silence_does_not_wait_for_the_next_round(
    make_transcriber: Any, call: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lets go of the button at once waited as if the word were still being said."""
    monkeypatch.setattr("scripta_transcriber.transcription._CHECK_SECONDS", 60)
    transcriber = make_transcriber(log=Counting, rounds=60).start()
    session = await call()
    await until(lambda: transcriber.log.reads)
    await session.say("word")
    await session.finalize()
    assert [result.text for result in await session.results(1)] == ["word"]


async def test_speech_is_read_at_each_message(
    make_transcriber: Any, call: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripta_transcriber.transcription._CHECK_SECONDS", 60)
    transcriber = make_transcriber(log=Counting, rounds=60)
    session = await call()
    await session.say("one")
    transcriber.start()
    await until(lambda: transcriber.log.reads)
    await session.say(" two", " three.")
    assert [result.text for result in await session.results(1)] == ["one two three."]


class Door:
    """Everything that rings at the gateway."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def interims(self, count: int) -> list[Interim]:
        found: list[Interim] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                message = await self._pubsub.get_message(timeout=1)
                if message is not None and message["type"] == "message":
                    ring = decode_doorbell(message["data"])
                    assert isinstance(ring, Ring)
                    found += [r for r in ring.results if isinstance(r, Interim)]
        return found


async def test_interims_grow_and_what_two_agree_on_is_stable(
    make_transcriber: Any, call: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripta_transcriber.hypothesis._STEADY", 1)  # samples, here letters
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.gateway_channel("gw"))
        door = Door(pubsub)
        transcriber = make_transcriber().start()
        session = await call(interim_results=True)
        await session.say("one two th")
        [first] = await door.interims(1)
        await session.say("ree four")
        [second] = await door.interims(1)
        await session.say(" and. one fi")
        [third] = await door.interims(1)
    assert (first.text, first.stable) == ("one two th", "")
    assert (second.text, second.stable) == ("one two three four", "one two")
    assert (second.start, second.end) == (0.0, 18 / SAMPLE_RATE)
    assert (third.text, third.stable) == ("one fi", "")  # of another segment, which begins alike
    assert (await session.results(1))[0].text == "one two three four and."
    assert transcriber.engine.heard.count("one two th") == 1


async def test_interims_are_sent_only_to_those_who_look_at_them(
    make_transcriber: Any, call: Any
) -> None:
    transcriber = make_transcriber().start()
    session = await call(interim_results=False)
    for text in ("one", " two", " three."):
        await session.say(text)
    await session.results(1)
    assert transcriber.engine.heard == ["one two three."]


async def test_interims_wait_for_enough_that_is_new(make_transcriber: Any, call: Any) -> None:
    transcriber = make_transcriber(interim_seconds=100 / SAMPLE_RATE).start()
    session = await call(interim_results=True)
    await session.say("short")
    await session.say(".")
    await session.results(1)
    assert transcriber.engine.heard == ["short."]


async def test_interim_that_fails_costs_nothing_else(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    class Careful:
        """Fails on drafts only."""

        name = "careful"

        def __init__(self, engine: Any) -> None:
            self._engine = engine
            self.capabilities = engine.capabilities
            self.drafts = 0

        def load(self) -> None: ...

        def transcribe(self, segment: Segment) -> Transcript:
            return self._engine.transcribe(segment)  # type: ignore[no-any-return]

        def draft(self, segment: Segment, memo: object = None) -> Draft:
            self.drafts += 1
            raise ValueError("no drafts")

    engine = Careful(make_transcriber().engine)
    make_transcriber(engine=engine).start()
    session = await call(interim_results=True)
    await session.say("one")
    await until(lambda: engine.drafts == 1)
    await session.say(" two")
    await until(lambda: engine.drafts == 2)
    await session.say(".")
    assert [result.text for result in await session.results(1)] == ["one two."]


async def test_final_does_not_wait_for_an_interim_under_way(
    make_transcriber: Any, call: Any, until: Until
) -> None:
    transcriber = make_transcriber().start()
    session = await call(interim_results=True)
    await session.say("what?")
    await until(transcriber.engine.waiting.is_set)  # the draft stands on one of two threads
    transcriber.engine.waiting.clear()
    await session.say("so.")
    await until(transcriber.engine.waiting.is_set)  # the final has the other one
    transcriber.engine.go.set()
    assert [result.text for result in await session.results(1)] == ["what?so."]
