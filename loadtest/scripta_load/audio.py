"""The recording, as the chunks of a session."""

from __future__ import annotations

import importlib.util
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from scripta_load.errors import BadOption

Samples = np.ndarray[Any, np.dtype[np.int16]]

SAMPLE = "two_cities.wav"
_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Speech:
    """A session's audio: mono, 16 bits, little-endian.

    Attributes:
        name: What it is called in reports.
        pcm: The samples.
        rate: How many of them make a second.
    """

    name: str
    pcm: bytes
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.pcm) / _SAMPLE_BYTES / self.rate

    def chunks(self, seconds: float) -> list[memoryview]:
        """Returns it in messages of that length; the last may be shorter."""
        size = max(round(seconds * self.rate), 1) * _SAMPLE_BYTES
        whole = memoryview(self.pcm)
        return [whole[start : start + size] for start in range(0, len(whole), size)]

    def lasting(self, seconds: float) -> Speech:
        """Returns it repeated and cut to a length; 0 returns it as it is."""
        size = round(seconds * self.rate) * _SAMPLE_BYTES
        if not size:
            return self
        return Speech(self.name, (self.pcm * (size // len(self.pcm) + 1))[:size], self.rate)


def read_speech(path: str, rate: int) -> Speech:
    """Returns a WAV file, or the sample for an empty path, at that many samples a second.

    Raises:
        BadOption: It can not be read.
    """
    file = Path(path) if path else _sample_path()
    try:
        with wave.open(str(file), "rb") as recording:
            form = recording.getparams()
            raw = recording.readframes(form.nframes)
    except (OSError, EOFError, wave.Error) as error:
        raise BadOption(f"The recording {file} can not be read: {error}") from None
    if form.sampwidth != _SAMPLE_BYTES or not raw:
        raise BadOption(f"The recording {file} must be PCM with 16 bits a sample, and not empty.")
    samples = np.frombuffer(raw, dtype="<i2").reshape(-1, form.nchannels)
    mono = samples.mean(axis=1).astype(np.int16)
    return Speech(file.name, _resampled(mono, form.framerate, rate).astype("<i2").tobytes(), rate)


def _resampled(samples: Samples, old: int, new: int) -> Samples:
    return samples if old == new else np.asarray(soxr.resample(samples, old, new))


def _sample_path() -> Path:
    spec = importlib.util.find_spec("moonshine_voice")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "assets" / SAMPLE
        if path.is_file():
            return path
    raise BadOption(
        f"The sample {SAMPLE} is not installed (package moonshine-voice); name a --recording."
    )
