"""Listens again to what was taken for silence, before it is passed for good.

The voice detector decides on each frame with what it knows at that moment. A short or quiet word
may be over before its level is known, and whether the model notices it depends on where its frames
begin. Afterwards the level of the whole stretch is known, and frames can begin elsewhere. Words
are noticed wherever frames begin; music and noise seldom in more than one way.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final

import numpy as np

from scripta_transcriber.segmenter.levels import FRAME_SAMPLES, level_of
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import Frame, Turn, VoiceDetector

_SHIFTS: Final = tuple(quarter * FRAME_SAMPLES // 4 for quarter in (0, 2, 1, 3))
"""Samples after which the frames of each hearing begin. The last two are for what is still doubtful
after the first two, and for the last time."""

_VOICED: Final = 3
"""Frames of speech that two of the hearings must find."""

_SURE: Final = 8
"""Frames that one of them must be sure of: a quarter of a second."""


def listen_again(
    samples: Frame, last: bool, detector: VoiceDetector, rules: Rules
) -> Generator[Turn, float, list[float]]:
    """Yields frames, is sent the probability of speech in each, returns what came of it.

    Args:
        samples: All audio since the checkpoint, of any length.
        last: Whether it is heard for the last time.
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
        if len(hearings) == 2 and _is_speech(hearings, rules):
            break
        hopeless = not last or max(map(max, hearings)) < rules.keep_probability
        if len(hearings) == 2 and hopeless:
            return []
    return _together(hearings) if _is_speech(hearings, rules) else []


def _is_speech(hearings: Sequence[Sequence[float]], rules: Rules) -> bool:
    voiced = [sum(one >= rules.keep_probability for one in heard) for heard in hearings]
    sure = [sum(one >= rules.sure_probability for one in heard) for heard in hearings]
    return sorted(voiced)[-2] >= _VOICED and max(sure) >= _SURE


def _together(hearings: Sequence[Sequence[float]]) -> list[float]:
    """Returns the highest probability in each frame; a shifted frame lies in two of them."""
    highest = list(hearings[0])
    for heard in hearings[1:]:
        for number, probability in enumerate(heard):
            for at in range(number, min(number + 2, len(highest))):
                highest[at] = max(highest[at], probability)
    return highest
