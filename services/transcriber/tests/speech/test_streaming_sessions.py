"""Sessions with a streaming engine: where the state of its decoder is made, used and dropped."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from tiny_streaming_models import write_zipformer_transducer

from scripta_common.wire import Final
from scripta_transcriber.engines.sherpa import SherpaEngine
from scripta_transcriber.engines.sherpa_stream import SherpaStream
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
LEASE = 0.5
STEP = 3_200
"""Bytes of a tenth of a second."""

IN_MID_SENTENCE = 2 * 61_000
"""Bytes up to the middle of the third sentence."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SherpaEngine:
    folder = tmp_path_factory.mktemp("zipformer")
    write_zipformer_transducer(folder)
    engine = SherpaEngine(ModelSource(str(folder)), threads=2)
    engine.load()
    return engine


class Streams:
    """All streams that were begun, and those that are still there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = self.most = 0
        self._alive: weakref.WeakSet[SherpaStream] = weakref.WeakSet()
        make = SherpaStream.__init__

        def begin(stream: SherpaStream, *arguments: Any) -> None:
            make(stream, *arguments)
            self.begun += 1
            self._alive.add(stream)
            self.most = max(self.most, len(self._alive))

        monkeypatch.setattr(SherpaStream, "__init__", begin)

    @property
    def alive(self) -> int:
        gc.collect()
        return len(self._alive)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    return Streams(monkeypatch)


@pytest.fixture
def transcriber(
    make_transcriber: Any, engine: SherpaEngine, detector: VoiceDetector
) -> Callable[[], Any]:
    def make() -> Any:
        return make_transcriber(
            engine=engine, lease=LEASE, detector=detector, interim_seconds=0.2
        ).start()

    return make


def told(results: Sequence[Any]) -> list[tuple[str, float, float]]:
    return [(one.text, one.start, one.end) for one in results if isinstance(one, Final)]


async def undisturbed(call: Any, pcm: bytes) -> list[tuple[str, float, float]]:
    session = await call()
    await session.send(pcm)
    await session.end()
    return told(await session.results())


async def speak(session: Any, pcm: bytes) -> None:
    """Sends audio in pieces, so that there are interims between them."""
    for at in range(0, len(pcm), STEP):
        await session.send(pcm[at : at + STEP])
        await asyncio.sleep(0.004)


async def test_finals_are_those_of_a_session_without_interims_and_each_stream_is_used(
    transcriber: Any, call: Any, streams: Streams, beckett: bytes
) -> None:
    transcriber()
    expected = await undisturbed(call, beckett)
    assert len(expected) == 6
    assert streams.begun == 6
    session = await call(interim_results=True)
    await speak(session, beckett)
    await session.end()
    assert told(await session.results()) == expected
    # One a segment: no final had to begin anew behind the interims of its segment.
    assert streams.begun == 12
    assert streams.alive == 0


async def test_final_need_not_wait_for_all_of_a_segment_that_nobody_wants_interims_of(
    transcriber: Any, call: Any, beckett: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder follows the speech all the same, and nobody is told of it."""
    before: list[int] = []
    finish = SherpaStream.finish

    def note(stream: SherpaStream, segment: Any) -> Any:
        before.append(stream._heard)
        return finish(stream, segment)

    monkeypatch.setattr(SherpaStream, "finish", note)
    serving = transcriber()
    rung: list[Any] = []
    serving.log.ring_interim = rung.append
    session = await call()
    await speak(session, beckett)
    await session.end()
    assert len(told(await session.results())) == 6
    assert len(before) == 6
    assert any(before)
    assert not rung


@pytest.mark.parametrize("killed", [True, False])
async def test_next_owner_comes_to_the_same_words_and_nothing_is_left_of_the_state(
    transcriber: Any, call: Any, streams: Streams, until: Until, beckett: bytes, killed: bool
) -> None:
    first = transcriber()
    expected = await undisturbed(call, beckett)
    session = await call(interim_results=True)
    await speak(session, beckett[:IN_MID_SENTENCE])
    await until(lambda: streams.alive == 1)
    if killed:
        await first.kill()
    else:
        await first.worker.drain()
    await until(lambda: streams.alive == 0)
    transcriber()
    await speak(session, beckett[IN_MID_SENTENCE:])
    await session.end()
    assert told(await session.results()) == expected
    assert await session.epoch() == 2
    assert streams.alive == 0


async def test_states_are_no_more_than_sessions_that_speak(
    transcriber: Any, call: Any, streams: Streams, beckett: bytes
) -> None:
    transcriber()
    expected = await undisturbed(call, beckett)

    async def talk() -> list[tuple[str, float, float]]:
        session = await call(interim_results=True)
        await speak(session, beckett)
        await session.end()
        return told(await session.results())

    async with asyncio.TaskGroup() as tasks:
        talks = [tasks.create_task(talk()) for _ in range(5)]
    assert [each.result() for each in talks] == [expected] * 5
    # One of a segment that ends, and one of the next that has begun meanwhile.
    assert 1 < streams.most <= 2 * 5
    assert streams.alive == 0
