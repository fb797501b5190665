"""Digital silence: told without a model, and without a trace in what comes after it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scripta_common.wire import Checkpoint, Entry
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.speech import SpeechSegmenter
from scripta_transcriber.segmenter.stillness import FADING_FRAMES, Stillness
from scripta_transcriber.segmenter.vad import FRAME_SAMPLES, Turn, VoiceDetector

pytestmark = pytest.mark.unit

LogOf = Callable[..., list[Entry]]


def level(value: int) -> np.ndarray:
    return np.full(FRAME_SAMPLES, value, dtype="<i2")


def noise(amplitude: int) -> np.ndarray:
    signs = np.random.default_rng(5).integers(-amplitude, amplitude + 1, FRAME_SAMPLES)
    signs[:2] = -amplitude, amplitude
    return signs.astype("<i2")


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(level(0), id="zeros"),
        pytest.param(level(8), id="a-law"),
        pytest.param(noise(1), id="rounding"),
        pytest.param((level(8) + noise(1)).astype("<i2"), id="a-law-resampled"),
    ],
)
def test_muted_line_is_still_from_its_first_frame(frame: np.ndarray):
    stillness = Stillness()
    assert all(stillness.covers(frame) for _ in range(50))


@pytest.mark.parametrize("frame", [noise(2), noise(60), level(0) + 3 * (level(0) == 0).cumsum()])
def test_quietest_room_is_not_still(frame: np.ndarray):
    stillness = Stillness()
    assert not any(stillness.covers(frame.astype("<i2")) for _ in range(50))


def test_gap_between_words_is_listened_to_and_a_long_one_is_not():
    """Forgetting all at the first steady frame would cut the words after a gap in half."""
    stillness = Stillness()
    assert not stillness.covers(noise(900))
    covered = [stillness.covers(level(0)) for _ in range(2 * FADING_FRAMES)]
    assert covered == [False] * FADING_FRAMES + [True] * FADING_FRAMES
    assert not stillness.covers(noise(900))
    assert not stillness.covers(level(0))
    stillness.reset()
    assert stillness.covers(level(0))


def turns_of(detector: VoiceDetector, entries: list[Entry]) -> list[tuple[Turn, float]]:
    """What a session asks the detector, and is told."""
    segmenter = create_segmenter(
        MoonshineEngine.capabilities, Checkpoint(), SegmenterOptions(), detector
    )
    assert isinstance(segmenter, SpeechSegmenter)
    asked = []
    for entry in entries:
        listening = segmenter.listen(entry)
        heard = None
        while True:
            try:
                turn = next(listening) if heard is None else listening.send(heard)
            except StopIteration:
                break
            heard = turn.stream.probability(turn.frame)
            asked.append((turn, heard))
    return asked


def test_digital_silence_asks_no_model(detector: VoiceDetector, log_of: LogOf):
    """A hundred muted microphones cost more than the one that speaks."""
    assert turns_of(detector, log_of(bytes(1_000_000), finalize_at=[200_000])) == []


def test_what_follows_silence_is_heard_as_if_it_were_the_first(
    detector: VoiceDetector, beckett: bytes, log_of: LogOf
):
    """The next transcriber may start in the silence, with a stream that has heard nothing."""
    whole_frames = 60 * FRAME_SAMPLES
    hum = noise(300).tobytes() * 20
    silence = bytes(2 * whole_frames)
    after = turns_of(detector, log_of(hum + silence + beckett[:80_000], ended=False))
    fresh = turns_of(detector, log_of(beckett[:80_000], ended=False))
    assert len(fresh) > 50
    assert [heard for _, heard in after[-len(fresh) :]] == [heard for _, heard in fresh]
