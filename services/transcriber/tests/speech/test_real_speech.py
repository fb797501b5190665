"""Segmenter, detector and engine together on recordings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripta_common.wire import Checkpoint, Entry, Reason
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

START = Checkpoint()
LogOf = Callable[..., list[Entry]]
few = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def cuts_of(
    detector: VoiceDetector, entries: list[Entry], checkpoint: Checkpoint = START
) -> list[Cut]:
    capabilities = MoonshineEngine.capabilities
    segmenter = create_segmenter(capabilities, checkpoint, SegmenterOptions(), detector)
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
