"""What is damaged, missing or joined between two sentences costs no word, and makes none.

Guards against demuxers that leave out all up to the next cluster, against the middle of a stream
behind a file, and against clicks of which the engine makes a word.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from recordings import two_cities, words

from scripta_common.wire import Checkpoint, Entry, EntryKind
from scripta_gateway.audio.decoder import AudioFormat
from scripta_transcriber.engines import create_engine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Samples = np.ndarray[Any, np.dtype[np.int16]]

RATE = 16_000
FIRST, SECOND = slice(1.0, 4.55), slice(21.0, 24.25)
FIRST_WORDS = "it was the best of times it was the worst of times"
SECOND_WORDS = "we had everything before us we had nothing before us"
BOTH = f"{FIRST_WORDS} {SECOND_WORDS}"
PAUSE = 2.4
LEAD = 1.2
PART = 700

STREAMS = [
    *("webm", "webm_live", "webm_stereo_live", "ogg_opus", "ogg_opus_live", "flac"),
    *("mp3_16k_live", "mp3", "aac", "mp2", "ac3", "loas", "ts_aac", "ts_mp3", "m2ts_ac3"),
]
FRAGMENTED = "m4a_fragmented"
"""Can not be heard from the middle on."""


class Ear(NamedTuple):
    """What hears PCM."""

    engine: Any
    detector: Any

    def words_in(self, pcm: bytes) -> str:
        engine = self.engine
        options = SegmenterOptions()
        segmenter = create_segmenter(engine.capabilities, Checkpoint(), options, self.detector)
        log = [Entry(1, EntryKind.AUDIO, 0, pcm), Entry(2, EntryKind.END, len(pcm) // 2)]
        cuts = [cut for entry in log for cut in segmenter.feed(entry) if cut.segment]
        return words(" ".join(engine.transcribe(cut.segment).text for cut in cuts))


class Streams(NamedTuple):
    """The same two sentences as one stream, and as two.

    Attributes:
        both: With a pause between them.
        start: The place in it where the pause begins.
        end: The place in it where the pause ends.
        first: The first sentence.
        second: The other one, behind a silence.
        middle: A place in that silence.
    """

    both: bytes
    start: int
    end: int
    first: bytes
    second: bytes
    middle: int


def room(seconds: float) -> Samples:
    noise = np.random.default_rng(0).normal(0, 3, round(seconds * RATE))
    return np.round(noise).astype(np.int16)


@pytest.fixture(scope="module")
def ear() -> Ear:
    engine = create_engine("moonshine", threads=1)
    engine.load()
    return Ear(engine, load_detector(engine.capabilities))


@pytest.fixture
async def sentences(decode: Any) -> tuple[Samples, Samples]:
    recording = two_cities()
    form = AudioFormat("linear16", recording.rate)
    pcm = np.frombuffer((await decode([recording.pcm], form)).all, "<i2")
    first, second = (
        pcm[round(part.start * RATE) : round(part.stop * RATE)] for part in (FIRST, SECOND)
    )
    return first, second


@pytest.fixture
def streams(
    sentences: tuple[Samples, Samples], encode_as: Callable[[str, Samples], bytes]
) -> Callable[[str], Streams]:
    first, second = sentences

    def make(kind: str) -> Streams:
        def place(samples: Samples, seconds: float) -> int:
            return len(encode_as(kind, samples[: round(seconds * RATE)]))

        began = len(first) / RATE
        both = np.concatenate([first, room(PAUSE), second, room(0.5)])
        alone = np.concatenate([room(LEAD), second, room(0.5)])
        return Streams(
            encode_as(kind, both),
            place(both, began + 0.35),
            place(both, began + PAUSE - 0.5),
            encode_as(kind, np.concatenate([first, room(0.6)])),
            encode_as(kind, alone),
            place(alone, 0.4),
        )

    return make


def harmed(made: Streams) -> Iterator[tuple[str, list[bytes]]]:
    """Yields what may come of a stream, each as messages."""
    chance = random.Random(6)
    both, third = made.both, (made.end - made.start) // 3
    left, right = made.start + chance.randrange(third), made.end - chance.randrange(third)
    without = both[:left] + both[right:]
    noise = chance.randbytes(right - left)
    yield "whole", [both]
    yield "missing", [without]
    yield "missing, in parts", [without[at : at + PART] for at in range(0, len(without), PART)]
    yield "missing between messages", [both[:left], both[right:]]
    yield "overwritten", [both[:left] + noise + both[right:]]
    yield "zeroed", [both[:left] + bytes(right - left) + both[right:]]
    for at in range(left, right - 40, max(41, (right - left) // 2)):
        yield f"40 bytes at {at}", [both[:at] + chance.randbytes(40) + both[at + 40 :]]


def joined_streams(made: Streams) -> Iterator[tuple[str, list[bytes]]]:
    """Yields ways in which one stream may follow another."""
    yield "two files", [made.first, made.second]
    yield "two files at once", [made.first + made.second]
    yield "another's middle", [made.first, made.second[made.middle :]]


@pytest.mark.parametrize("kind", [*STREAMS, FRAGMENTED])
async def test_what_is_lost_in_a_pause_costs_no_word_and_makes_none(
    kind: str, streams: Callable[[str], Streams], decode: Any, ear: Ear
) -> None:
    for name, messages in harmed(streams(kind)):
        assert ear.words_in((await decode(messages)).all) == BOTH, name


@pytest.mark.parametrize("kind", [*STREAMS, FRAGMENTED])
async def test_streams_that_follow_each_other_keep_their_words(
    kind: str, streams: Callable[[str], Streams], decode: Any, ear: Ear
) -> None:
    for name, messages in joined_streams(streams(kind)):
        assert ear.words_in((await decode(messages)).all) == BOTH, name


@pytest.mark.parametrize("kind", [kind for kind in STREAMS if kind != "flac"])
async def test_a_middle_behind_a_file_in_one_message_is_heard(
    kind: str, streams: Callable[[str], Streams], decode: Any, ear: Ear
) -> None:
    made = streams(kind)
    pcm = (await decode([made.first + made.second[made.middle :]])).all
    assert ear.words_in(pcm) == BOTH


@pytest.mark.parametrize("kind", STREAMS)
async def test_the_middle_alone_has_the_words_behind_it(
    kind: str, streams: Callable[[str], Streams], decode: Any, ear: Ear
) -> None:
    made = streams(kind)
    assert ear.words_in((await decode([made.second[made.middle :]])).all) == SECOND_WORDS
