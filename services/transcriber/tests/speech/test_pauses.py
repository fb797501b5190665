"""Where nobody speaks, by the level."""

from __future__ import annotations

import numpy as np
import pytest

from scripta_common.wire import SAMPLE_RATE, Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.pauses import Pause, Quiet

pytestmark = pytest.mark.unit


def quiet(*parts: tuple[float, float]) -> Quiet:
    """Returns what is found in noise of some loudnesses for some seconds each."""
    noise = np.random.default_rng(2).normal(0, 1, (len(parts), 3 * SAMPLE_RATE))
    samples = [
        part[: round(seconds * SAMPLE_RATE)] * loudness
        for part, (loudness, seconds) in zip(noise, parts, strict=True)
    ]
    pcm = np.concatenate(samples).astype("<i2").tobytes()
    return Quiet.of(Segment(0, pcm, Reason.ENDPOINT))


def near(*pauses: tuple[float, float]) -> list[object]:
    return [pytest.approx(pause, abs=0.05) for pause in pauses]


@pytest.mark.parametrize("room", [0, 3, 60])
def test_pause_is_found_in_silence_and_in_the_sound_of_a_room(room: float) -> None:
    found = quiet((3_000, 1.0), (room, 0.4), (3_000, 1.0))
    assert found.pauses == near((1.0, 1.4))


def test_closure_of_a_stop_is_no_pause_and_the_edge_of_a_segment_is() -> None:
    found = quiet((3, 0.05), (3_000, 1.0), (3, 0.1), (3_000, 1.0), (3, 0.05))
    assert found.pauses == near((0.0, 0.05), (2.15, 2.2))


def test_room_is_heard_beside_a_muted_microphone() -> None:
    """Guards a threshold that is measured on digital silence: speech began with the noise."""
    found = quiet((0, 1.0), (60, 0.5), (3_000, 1.0))
    assert found.pauses == near((0.0, 1.5))


@pytest.mark.parametrize("offset", [300, 4_000])
def test_offset_of_a_microphone_is_no_sound(offset: int) -> None:
    """Guards words behind a pause that began a second early, since no pause was found."""
    noise = np.random.default_rng(4).normal(0, 1, 3 * SAMPLE_RATE)
    noise[SAMPLE_RATE : 2 * SAMPLE_RATE] *= 0.001
    pcm = (noise * 3_000 + offset).astype("<i2").tobytes()
    assert Quiet.of(Segment(0, pcm, Reason.ENDPOINT)).pauses == near((1.0, 2.0))


def test_breath_is_a_lull_and_no_pause() -> None:
    found = quiet((3_000, 1.0), (30, 0.3), (300, 0.4), (30, 0.3), (3_000, 1.0))
    assert found.lulls == near((1.0, 2.0))
    assert found.pauses == near((1.0, 1.3), (1.7, 2.0))


def test_weak_sound_inside_a_word_is_no_lull() -> None:
    assert quiet((3_000, 1.0), (300, 0.12), (3_000, 1.0)) == Quiet([], [])


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 400])
def test_shortest_segments_are_taken(samples: int) -> None:
    found = Quiet.of(Segment(0, bytes(2 * samples), Reason.ENDPOINT))
    assert all(isinstance(pause, Pause) for pause in found.pauses)
