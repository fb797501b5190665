"""What the sessions say: stretches of real speech, the same in every run."""

from __future__ import annotations

import importlib.util
import os
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

SAMPLE_RATE = 16_000
_SECOND = 2 * SAMPLE_RATE
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "speech"
_SHARED = Path(os.environ.get("SCRIPTA_SPEECH", _BESIDE))
_LONG = (
    "en_long_lj001_0001_0013.wav",
    "en_long_turns_dev.wav",
    "en_earnings22_1_4482311_3_62.wav",
    "en_two_cities.wav",
)
_SHIPPED = ("two_cities.wav", "beckett.wav")
_SHIFT = 3.7
"""Seconds by which further rounds over the same recordings are cut differently."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono s16le at 16 kHz."""

    name: str
    pcm: bytes


def recordings(count: int, seconds: float) -> list[Recording]:
    """Returns ``count`` stretches of ``seconds`` of speech, no two alike.

    From the development set where it is there, else from what ships with the model.
    """
    sources = _sources()
    found: list[Recording] = []
    shift = 0
    while len(found) < count:
        for name, pcm in sources:
            found += _stretches(name, pcm, seconds, shift * _SHIFT)
        shift += 1
    return found[:count]


def _stretches(name: str, pcm: bytes, seconds: float, first: float) -> Iterator[Recording]:
    length = int(seconds * SAMPLE_RATE) * 2
    # A recording that is too short goes round, so that every stretch has the same length.
    whole = pcm if len(pcm) >= length else pcm * (length // len(pcm) + 2)
    for at in range(int(first * SAMPLE_RATE) * 2, max(len(whole) - length, 0) + 1, length):
        yield Recording(f"{name}+{at / _SECOND:.1f}", whole[at : at + length])


def _sources() -> list[tuple[str, bytes]]:
    paths = [_SHARED / name for name in _LONG]
    if not all(path.is_file() for path in paths):
        spec = importlib.util.find_spec("moonshine_voice")
        if spec is None or spec.origin is None:
            raise RuntimeError("No recordings: set SCRIPTA_SPEECH or install moonshine-voice.")
        paths = [Path(spec.origin).parent / "assets" / name for name in _SHIPPED]
    return [(path.stem, _read(path)) for path in paths]


def _read(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise RuntimeError(f"{path} is not mono s16")
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        resampled = soxr.resample(samples, file.getframerate(), SAMPLE_RATE)
        return np.asarray(resampled, dtype="<i2").tobytes()
