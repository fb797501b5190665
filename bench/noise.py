"""Noise that is mixed into recordings, at a number of decibels below the speech."""

from __future__ import annotations

import wave
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recorded import Recording
from scripta_common.wire import SAMPLE_RATE

FloatArray = npt.NDArray[np.float64]

_FRAME = SAMPLE_RATE // 50
_QUIETER = 1e-3
"""Frames whose power is by more than 30 dB below that of the loudest twentieth are pauses."""
_LOUDEST = 32_000.0
_SYNTHETIC_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Noise:
    """A stretch of noise.

    Attributes:
        name: What it is, for the report.
        samples: The noise; it is repeated where speech is longer.
    """

    name: str
    samples: FloatArray

    def mixed(self, name: str, pcm: bytes, decibels: float) -> bytes:
        """Returns speech with the noise in it.

        Args:
            name: Of the recording: each one begins at a place of its own in the noise.
            pcm: The speech.
            decibels: By how much the noise is below the speech, without its pauses.
        """
        speech = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
        place = zlib.crc32(name.encode()) % len(self.samples)
        noise = np.resize(np.roll(self.samples, -place), len(speech))
        power = speech_power(speech) / 10 ** (decibels / 10)
        both = speech + noise * np.sqrt(power / max(1e-9, float(np.mean(noise**2))))
        both *= min(1.0, _LOUDEST / max(1.0, float(np.abs(both).max(initial=0.0))))
        return both.round().astype("<i2").tobytes()


def speech_power(samples: FloatArray) -> float:
    """Returns the mean power of speech, without its pauses."""
    if len(samples) < _FRAME:
        return float(np.mean(samples**2)) if len(samples) else 0.0
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    powers = np.mean(frames**2, axis=1)
    return float(np.mean(powers[powers >= _QUIETER * np.quantile(powers, 0.95)]))


def recorded_noise(recordings: Iterable[Recording]) -> Recording | None:
    """Returns the first recording that is tagged as real noise, if there is one."""
    for recording in recordings:
        if recording.language == "none" and {"noise", "real"} <= recording.tags:
            return recording
    return None


def read_noise(path: Path | None) -> Noise:
    """Returns the noise of a WAV file (16 kHz mono), or pink noise that is made here."""
    if path is None:
        return Noise("pink noise, made here", _pink())
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return Noise(path.name, samples.astype(np.float64))


def _pink() -> FloatArray:
    """Returns noise whose power falls by 3 dB an octave: the same at each call."""
    count = _SYNTHETIC_SECONDS * SAMPLE_RATE
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    spectrum[1:] /= np.sqrt(frequencies[1:])
    spectrum[0] = 0
    samples: FloatArray = np.fft.irfft(spectrum, count)
    return samples / np.abs(samples).max() * 10_000
