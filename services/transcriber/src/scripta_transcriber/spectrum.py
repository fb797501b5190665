"""Takes from audio what is no voice: hum and rumble below it, and hiss above a telephone's band.

A voice in a hum is far below it: detector and engines hear the hum alone, and a listener hardly
notices it. A voice from a telephone has nothing above 4 kHz, which the detector misses in it. Pure.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE

_LOW_HZ: Final = 150.0
"""Above the second harmonic of the mains, below what telephones keep of a voice."""

_STEEPNESS: Final = 8
"""Order of the filter: a hum of 50 Hz is 76 dB quieter behind it."""

_HIGH_HZ: Final = 3_900.0
"""So that every second sample is enough."""

_HUM_SHARE: Final = 10.0
"""Audio hums if its low end has so many times the power of the rest. No voice has."""

_BLOCK: Final = SAMPLE_RATE // 500
_BLOCKS_SHARE: Final = 0.8
"""Of the power of a hum that is left in the means of such blocks."""

_PEAK: Final = 30_000
"""Of what is left, so that rounding to 16 bits costs nothing of a quiet voice."""

_DECIMATION: Final = 4
_FRAME: Final = 512 // _DECIMATION
"""Samples whose loudness is compared with that of others, 32 ms."""

_LIVELY_DB: Final = 10.0
"""Loud frames of speech are so much louder than its pauses, at least. Those of steady noise differ
by 4 dB, of swelling music mostly by less than 8."""

_LOUD, _QUIET = 0.95, 0.25
"""Shares of the frames that are quieter than the loud and the quiet ones that are compared."""

_LEAST_POWER: Final = 1.0
"""Added to each frame's: rounding to 16 bits makes silence lively, too."""

Samples = npt.NDArray[np.int16]
Audio = npt.NDArray[np.float64]


class Spectrum:
    """The frequencies of some audio.

    Args:
        samples: At least one.
    """

    def __init__(self, samples: Samples) -> None:
        self._count = len(samples)
        self._lines = np.fft.rfft(samples - samples.mean())
        self._hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
        high = (self._hertz / _LOW_HZ) ** _STEEPNESS
        self._without_low = self._lines * (high / np.hypot(1, high))

    def hums(self) -> bool:
        """Returns true if nearly all of it lies below a voice."""
        left, whole = (
            float(np.square(np.abs(lines)).sum()) for lines in (self._without_low, self._lines)
        )
        return whole > (1 + _HUM_SHARE) * left

    def without_hum(self) -> Audio:
        """Returns the audio without its low end."""
        audio: Audio = np.fft.irfft(self._without_low, self._count)
        return audio

    def narrowed(self) -> Samples:
        """Returns what a telephone leaves of it, near full scale."""
        return at_full_scale(self._band())

    def _band(self) -> Audio:
        band: Audio = np.fft.irfft(
            np.where(self._hertz < _HIGH_HZ, self._without_low, 0), self._count
        )
        return band


def at_full_scale(audio: Audio) -> Samples:
    """Returns audio as samples with the loudest one near full scale."""
    scale = _PEAK / max(1.0, float(np.abs(audio).max()))
    return np.round(audio * scale).astype(np.int16)


def without_hum(samples: Samples) -> Audio | None:
    """Returns audio without its hum; ``None`` if it does not hum. Nearly all does not: quick."""
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).mean(axis=1)
    if not blocks.size or blocks.var() < _BLOCKS_SHARE * samples.var():
        return None
    spectrum = Spectrum(samples)
    return spectrum.without_hum() if spectrum.hums() else None


def is_lively(samples: Samples) -> bool:
    """Returns true if the loudness of the band of voices moves as that of speech does. Quick.

    Args:
        samples: More than a frame of the voice detector.
    """
    few = samples[: len(samples) // _DECIMATION * _DECIMATION].reshape(-1, _DECIMATION)
    # The third difference takes the low end away: mains hum is 66 dB quieter than voices.
    band = np.diff(few.mean(axis=1), 3)
    frames = band[: len(band) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.square(frames).mean(axis=1) + _LEAST_POWER
    loud, quiet = np.quantile(power, (_LOUD, _QUIET))
    return float(10 * np.log10(loud / quiet)) >= _LIVELY_DB
