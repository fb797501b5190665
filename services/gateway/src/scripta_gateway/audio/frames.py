"""Collects decoded frames as PCM, in the process that decodes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final as Constant

import numpy as np
from av import AudioFrame, AudioResampler

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_gateway.audio.channels import ChannelMixer, Channels
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.layouts import check_layout
from scripta_gateway.audio.resample import Resampler
from scripta_gateway.audio.timeline import Timeline
from scripta_gateway.audio.voices import check_voices, slice_bytes

_BATCH_SECONDS: Constant = 0.1
_FULL_SCALE: Constant = {"u8": 128.0, "s16": 32768.0, "s32": 2.0**31, "s64": 2.0**63}
_SAFE_PLANES: Constant = 2
_LOUDEST: Constant = 8.0
"""Floats may be beyond full scale, and damaged ones far beyond it."""


class Unpacker:
    """Reads the samples of frames of any layout.

    A planar frame of several channels is packed by libswresample first: the arrays that PyAV
    makes of more than a few planes reach past their ends.
    """

    def __init__(self) -> None:
        self._packer: AudioResampler | None = None
        self._packs: tuple[str, str, int] | None = None

    def samples_of(self, frame: AudioFrame, channels: int) -> Channels:
        """Returns a frame's samples as floats, a row for each channel."""
        format = frame.format
        form = format.name.removesuffix("p")
        if format.is_planar and channels > _SAFE_PLANES:
            frame = self._packed(frame, form)
            format = frame.format
        values = frame.to_ndarray()
        if not format.is_planar:
            values = values.reshape(-1, channels).T
        samples: Channels = values.astype(np.float32, copy=False)
        if form == "u8":
            samples = samples - np.float32(128)
        if form in _FULL_SCALE:
            samples = samples / np.float32(_FULL_SCALE[form])
        return samples

    def _packed(self, frame: AudioFrame, form: str) -> AudioFrame:
        packs = (form, frame.layout.name, frame.sample_rate)
        if self._packer is None or self._packs != packs:
            self._packer = AudioResampler(form, frame.layout, frame.sample_rate)
            self._packs = packs
        samples = frame.samples
        frame.pts = None
        packed = self._packer.resample(frame)
        if len(packed) != 1 or packed[0].samples != samples:
            raise AudioError("the channels of the audio could not be read")
        return packed[0]


class PcmSink:
    """Takes frames of any layout and rate, gives PCM.

    Whenever a whole slice has come together, it is given away at once, so that little is held.

    Attributes:
        frames: How many ever came.
        samples: How many of a channel ever came, or were lost, at their own rate.
        in_gap: Whether what is given now is silence that stands for audio which is not there.

        voices: Channels of the PCM: more than one only where they are kept apart.

    Args:
        give: Takes a whole slice.
        separate: Whether channels are kept apart: as many as the first frame has.
    """

    def __init__(self, give: Callable[[bytes], None], *, separate: bool = False) -> None:
        self.voices = 1
        self._separate = separate
        self.frames = 0
        self.samples = 0
        self.in_gap = False
        self._give = give
        self._timeline = Timeline()
        self._unpacker = Unpacker()
        self._mixer: ChannelMixer | None = None
        self._layout = 0, 0
        self._batch: list[Channels] = []
        self._batch_seconds = 0.0
        self._resampler: Resampler | None = None
        self._pcm = b""

    @property
    def jumps(self) -> int:
        """How often the track's clock jumped further than silence may fill."""
        return self._timeline.jumps

    def add(self, frame: AudioFrame, skip: int = 0, time: float | None = None) -> None:
        """Takes a frame without its first ``skip`` samples.

        Where its container says at which time the frame begins, silence fills a gap before it.

        Raises:
            AudioError: Its rate or its channels are not supported.
        """
        samples, rate = frame.samples - skip, frame.sample_rate
        if samples <= 0:
            return
        channels = frame.layout.nb_channels
        if (rate, channels) != self._layout:
            self._tune(rate, channels)
        if time is not None and (gap := self._timeline.gap_before(time)):
            self.silence(gap)
        self.frames += 1
        self.samples += samples
        unpacked = self._unpacker.samples_of(frame, channels)
        if self._separate and channels != self.voices:
            unpacked = _fitted(unpacked, self.voices)
        self._batch.append(unpacked[:, skip:] if skip else unpacked)
        seconds = samples / rate
        self._timeline.add_audio(seconds)
        self._batch_seconds += seconds
        if self._batch_seconds >= _BATCH_SECONDS:
            self._convert()

    def silence(self, seconds: float) -> None:
        """Adds silence in place of audio that is not there; none before the first frame."""
        if self._resampler is None or seconds <= 0:
            return
        self.flush()
        self.samples += round(seconds * self._resampler.rate)
        samples = round(seconds * SAMPLE_RATE)
        self._timeline.add_silence(samples / SAMPLE_RATE)
        self.in_gap = True
        whole, size = samples * BYTES_PER_SAMPLE * self.voices, slice_bytes(self.voices)
        for at in range(0, whole, size):
            self._put(bytes(min(size, whole - at)))
        self.in_gap = False

    def take(self) -> bytes:
        """Returns the PCM that has not been given: less than two slices."""
        self._convert()
        pcm, self._pcm = self._pcm, b""
        return pcm

    def flush(self) -> None:
        """Adds what the rate conversion holds back to the PCM."""
        self._empty_mixer()
        if self._resampler is not None:
            self._put(self._resampler.flush())

    def _tune(self, rate: int, channels: int) -> None:
        check_layout(channels, rate)
        if self._separate and not self.frames:
            self.voices = check_voices(channels)
        if self._resampler is None or self._resampler.rate != rate:
            self.flush()
            self._resampler = Resampler(rate, self.voices)
        else:
            self._empty_mixer()
        self._layout = rate, channels
        mixed = channels > 1 and not self._separate
        self._mixer = ChannelMixer(channels, rate) if mixed else None

    def _empty_mixer(self) -> None:
        self._convert()
        if self._mixer is not None and self._resampler is not None:
            self._put(self._resampler.push(self._mixer.flush()))

    def _convert(self) -> None:
        if self._batch and self._resampler is not None:
            batch = np.concatenate(self._batch, axis=1)
            if not np.abs(batch).max() <= _LOUDEST:  # also where something is no number
                np.nan_to_num(batch, copy=False, posinf=1.0, neginf=-1.0)
                np.clip(batch, -_LOUDEST, _LOUDEST, out=batch)
            if self.voices > 1:
                self._put(self._resampler.push(np.ascontiguousarray(batch.T)))
            else:
                mono = batch[0] if self._mixer is None else self._mixer.mix(batch)
                self._put(self._resampler.push(mono))
        self._batch.clear()
        self._batch_seconds = 0.0

    def _put(self, pcm: bytes) -> None:
        pcm = self._pcm + pcm if self._pcm else pcm
        at, size = 0, slice_bytes(self.voices)
        while len(pcm) - at > size:
            self._give(pcm[at : at + size])
            at += size
        self._pcm = pcm[at:] if at else pcm


def _fitted(samples: Channels, voices: int) -> Channels:
    """Returns samples with so many rows: those that are missing are silent."""
    fitted: Channels = np.zeros((voices, samples.shape[1]), np.float32)
    both = min(voices, len(samples))
    fitted[:both] = samples[:both]
    return fitted
