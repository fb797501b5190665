"""Segmenter, detector and engine together on recordings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripta_common.wire import Checkpoint, Entry, Reason
from scripta_transcriber.engines.base import Capabilities, Segment
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

START = Checkpoint()
DEFAULT = SegmenterOptions()
LogOf = Callable[..., list[Entry]]
few = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def cuts_of(
    detector: VoiceDetector,
    entries: list[Entry],
    checkpoint: Checkpoint = START,
    options: SegmenterOptions = DEFAULT,
    capabilities: Capabilities = MoonshineEngine.capabilities,
) -> list[Cut]:
    segmenter = create_segmenter(capabilities, checkpoint, options, detector)
    return [cut for entry in entries for cut in segmenter.feed(entry)]


def words(engine: MoonshineEngine, cuts: list[Cut]) -> list[str]:
    text = " ".join(engine.transcribe(cut.segment).text for cut in cuts if cut.segment)
    return "".join(c for c in text.lower() if c.isalnum() or c == " ").split()


def test_read_speech_comes_out_as_words(
    engine: MoonshineEngine, detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    heard = words(engine, cuts_of(detector, log_of(two_cities)))
    assert " ".join(heard).startswith("it was the best of times it was the worst of times")
    assert " ".join(heard).endswith("in the superlative degree of comparison only")


@few
@given(st.lists(st.integers(100, 30_000), min_size=1, max_size=5))
def test_real_cuts_do_not_depend_on_chunks(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf, chunks: list[int]
):
    expected = cuts_of(detector, log_of(two_cities))
    cuts = cuts_of(detector, log_of(two_cities, chunks))
    assert [(c.segment and c.segment.start, c.segment and c.segment.pcm) for c in cuts] == [
        (c.segment and c.segment.start, c.segment and c.segment.pcm) for c in expected
    ]


def test_takeover_at_any_checkpoint_cuts_the_same(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    """The detector of the next transcriber starts where that of the dead one was reset."""
    entries = log_of(two_cities, finalize_at=[100_000, 350_000])
    cuts = cuts_of(detector, entries)
    assert len(cuts) > 6
    for done, cut in enumerate(cuts[:-1], start=1):
        rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
        assert cuts_of(detector, rest, cut.checkpoint) == cuts[done:]


def segments(cuts: list[Cut]) -> list[Segment]:
    return [cut.segment for cut in cuts if cut.segment]


def test_long_speech_is_cut_within_the_length_that_its_session_asks_for(
    engine: MoonshineEngine, detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    """Cut in mid-word, its halves would be two words that nobody said."""
    options = SegmenterOptions(max_segment_ms=3_000)
    entries = log_of(two_cities)
    cuts = cuts_of(detector, entries, options=options)
    reasons = [segment.reason for segment in segments(cuts)]
    assert reasons.count(Reason.LENGTH) >= 3
    assert max(segment.seconds for segment in segments(cuts)) <= 3.0
    heard = " ".join(words(engine, cuts))
    assert heard.startswith("it was the best of times it was the worst of times it was the age of")
    for done, cut in enumerate(cuts[:-1], start=1):
        rest = [entry for entry in entries if entry.seq > cut.checkpoint.seq]
        assert cuts_of(detector, rest, cut.checkpoint, options) == cuts[done:]


def test_long_speech_is_cut_where_it_is_quiet(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    options = SegmenterOptions(max_segment_ms=3_000)
    samples = np.frombuffer(two_cities, dtype="<i2").astype(np.float64)
    frames = np.sort((samples[: len(samples) // 512 * 512].reshape(-1, 512) ** 2).mean(axis=1))
    for segment in segments(cuts_of(detector, log_of(two_cities), options=options)):
        if segment.reason is Reason.LENGTH:
            around = samples[segment.end - 256 : segment.end + 256]
            assert (around**2).mean() < frames[len(frames) // 3]


def test_no_segment_is_longer_than_its_engine_takes(
    detector: VoiceDetector, two_cities: bytes, log_of: LogOf
):
    """A session does not know what its pool runs: it gets the longest there is."""
    entries = log_of(two_cities)
    longest = {}
    for takes in (15.0, 30.0):
        cuts = cuts_of(
            detector,
            entries,
            options=SegmenterOptions(endpointing_ms=5_000, max_segment_ms=30_000),
            capabilities=Capabilities(frozenset({"en"}), max_segment_seconds=takes),
        )
        longest[takes] = max(segment.seconds for segment in segments(cuts))
    assert longest[15.0] <= 15.0 < longest[30.0] <= 30.0


def test_finalize_in_the_middle_of_a_word_yields_what_was_said(
    engine: MoonshineEngine, detector: VoiceDetector, beckett: bytes, log_of: LogOf
):
    cuts = cuts_of(detector, log_of(beckett, finalize_at=[64_000]))
    asked = next(cut for cut in cuts if cut.segment and cut.segment.reason is Reason.FINALIZE)
    assert asked.checkpoint.sample == 64_000
    assert words(engine, cuts[: cuts.index(asked) + 1])[:4] == ["ever", "tried", "ever", "failed"]


def test_made_noise_yields_no_words(
    engine: MoonshineEngine, detector: VoiceDetector, log_of: LogOf
):
    rng = np.random.default_rng(11)
    time = np.arange(160_000) / 16_000
    noises = {
        "white": rng.normal(0, 2_000, 160_000),
        "hum": 6_000 * np.sin(2 * np.pi * 50 * time),
        "beeps": 9_000 * np.sin(2 * np.pi * 1_000 * time) * (time % 1 < 0.2),
        "rumble": np.cumsum(rng.normal(0, 60, 160_000)) % 4_000,
        "silence": np.zeros(160_000),
    }
    for name, samples in noises.items():
        entries = log_of(samples.astype("<i2").tobytes(), finalize_at=[90_000])
        assert words(engine, cuts_of(detector, entries)) == [], name


def test_recordings_without_speech_yield_no_words(
    engine: MoonshineEngine, detector: VoiceDetector, development, log_of: LogOf
):
    silent = [recording for recording in development if recording.language == "none"]
    assert silent
    for recording in silent:
        assert words(engine, cuts_of(detector, log_of(recording.pcm))) == [], recording.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("en_cv_22058264.wav", ["no"]),
        ("en_google_mountain_view.wav", ["mountain", "view"]),
        ("en_cards_001.wav", ["ten", "of", "clubs"]),
        ("en_ohf_nevermind.wav", ["never", "mind"]),
    ],
)
def test_short_utterances_are_not_lost(
    engine: MoonshineEngine,
    detector: VoiceDetector,
    development,
    log_of: LogOf,
    name: str,
    expected: list[str],
):
    pcm = next(recording.pcm for recording in development if recording.name == name)
    assert words(engine, cuts_of(detector, log_of(pcm))) == expected
