"""Levels, offsets and alignments that a listener does not mind: they change no words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from distortions import (
    ALIGNMENTS,
    Distortion,
    Samples,
    behind_noise,
    behind_silence,
    both,
    drift,
    fade_in,
    gain,
    hum,
    offset,
    step,
)
from recordings import BECKETT_TEXT, word_error_rate

from scripta_common.wire import Checkpoint, Entry
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.levels import CONTEXT_SAMPLES, FRAME_SAMPLES, Level, levelled
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.unit

LogOf = Callable[..., list[Entry]]


def noise(frames: int, deviation: float = 500.0) -> Samples:
    audio = np.random.default_rng(7).normal(0, deviation, (frames, FRAME_SAMPLES))
    return np.round(audio).astype(np.int16)


def windows(frames: Samples) -> np.ndarray:
    """What the model is given for one stream's frames."""
    level: list[Level | None] = [None]
    given = []
    for frame in frames:
        window, after = levelled(frame[None], level)
        level = [*after]
        given.append(window[0])
    return np.stack(given)


def test_frames_sound_the_same_at_every_level():
    loud = noise(20)
    for factor in (2, 8, 16):
        assert np.allclose(windows(loud * factor), windows(loud), atol=1e-6)


def test_nothing_is_louder_than_full_scale_but_what_is_remembered():
    sudden = np.concatenate([noise(20, 20), noise(20, 9_000)])
    assert np.abs(windows(sudden)[:, CONTEXT_SAMPLES:]).max() == pytest.approx(1.0)


def test_what_is_too_quiet_to_be_speech_is_not_made_loud():
    assert np.abs(windows(noise(20, 1.0))).max() < 0.2


@pytest.mark.parametrize("change", [offset(0.3), offset(-0.4, 0.5), step(0.3)])
def test_offset_is_no_loudness(change: Distortion):
    """Speech that stands on an offset was multiplied with it, and clipped away."""
    frames = noise(40)
    changed = change(frames.reshape(-1)).reshape(frames.shape)
    heard = windows(changed)
    around_a_step = [20, 21]
    for number in set(range(40)) - set(around_a_step):
        assert abs(heard[number].mean()) < 0.03
    assert np.abs(heard[[5, -1]]).max() == pytest.approx(1.0, abs=0.45)


def test_stream_is_levelled_in_company_as_alone():
    frames = np.stack([noise(12, deviation) for deviation in (3, 80, 900, 8_000)])
    frames[1] += 9_000
    level: list[Level | None] = [None] * len(frames)
    for number in range(12):
        together, after = levelled(frames[:, number], level)
        level = [*after]
        for row in range(len(frames)):
            assert np.array_equal(together[row], windows(frames[row, : number + 1])[-1])


def words(engine: MoonshineEngine, detector: VoiceDetector, log_of: LogOf, samples: Samples) -> str:
    segmenter = create_segmenter(
        MoonshineEngine.capabilities, Checkpoint(), SegmenterOptions(), detector
    )
    entries = log_of(samples.astype("<i2").tobytes())
    cuts = [cut for entry in entries for cut in segmenter.feed(entry)]
    return " ".join(engine.transcribe(cut.segment).text for cut in cuts if cut.segment)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(gain(-40), id="-40 dB"),
        pytest.param(gain(-20), id="-20 dB"),
        pytest.param(gain(12), id="+12 dB"),
        pytest.param(both(gain(30), gain(-3)), id="clipped at full scale"),
        pytest.param(offset(0.3), id="offset"),
        pytest.param(offset(-0.4, 0.5), id="offset the other way"),
        pytest.param(offset(0.3, 0.1), id="quiet on an offset"),
        pytest.param(drift(0.35, 0.5), id="offset that drifts"),
        pytest.param(step(0.3), id="offset that steps"),
        pytest.param(hum(0.05, 0.1), id="hum and offset"),
        pytest.param(fade_in(2.0), id="fades in"),
    ],
)
def test_words_are_heard_whatever_the_level(
    engine: MoonshineEngine,
    detector: VoiceDetector,
    beckett: bytes,
    log_of: LogOf,
    change: Distortion,
):
    """A microphone with an offset, or far away, gave an empty transcript."""
    heard = words(engine, detector, log_of, change(np.frombuffer(beckett, dtype="<i2")))
    assert word_error_rate(BECKETT_TEXT, heard) < 0.35, heard


@pytest.mark.parametrize(
    "before",
    [
        *(pytest.param(behind_silence(place), id=f"zeros {place}") for place in range(ALIGNMENTS)),
        pytest.param(behind_noise(0.8, 1.0), id="dither"),
        pytest.param(behind_noise(12, 1.5), id="comfort noise"),
    ],
)
def test_short_words_are_heard_wherever_a_frame_begins(
    engine: MoonshineEngine,
    detector: VoiceDetector,
    beckett: bytes,
    log_of: LogOf,
    before: Distortion,
):
    """What came behind digital silence was heard at every second alignment."""
    said = np.frombuffer(beckett, dtype="<i2")[:32_000]
    heard = words(engine, detector, log_of, before(said))
    assert word_error_rate("Ever tried.", heard) == 0, heard
