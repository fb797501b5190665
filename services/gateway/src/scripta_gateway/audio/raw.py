"""Uncompressed samples of any width, rate and channel count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final as Constant

import numpy as np
from numpy.typing import NDArray

from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.audio.channels import ChannelMixer
from scripta_gateway.audio.errors import too_long
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.resample import Mono, Resampler
from scripta_gateway.audio.voices import check_voices


class SampleFormat(StrEnum):
    """How a sample is written; little-endian unless the name says otherwise."""

    U8 = "u8"
    S8 = "s8"
    S16 = "s16"
    S24 = "s24"
    S32 = "s32"
    F32 = "f32"
    F64 = "f64"
    MULAW = "mulaw"
    ALAW = "alaw"
    S16BE = "s16be"
    S24BE = "s24be"
    S32BE = "s32be"
    F32BE = "f32be"
    F64BE = "f64be"


_STEP_BYTES: Constant = 64 * 1024
"""Most bytes that are converted at once, and no more than a second of audio: a millisecond of the
event loop."""

_BYTES: Constant = {
    SampleFormat.U8: 1,
    SampleFormat.S8: 1,
    SampleFormat.S16: 2,
    SampleFormat.S24: 3,
    SampleFormat.S32: 4,
    SampleFormat.F32: 4,
    SampleFormat.F64: 8,
    SampleFormat.MULAW: 1,
    SampleFormat.ALAW: 1,
    SampleFormat.S16BE: 2,
    SampleFormat.S24BE: 3,
    SampleFormat.S32BE: 4,
    SampleFormat.F32BE: 4,
    SampleFormat.F64BE: 8,
}

_SWAPPED: Constant = {
    SampleFormat.S16BE: SampleFormat.S16,
    SampleFormat.S24BE: SampleFormat.S24,
    SampleFormat.S32BE: SampleFormat.S32,
    SampleFormat.F32BE: SampleFormat.F32,
    SampleFormat.F64BE: SampleFormat.F64,
}
"""The same with the bytes of each sample the other way round."""


def _mulaw_table() -> Mono:
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(int), (code & 15).astype(int)
    magnitude = ((mantissa << 3) + 132 << exponent) - 132
    signed = np.where(code & 128, -magnitude, magnitude)
    table: Mono = (signed / 32768).astype(np.float32)
    return table


def _alaw_table() -> Mono:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(int), (code & 15).astype(int)
    step = (mantissa << 4) + 8 + np.where(exponent > 0, 256, 0)
    magnitude = step << np.maximum(exponent - 1, 0)
    signed = np.where(code & 128, magnitude, -magnitude)
    table: Mono = (signed / 32768).astype(np.float32)
    return table


_MULAW: Constant = _mulaw_table()
_ALAW: Constant = _alaw_table()


def samples_of(data: bytes, form: SampleFormat) -> Mono:
    """Returns the samples as floats, channels still interleaved; the length has to be whole."""
    scale = np.float32
    samples: Mono
    if form in _SWAPPED:
        data = np.frombuffer(data, np.uint8).reshape(-1, _BYTES[form])[:, ::-1].tobytes()
        form = _SWAPPED[form]
    match form:
        case SampleFormat.S8:
            samples = np.frombuffer(data, np.int8).astype(np.float32) / scale(128)
        case SampleFormat.U8:
            samples = (np.frombuffer(data, np.uint8).astype(np.float32) - scale(128)) / scale(128)
        case SampleFormat.S16:
            samples = np.frombuffer(data, "<i2").astype(np.float32) / scale(32768)
        case SampleFormat.S24:
            wide: NDArray[np.uint8] = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = (wide.view("<i4").ravel() / 2.0**31).astype(np.float32)
        case SampleFormat.S32:
            samples = (np.frombuffer(data, "<i4") / 2.0**31).astype(np.float32)
        case SampleFormat.F32 | SampleFormat.F64:
            kind = "<f4" if form is SampleFormat.F32 else "<f8"
            finite = np.nan_to_num(np.frombuffer(data, kind), posinf=1.0, neginf=-1.0)
            samples = np.clip(finite, -8.0, 8.0).astype(np.float32)
        case SampleFormat.MULAW:
            samples = _MULAW[np.frombuffer(data, np.uint8)]
        case SampleFormat.ALAW:
            samples = _ALAW[np.frombuffer(data, np.uint8)]
    return samples


class RawSource:
    """Turns samples into PCM; a sample cut by the end of a message waits for its other part."""

    def __init__(
        self,
        form: SampleFormat,
        sample_rate: int,
        channels: int,
        limits: DecoderLimits,
        *,
        separate: bool = False,
    ) -> None:
        self.voices = check_voices(channels) if separate else 1
        self._form = form
        self._rate = sample_rate
        self._channels = channels
        self._limits = limits
        self._frame_bytes = _BYTES[form] * channels
        self._as_is = (form, sample_rate) == (SampleFormat.S16, SAMPLE_RATE) and (
            channels == self.voices
        )
        self._carry = b""
        mixed = channels > self.voices
        self._mixer = ChannelMixer(channels, sample_rate) if mixed else None
        self._resampler = Resampler(sample_rate, self.voices)
        self.consumed: int | None = None

    @property
    def at_rest(self) -> bool:
        """Whether what came was taken over as it is, to the last byte."""
        return self._as_is and not self._carry

    async def feed(self, data: memoryview) -> AsyncIterator[bytes]:
        """Yields the PCM that these bytes complete; raw audio has no end.

        Every slice is a short step, after which others have their turn on the event loop.
        """
        if len(data) > self._limits.seconds_per_message * self._rate * self._frame_bytes:
            raise too_long(self._limits.seconds_per_message)
        step = min(_STEP_BYTES, self._rate * self._frame_bytes)
        for at in range(0, len(data), step):
            part = bytes(data[at : at + step])
            if pcm := self._whole(part) if self._as_is else self._convert(part):
                yield pcm
            if at + step < len(data):
                await asyncio.sleep(0)

    async def flush(self, *, end: bool) -> AsyncIterator[bytes]:
        """Yields what the rate conversion holds back; part of a sample stays, or ends."""
        if end:
            self._carry = b""
        pcm = self._resampler.push(self._mixer.flush()) if self._mixer is not None else b""
        if pcm := pcm + self._resampler.flush():
            yield pcm

    def expects(self, head: bytes) -> bool:
        """Whether a message that looks like a new file is not one: never."""
        return False

    async def close(self) -> None:
        """Does nothing: memory is all there is."""

    def _whole(self, data: bytes) -> bytes:
        """Returns the whole frames of the carry and the data; keeps the rest."""
        if self._carry:
            data = self._carry + data
        over = len(data) % self._frame_bytes
        self._carry = data[len(data) - over :] if over else b""
        return data[: len(data) - over] if over else data

    def _convert(self, data: bytes) -> bytes:
        samples = samples_of(self._whole(data), self._form)
        if self._mixer is not None:
            samples = self._mixer.mix(np.ascontiguousarray(samples.reshape(-1, self._channels).T))
        elif self.voices > 1:
            return self._resampler.push(samples.reshape(-1, self.voices))
        return self._resampler.push(samples)
