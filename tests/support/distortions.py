"""What recorders, lines and rooms do to speech that a listener does not mind.

Each takes samples of 16 bits and returns such samples, as a recorder would: rounded, and clipped
where they are beyond full scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from scripta_common.wire import SAMPLE_RATE

Samples = npt.NDArray[np.int16]
Audio = npt.NDArray[np.float64]
Distortion = Callable[[Samples], Samples]

FULL: Final = 32768.0

ALIGNMENTS: Final = 8
"""Places in a frame of the voice detector where a recording may begin, 4 ms apart."""

_ALIGNMENT_SAMPLES: Final = 64


def _made_of(change: Callable[[Audio], Audio]) -> Distortion:
    def distort(samples: Samples) -> Samples:
        changed = change(samples.astype(np.float64))
        return np.clip(np.round(changed), -FULL, FULL - 1).astype(np.int16)

    return distort


def gain(decibels: float) -> Distortion:
    """Makes it louder or quieter; what is too loud is clipped."""
    return _made_of(lambda audio: audio * 10 ** (decibels / 20))


def offset(share: float, scale: float = 1.0) -> Distortion:
    """Adds a constant, given as a share of full scale, to the scaled audio."""
    return _made_of(lambda audio: audio * scale + share * FULL)


def drift(share: float, hertz: float) -> Distortion:
    """Adds an offset that comes and goes to the halved audio."""
    return _made_of(lambda audio: audio / 2 + share * FULL * _sine(audio, hertz))


def hum(share: float, constant: float) -> Distortion:
    """Adds the mains' hum and an offset."""
    return _made_of(lambda audio: audio / 2 + FULL * (share * _sine(audio, 50) + constant))


def step(share: float) -> Distortion:
    """Adds an offset that is there from the middle on, to the halved audio."""
    return _made_of(lambda audio: audio / 2 + share * FULL * (_place(audio) > 0.5))


def fade_in(seconds: float) -> Distortion:
    """Lets it begin in silence and grow."""
    return _made_of(lambda audio: audio * np.minimum(1.0, _seconds(audio) / seconds))


def behind(lead: Samples) -> Distortion:
    """Puts something before it."""
    return lambda samples: np.concatenate([lead, samples])


def behind_silence(alignment: int) -> Distortion:
    """Puts a second of digital silence before it, so that it begins elsewhere in a frame."""
    return behind(np.zeros(SAMPLE_RATE + alignment * _ALIGNMENT_SAMPLES, dtype=np.int16))


def behind_noise(deviation: float, seconds: float) -> Distortion:
    """Puts the comfort noise of a line, or a converter's dither, before it."""
    noise = np.random.default_rng(1).normal(0, deviation, round(seconds * SAMPLE_RATE))
    return behind(np.round(noise).astype(np.int16))


def telephone(samples: Samples) -> Samples:
    """Leaves what a line of 8 kHz leaves: 300 to 3400 Hz."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    return np.clip(np.round(np.fft.irfft(spectrum, len(samples))), -FULL, FULL - 1).astype(np.int16)


def mulaw(samples: Samples) -> Samples:
    """Sends it through a line of 8 kHz in µ-law."""
    line = telephone(samples) / FULL
    packed = np.round(127 * np.log1p(255 * np.abs(line)) / np.log(256)) / 127
    return np.round(np.sign(line) * np.expm1(packed * np.log(256)) / 255 * FULL).astype(np.int16)


def both(first: Distortion, second: Distortion) -> Distortion:
    """Returns one distortion after the other."""
    return lambda samples: second(first(samples))


def _seconds(audio: Audio) -> Audio:
    return np.arange(len(audio)) / SAMPLE_RATE


def _place(audio: Audio) -> Audio:
    return np.arange(len(audio)) / max(1, len(audio))


def _sine(audio: Audio, hertz: float) -> Audio:
    sine: Audio = np.sin(2 * np.pi * hertz * _seconds(audio))
    return sine


DISTORTIONS: Final[dict[str, Distortion]] = {
    "as it is": gain(0),
    **{f"{decibels:+d} dB": gain(decibels) for decibels in (-40, -30, -20, -10, 6, 12)},
    "offset 0.1": offset(0.1),
    "offset 0.3": offset(0.3),
    "offset -0.4": offset(-0.4),
    "half, offset 0.3": offset(0.3, 0.5),
    "-20 dB, offset 0.3": offset(0.3, 0.1),
    "offset that drifts": drift(0.35, 0.5),
    "offset that steps": step(0.3),
    "hum and offset": hum(0.05, 0.1),
    "8 kHz": telephone,
    "µ-law": mulaw,
    "-30 dB, µ-law": both(gain(-30), mulaw),
    "fades in": fade_in(2.0),
    "behind dither": behind_noise(0.8, 1.0),
    "behind comfort noise": behind_noise(12, 1.5),
    **{f"alignment {place}": behind_silence(place) for place in range(ALIGNMENTS)},
}
"""By name, for tables."""
