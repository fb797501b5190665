"""Collects decoded frames as PCM, on the thread that decodes them."""

from __future__ import annotations

from typing import Final as Constant

import numpy as np
from av import AudioFrame

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.resample import Mono, Resampler

_BATCH_SECONDS: Constant = 0.1
_FULL_SCALE: Constant = {"u8": 128.0, "s16": 32768.0, "s32": 2.0**31, "s64": 2.0**63}


def to_mono(frame: AudioFrame) -> Mono:
    """Returns the mean of a frame's channels as floats."""
    form = frame.format.name.removesuffix("p")
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, len(frame.layout.channels)).T
    if form == "u8":
        values = values.astype(np.float32) - 128
    mono: Mono
    if len(values) == 1:
        mono = values[0].astype(np.float32, copy=False)
    else:
        mono = values.mean(axis=0, dtype=np.float32)
    if form in _FULL_SCALE:
        mono = mono / np.float32(_FULL_SCALE[form])
    return mono


class PcmSink:
    """Takes frames of any layout and rate, gives PCM; bounded per message.

    Attributes:
        frames: How many ever came.
        samples: How many of a channel ever came, at their own rate.
    """

    def __init__(self, seconds_per_message: float) -> None:
        self.frames = 0
        self.samples = 0
        self._limit = seconds_per_message
        self._seconds = 0.0
        self._batch: list[Mono] = []
        self._batch_seconds = 0.0
        self._resampler: Resampler | None = None
        self._pcm: list[bytes] = []

    def add(self, frame: AudioFrame, skip: int = 0) -> None:
        """Takes a frame without its first ``skip`` samples.

        Raises:
            AudioError: The message decodes to more audio than one may.
        """
        if frame.samples <= skip:
            return
        self.frames += 1
        seconds = (frame.samples - skip) / frame.sample_rate
        self.samples += frame.samples - skip
        self._seconds += seconds
        if self._seconds > self._limit:
            self._pcm.clear()
            self._batch.clear()
            raise AudioError(f"it unpacks to more than {self._limit:.0f} seconds of audio")
        self._tune(frame.sample_rate)
        self._batch.append(to_mono(frame)[skip:])
        self._batch_seconds += seconds
        if self._batch_seconds >= _BATCH_SECONDS:
            self._convert()

    def take(self) -> bytes:
        """Returns the PCM since the last call; the bound starts anew."""
        self._convert()
        pcm = b"".join(self._pcm)
        self._pcm.clear()
        self._seconds = 0.0
        return pcm

    def flush(self) -> None:
        """Adds what the rate conversion holds back to the PCM."""
        self._convert()
        if self._resampler is not None:
            self._pcm.append(self._resampler.flush())

    def _tune(self, rate: int) -> None:
        if self._resampler is None or self._resampler.rate != rate:
            self.flush()
            self._resampler = Resampler(rate)

    def _convert(self) -> None:
        if self._batch and self._resampler is not None:
            batch = np.nan_to_num(np.concatenate(self._batch), copy=False, posinf=1.0, neginf=-1.0)
            self._pcm.append(self._resampler.push(batch))
        self._batch.clear()
        self._batch_seconds = 0.0
