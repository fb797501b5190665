"""Hum is taken from speech, which hardly ever counts as hum itself."""

from __future__ import annotations

import numpy as np
import pytest
from distortions import Samples, both, gain, hum, telephone

from scripta_common.wire import Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.samples import samples_of
from scripta_transcriber.spectrum import Spectrum, is_lively, without_hum

pytestmark = pytest.mark.unit

SECONDS = 5


@pytest.fixture
def speech(two_cities: bytes) -> Samples:
    return np.frombuffer(two_cities, "<i2")[: SECONDS * 16_000]


@pytest.mark.parametrize("hertz", [50, 60])
def test_hum_goes_and_the_voice_stays(speech: Samples, hertz: int) -> None:
    quiet = gain(-26)(speech)
    seconds = np.arange(len(quiet)) / 16_000
    humming = quiet + np.round(1_600 * np.sin(2 * np.pi * hertz * seconds)).astype(np.int16)
    cleared = without_hum(humming)
    assert cleared is not None
    assert np.abs(cleared - Spectrum(quiet).without_hum()).std() < 3


@pytest.mark.parametrize("decibels", [-40, -20, 0])
def test_speech_without_hum_is_left_alone(speech: Samples, decibels: int) -> None:
    for change in (gain(decibels), both(gain(decibels), telephone)):
        assert without_hum(change(speech)) is None


def test_engines_hear_no_hum(speech: Samples) -> None:
    """The engine made a few words up of a hum that speech stood in."""
    samples = hum(0.05, 0.1)(gain(-26)(speech))
    heard = samples_of(Segment(0, samples.tobytes(), Reason.END))
    assert heard.dtype == np.float32
    assert np.corrcoef(heard, speech)[0, 1] > 0.8


def test_loudness_of_speech_moves_and_that_of_steady_noise_does_not(speech: Samples) -> None:
    noise = np.random.default_rng(0).normal(0, 300, len(speech)).astype(np.int16)
    assert is_lively(speech)
    assert is_lively(hum(0.05, 0.1)(gain(-20)(speech)))
    assert not is_lively(noise)
    assert not is_lively(hum(0.05, 0.1)(noise))
    assert not is_lively(np.zeros(SECONDS * 16_000, np.int16))
