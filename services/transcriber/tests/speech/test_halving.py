"""Audio at half its rate: voices stay, what has no place there goes, and pieces have no seams."""

from __future__ import annotations

import numpy as np
import pytest

from scripta_transcriber.engines.halving import Halver

pytestmark = pytest.mark.unit

RATE = 16_000


def level(hertz: float) -> float:
    """Returns how loud a tone is at half the rate, in decibels of what it was."""
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    halved = Halver().halve(tone)
    assert len(halved) == RATE // 2
    return float(20 * np.log10(halved[100:].std() / tone.std()))


@pytest.mark.parametrize("hertz", [100, 1_000, 3_000, 3_300])
def test_voices_stay_as_loud_as_they_are(hertz: float) -> None:
    assert level(hertz) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("hertz", [4_700, 6_000, 7_900])
def test_what_would_be_heard_as_another_tone_is_gone(hertz: float) -> None:
    assert level(hertz) < -40


def test_pieces_are_the_whole() -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, RATE).astype(np.float32)
    halver = Halver()
    pieces = [halver.halve(noise[at : at + 1_600]) for at in range(0, RATE, 1_600)]
    assert np.concatenate(pieces) == pytest.approx(Halver().halve(noise), abs=1e-6)
