"""Speech that the detector misses at first is heard before it is passed as silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
import pytest
from distortions import (
    ALIGNMENTS,
    Distortion,
    Samples,
    behind_silence,
    both,
    fade_in,
    gain,
    hum,
    mulaw,
    telephone,
)

from scripta_common.wire import SAMPLE_RATE, Checkpoint, Entry
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES
from scripta_transcriber.segmenter.speech import SpeechSegmenter
from scripta_transcriber.segmenter.vad import Turn, VoiceDetector

pytestmark = pytest.mark.unit

LogOf = Callable[..., list[Entry]]

PHRASES = ((1.0, 2.4), (2.5, 4.0), (4.4, 6.0))
"""Seconds of ``two_cities`` in which one short phrase is said."""


def phrase(pcm: bytes, first: float, last: float) -> Samples:
    samples = np.frombuffer(pcm, dtype="<i2")
    return samples[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)]


def segmenter_of(detector: VoiceDetector) -> SpeechSegmenter:
    made = create_segmenter(
        MoonshineEngine.capabilities, Checkpoint(), SegmenterOptions(), detector
    )
    assert isinstance(made, SpeechSegmenter)
    return made


def segments(detector: VoiceDetector, entries: Sequence[Entry]) -> list[Segment]:
    segmenter = segmenter_of(detector)
    cuts = [cut for entry in entries for cut in segmenter.feed(entry)]
    return [cut.segment for cut in cuts if cut.segment is not None]


@pytest.mark.parametrize("place", range(ALIGNMENTS))
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(telephone, id="telephone"),
        pytest.param(mulaw, id="µ-law"),
        pytest.param(both(gain(-30), mulaw), id="quiet µ-law"),
        pytest.param(fade_in(1.0), id="fades in"),
        pytest.param(gain(-40), id="-40 dB"),
    ],
)
def test_short_phrase_is_heard(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf, change: Distortion, place: int
):
    """Of such phrases on a telephone line, a fifth came out empty, by where their frames began."""
    for first, last in PHRASES:
        samples = behind_silence(place)(change(phrase(two_cities, first, last)))
        assert segments(detector, log_of(samples.tobytes())), (first, last)


@pytest.mark.parametrize("place", range(0, ALIGNMENTS, 2))
def test_voice_far_below_a_hum_is_heard(
    engine: MoonshineEngine, detector: VoiceDetector, two_cities: bytes, log_of: LogOf, place: int
):
    """The detector heard the hum alone, and the engine only guessed."""
    quiet = gain(-26)(phrase(two_cities, 0.0, 4.5))
    samples = hum(0.05, 0.1)(behind_silence(place)(quiet))
    heard = segments(detector, log_of(samples.tobytes()))
    words = " ".join(engine.transcribe(segment).text for segment in heard)
    assert "best of times" in words
    assert "worst of time" in words


def test_word_at_the_start_belongs_to_what_follows(
    engine: MoonshineEngine, detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    """The detector noticed speech on a telephone line late, and its first word was cut off."""
    samples = telephone(phrase(two_cities, 0.0, 4.5))
    first, *_ = segments(detector, log_of(samples.tobytes()))
    assert engine.transcribe(first).text.startswith("It was the best of times")


def noises() -> dict[str, Samples]:
    random = np.random.default_rng(3)
    seconds = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (262, 330, 392))
    bursts = random.normal(0, 5_000, len(seconds)) * (seconds % 0.5 < 0.25)
    made = {
        "white": random.normal(0, 3_000, len(seconds)),
        "bursts": bursts,
        "chord": 4_000 * chord,
        "hum": 3_000 * np.sin(2 * np.pi * 50 * seconds),
        "clicks": 20_000.0 * (np.arange(len(seconds)) % 4_000 < 3),
    }
    return {name: np.round(audio).astype(np.int16) for name, audio in made.items()}


@pytest.mark.parametrize("name", noises())
@pytest.mark.parametrize("change", [gain(0), gain(-30)], ids=["loud", "quiet"])
def test_noise_is_heard_again_in_vain(
    detector: VoiceDetector, log_of: LogOf, name: str, change: Distortion
):
    entries = log_of(change(noises()[name]).tobytes())
    assert not segments(detector, entries)


def test_what_is_heard_again_does_not_depend_on_when_entries_come(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    """A replay reads many entries at once where the live run read one."""
    samples = behind_silence(4)(telephone(phrase(two_cities, 0.5, 12.0))).tobytes()
    few, many = (
        [(segment.start, segment.pcm) for segment in segments(detector, log_of(samples, (size,)))]
        for size in (320, 40_000)
    )
    assert few == many


def frames_heard(
    detector: VoiceDetector, entries: Sequence[Entry], live: Sequence[float], again: float
) -> int:
    """Counts the frames that a session asks the detector for.

    Args:
        detector: Whose streams are made; it is asked for nothing.
        entries: The session's log.
        live: What is heard in one frame after the other, over and over.
        again: What is heard in each frame that is heard again.
    """
    segmenter = segmenter_of(detector)
    answers, frames, first = cycle(live), 0, None
    for entry in entries:
        listening = segmenter.listen(entry)
        try:
            turn: Turn = next(listening)
            first = first or turn.stream
            while True:
                frames += 1
                turn = listening.send(next(answers) if turn.stream is first else again)
        except StopIteration:
            pass
    return frames


@pytest.mark.parametrize("loudest", [0.25, 0.4, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("again", [0.25, 0.5, 0.65])
def test_no_frame_is_heard_more_than_eight_times(
    detector: VoiceDetector, log_of: LogOf, loudest: float, again: float
):
    """Frames that were doubtful now and then made the detector hear all of them eleven times."""
    noise = np.random.default_rng(0).normal(0, 3_000, 20 * SAMPLE_RATE).astype(np.int16)
    entries = log_of(noise.tobytes())
    for seed in range(24):
        random = np.random.default_rng(seed)
        doubtful = random.random(400) < random.choice([0.01, 0.03, 0.1, 0.3])
        live = np.where(np.repeat(doubtful, random.integers(1, 12)), loudest, 0.02)
        heard = frames_heard(detector, entries, live.tolist(), again)
        assert heard <= 8 * len(noise) / FRAME_SAMPLES, seed


def test_doubt_without_an_end_is_heard_again_ever_more_seldom(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    samples = phrase(two_cities, 0.0, 40.0)
    heard = frames_heard(detector, log_of(samples.tobytes()), [0.2], 0.2)
    assert heard <= 4 * len(samples) / FRAME_SAMPLES
