"""Listens again to what was taken for silence, before it is passed for good.

The voice detector decides on each frame with what it knows at that moment. A short or quiet word
may be over before its level is known, and whether the model notices it depends on where its frames
begin. Afterwards the level of the whole stretch is known, and frames can begin elsewhere. Words
are noticed at both places; music and noise nearly always at one of them only.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import numpy as np

from scripta_transcriber.segmenter.levels import FRAME_SAMPLES, level_of
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import Frame, Turn, VoiceDetector

_SHIFTS: Final = (0, FRAME_SAMPLES // 2)
"""Samples after which the frames of each hearing begin."""

_VOICED: Final = 3
"""Frames of speech that each of the hearings must find."""

_SURE: Final = 3
"""Frames that one of them must be sure of."""


def listen_again(
    samples: Frame, detector: VoiceDetector, rules: Rules
) -> Generator[Turn, float, list[float]]:
    """Yields frames, is sent the probability of speech in each, returns what came of it.

    Args:
        samples: All audio since the checkpoint, of any length.
        detector: What listens.
        rules: What makes a frame speech.

    Returns:
        The probability of speech in each whole frame; nothing if nobody speaks.
    """
    if len(samples) < FRAME_SAMPLES * _VOICED or not np.ptp(samples):
        return []
    level = level_of(samples)
    hearings: list[list[float]] = []
    for shift in _SHIFTS:
        stream, heard = detector.stream(), list[float]()
        stream.level = level._replace(sample=float(samples[shift]) / 32768.0)
        for at in range(shift, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            heard.append((yield Turn(stream, samples[at : at + FRAME_SAMPLES])))
        hearings.append(heard)
    return _together(*hearings) if _is_speech(hearings, rules) else []


def _is_speech(hearings: list[list[float]], rules: Rules) -> bool:
    voiced = [sum(one >= rules.keep_probability for one in heard) for heard in hearings]
    sure = [sum(one >= rules.sure_probability for one in heard) for heard in hearings]
    return min(voiced) >= _VOICED and max(sure) >= _SURE


def _together(whole: list[float], shifted: list[float]) -> list[float]:
    """Returns the highest probability in each frame; shifted frames lie in two of them."""
    before = [0.0, *shifted]
    behind = [*shifted, *[0.0] * (len(whole) - len(shifted))]
    return [max(three) for three in zip(whole, before, behind, strict=False)]
