"""Recognises music, signals and engines among what the voice detector took for speech.

The voice detector goes by how sound swells and fades: a tone that swells like syllables is a
vowel to it. What tells them apart is that an instrument holds its pitch. The lines of its
spectrum stay where they are, and change in loudness only. The pitch of a voice always moves a
little, which smears its higher lines, and its consonants have no lines at all.

What is in doubt is speech: a tenth of a second in which the pitch moves is enough.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.segmenter.levels import FRAME_SAMPLES

_WINDOW: Final = 1024
"""Samples of one spectrum, 64 ms: lines of a voice are smeared in it, and notes are longer."""

_APART: Final = _WINDOW // FRAME_SAMPLES
"""Frames between two spectra that are compared: their windows have no sample in common."""

_EMPHASIS: Final = 0.9
"""Of a first difference, without which a hum would hide the speech above it."""

_BAND: Final = slice(150 * _WINDOW // SAMPLE_RATE + 1, 7000 * _WINDOW // SAMPLE_RATE)
"""Lines that are compared: mains hum is below them, and many codecs leave nothing above."""

_ALIKE: Final = 0.85
"""Spectra are those of one held sound if the cosine between them is at least this."""

_LOUD_SHARE: Final = 0.01
"""A frame counts if it has this share of the power of the loudest one around it."""

_AROUND: Final = round(0.3 * SAMPLE_RATE / FRAME_SAMPLES)
"""Frames on each side that are around a frame."""

_LEAST_POWER: Final = 3e4
"""Frames with less power hold no more than what rounding to 16 bits adds."""

_LONGEST_CHANGE: Final = 2
"""Frames in a row that may change, 64 ms: from one note to the next."""

_CHANGING_SHARE: Final = 0.2
"""Share of the frames that may change. Of speech three quarters do, or more."""

_LIKELY_CHANGING_SHARE: Final = 0.6
"""Share of the frames that may change where music is likely, however many do in a row."""

_LEAST_FRAMES: Final = 5
"""Frames that count, without which nothing is music: so few are alike by chance."""

_STRETCH: Final = 64
"""Frames that are judged at once. Speech shows in the first of them, and the rest is spared."""

_TAPER: Final = np.hanning(_WINDOW)

Spectra = npt.NDArray[np.float64]


def is_music(samples: npt.NDArray[np.int16], *, likely: bool = False) -> bool:
    """Returns true if the sound in these samples holds its pitch nearly all the time.

    Args:
        samples: A stretch that the voice detector took for speech.
        likely: Whether it hardly did, so that less is enough.
    """
    share = _LIKELY_CHANGING_SHARE if likely else _CHANGING_SHARE
    count = (len(samples) - _WINDOW) // FRAME_SAMPLES + 1
    loud = changing = 0
    for first in range(0, count - _APART, _STRETCH):
        # What is left behind the last stretch has too few frames to be one.
        last = count if count - first < 2 * _STRETCH else first + _STRETCH
        counts, changes = _judge(_spectra(samples, first, last))
        if not likely and _longest_run(changes) > _LONGEST_CHANGE:
            return False
        loud += int(counts.sum())
        changing += int(changes.sum())
        if last == count:
            break
    return loud >= _LEAST_FRAMES and changing < share * loud


def _spectra(samples: npt.NDArray[np.int16], first: int, last: int) -> Spectra:
    """Returns the amplitudes of the lines in each frame, [frames, lines]."""
    start, end = first * FRAME_SAMPLES, (last - 1) * FRAME_SAMPLES + _WINDOW
    audio = samples[start:end].astype(np.float64)
    audio[1:] -= _EMPHASIS * audio[:-1]
    audio[0] = 0.0
    windows = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::FRAME_SAMPLES]
    return np.abs(np.fft.rfft(windows * _TAPER, axis=1)[:, _BAND])


def _judge(spectra: Spectra) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Returns of each frame whether it counts, and whether it counts and is not held."""
    power = np.square(spectra).sum(axis=1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, _AROUND), 2 * _AROUND + 1)
    counts = (power > _LEAST_POWER) & (power >= _LOUD_SHARE * around.max(axis=1))
    norms = np.sqrt(np.maximum(power, 1.0))
    products = (spectra[_APART:] * spectra[:-_APART]).sum(axis=1)
    cosines = products / (norms[_APART:] * norms[:-_APART])
    alike = np.zeros(len(spectra))
    alike[:-_APART] = cosines
    alike[_APART:] = np.maximum(alike[_APART:], cosines)
    return counts, counts & (alike < _ALIKE)


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    """Returns how many in a row are true, at most."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
