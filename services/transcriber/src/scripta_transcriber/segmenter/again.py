"""Listens again to what was taken for silence, before it is passed for good.

The voice detector decides on each frame with what it knows at that moment. A short or quiet word
may be over before its level is known, and whether the model notices it depends on where its frames
begin. Afterwards the level of the whole stretch is known, frames can begin elsewhere, and there is
time for a witness: a model for telephones, that hears the band of voices alone. Words are noticed
by both, wherever frames begin. Music and noise seldom are in more than one way.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final, NamedTuple

import numpy as np

from scripta_transcriber.segmenter.doubt import Unheard
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES, level_of
from scripta_transcriber.segmenter.rules import Rules
from scripta_transcriber.segmenter.vad import Frame, Turn, VoiceDetector
from scripta_transcriber.spectrum import Spectrum, at_full_scale, is_lively

_SHIFTS: Final = (0, FRAME_SAMPLES // 2)
"""Samples after which the frames of the detector's two hearings begin, …"""

_WITNESS_SHIFTS: Final = (FRAME_SAMPLES // 4, 3 * FRAME_SAMPLES // 4)
"""… and those of the witness."""

_VOICED: Final = 3
"""Frames of speech that both hearings of the detector must find if no witness is asked, …"""

_SURE: Final = 8
"""… and frames that one of them must be sure of: a quarter of a second."""

_VOICED_FOR_BOTH: Final = 5
"""What is enough if the witness agrees: frames of speech that one hearing of each must find, …"""

_SURE_FOR_ONE: Final = 4
"""… and frames that one of all must be sure of."""

Heard = list[float]
"""The probability of speech in each whole frame."""


class Again(NamedTuple):
    """What came of hearing again.

    Attributes:
        heard: The highest probability in each whole frame; nothing if nobody speaks.
        by_witness: Whether the detector alone would not have called it speech.
    """

    heard: Heard
    by_witness: bool = False


_NOBODY: Final = Again([])


def listen_again(
    unheard: Unheard, detector: VoiceDetector, rules: Rules
) -> Generator[Turn, float, Again]:
    """Yields frames, is sent the probability of speech in each, returns what came of it.

    Hears audio twice, and lets the witness hear it twice where that leaves a doubt.

    Where no frame was doubtful, audio is heard only if its loudness moves like that of speech, and
    the witness is asked first: it hardly ever finds speech then.

    Args:
        unheard: The audio.
        detector: What listens.
        rules: What makes a frame speech.
    """
    if len(unheard.samples) < FRAME_SAMPLES * _VOICED or not np.ptp(unheard.samples):
        return _NOBODY
    if not unheard.doubtful and not is_lively(unheard.samples):
        return _NOBODY
    spectrum = Spectrum(unheard.samples)
    hums = spectrum.hums()
    audio = at_full_scale(spectrum.without_hum()) if hums else unheard.samples
    narrowed, narrow = spectrum.narrowed(), detector.narrow
    witness: list[Heard] = []
    if not unheard.doubtful and not hums:
        witness = yield from _hear_each(narrowed, _WITNESS_SHIFTS[:1], narrow)
        if max(witness[0]) < rules.keep_probability:
            return _NOBODY
    own = yield from _hear_each(audio, _SHIFTS, detector)
    if _are_sure(own, rules):
        return Again(_together(own))
    if not unheard.last or not _may_agree(own, rules):
        return _NOBODY
    witness += yield from _hear_each(narrowed, _WITNESS_SHIFTS[len(witness) :], narrow)
    if not _agree(own, witness, rules):
        return _NOBODY
    return Again(_together([*own, *witness]), by_witness=True)


def _hear_each(
    samples: Frame, shifts: Sequence[int], detector: VoiceDetector
) -> Generator[Turn, float, list[Heard]]:
    """Hears audio once for each shift."""
    level, hearings = level_of(samples), list[Heard]()
    for shift in shifts:
        stream, heard = detector.stream(), Heard()
        stream.level = level._replace(sample=float(samples[shift]) / 32768.0)
        for at in range(shift, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            heard.append((yield Turn(stream, samples[at : at + FRAME_SAMPLES])))
        hearings.append(heard)
    return hearings


class _Found(NamedTuple):
    """How many frames of a hearing are speech, and how many surely are."""

    voiced: int
    sure: int


def _found(hearings: Sequence[Heard], rules: Rules) -> list[_Found]:
    return [
        _Found(
            sum(one >= rules.keep_probability for one in heard),
            sum(one >= rules.sure_probability for one in heard),
        )
        for heard in hearings
    ]


def _are_sure(own: Sequence[Heard], rules: Rules) -> bool:
    """Returns whether the detector needs no witness."""
    found = _found(own, rules)
    return min(one.voiced for one in found) >= _VOICED and max(one.sure for one in found) >= _SURE


def _may_agree(hearings: Sequence[Heard], rules: Rules) -> bool:
    """Returns whether one of them finds enough speech for an agreement."""
    return max(one.voiced for one in _found(hearings, rules)) >= _VOICED_FOR_BOTH


def _agree(own: Sequence[Heard], witness: Sequence[Heard], rules: Rules) -> bool:
    """Returns whether detector and witness find speech."""
    sure = max(one.sure for one in _found([*own, *witness], rules))
    return _may_agree(own, rules) and _may_agree(witness, rules) and sure >= _SURE_FOR_ONE


def _together(hearings: Sequence[Heard]) -> Heard:
    """Returns the highest probability in each frame; a shifted frame lies in two of them."""
    highest = list(hearings[0])
    for heard in hearings[1:]:
        for number, probability in enumerate(heard):
            for at in range(number, min(number + 2, len(highest))):
                highest[at] = max(highest[at], probability)
    return highest
