"""Notices raw audio that can not be the 16-bit samples that it is taken for. Pure.

Sound is smooth: a sample tells much about the next one. Bytes that are read in another way than
they were written in are loud and rough. They are doubted if another reading makes them smooth, or
if they are noise at full scale, as all compressed data is. Nothing is refused for that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final as Constant

import numpy as np

from scripta_gateway.audio.raw import SampleFormat, samples_of
from scripta_gateway.audio.resample import Mono

ENOUGH_BYTES: Constant = 48 * 1024
"""What is looked at: a second and a half at 16 kHz."""
LEAST_BYTES: Constant = 12 * 1024
"""With less nothing is said."""


class Doubt(StrEnum):
    """What raw audio looks like; the value is the metric's label."""

    COMPRESSED = "compressed"
    ODD_OFFSET = "odd_offset"
    BIG_ENDIAN = "big_endian"
    U8 = "u8"
    S24 = "s24"
    S32 = "s32"
    F32 = "f32"
    MULAW = "mulaw"
    ALAW = "alaw"


_NAMES: Constant = {
    Doubt.COMPRESSED: "compressed or encrypted data",
    Doubt.ODD_OFFSET: "16-bit samples of which the first byte is missing",
    Doubt.BIG_ENDIAN: "big-endian 16-bit samples",
    Doubt.U8: "8-bit samples",
    Doubt.S24: "24-bit samples",
    Doubt.S32: "32-bit samples",
    Doubt.F32: "32-bit floats",
    Doubt.MULAW: "mu-law (encoding=mulaw)",
    Doubt.ALAW: "A-law (encoding=alaw)",
}


def warning(doubt: Doubt) -> str:
    """Returns what a client is told."""
    return (
        "The audio is taken for little-endian 16-bit samples, but it looks like "
        f"{_NAMES[doubt]}. Send what the connection was opened for, or say in its query what it is."
    )


def _read(form: SampleFormat, width: int) -> Callable[[bytes], Mono]:
    return lambda data: samples_of(data[: len(data) // width * width], form)


_OF_BYTES: Constant[dict[Doubt, Callable[[bytes], Mono]]] = {
    Doubt.U8: _read(SampleFormat.U8, 1),
    Doubt.MULAW: _read(SampleFormat.MULAW, 1),
    Doubt.ALAW: _read(SampleFormat.ALAW, 1),
    # Of three bytes, the first and the second of two are the same ones in turn.
    Doubt.S24: _read(SampleFormat.S24, 3),
}
_OF_WORDS: Constant[dict[Doubt, Callable[[bytes], Mono]]] = {
    Doubt.ODD_OFFSET: lambda data: _read(SampleFormat.S16, 2)(data[1:]),
    Doubt.BIG_ENDIAN: _read(SampleFormat.S16BE, 2),
    Doubt.S24: _read(SampleFormat.S24, 3),
    Doubt.S32: _read(SampleFormat.S32, 4),
    Doubt.F32: _read(SampleFormat.F32, 4),
}

_LEVELS: Constant = (0.002, 0.5)
"""Root of the mean square, of full scale, between which sound is. Samples that are read in another
way than they were written in are louder than the lower one, too."""
_LOUD: Constant = 0.2
_ROUGH: Constant = 0.5
_SMOOTH: Constant = 0.45
"""Of the roughness of the samples as they are taken."""
_CLIPPED: Constant = 0.998
_MOSTLY: Constant = 0.2
"""Share of samples from which on they are clipped, and all readings of them are alike."""
_WHITE: Constant = (0.8, 1.2)
_ALIKE: Constant = 0.85
"""Share of first and of second bytes that have the same values, if each is a sample of its own."""
_APART: Constant = 0.7
"""Share of the louder of two words that the other one has at most, if they are halves of one."""


def doubt(data: bytes) -> Doubt | None:
    """Returns what the first bytes of raw audio look like, ``None`` if they may well be samples."""
    data = data[: len(data) & ~1]
    samples = samples_of(data, SampleFormat.S16)
    rough, rms = _roughness(samples)
    if float(np.mean(np.abs(samples) > _CLIPPED)) > _MOSTLY:
        return None
    if rms > _LOUD and _alike(data):
        found = _smoothest(data, _OF_BYTES, _ROUGH)
        return Doubt.COMPRESSED if found is None and _is_white(rough) else found
    if rms < _LEVELS[0] or rough < _ROUGH:
        return None
    found = _smoothest(data, _OF_WORDS, _SMOOTH * rough)
    return None if found is Doubt.S32 and not _are_halves(samples) else found


def _smoothest(
    data: bytes, readings: dict[Doubt, Callable[[bytes], Mono]], smoother_than: float
) -> Doubt | None:
    """Returns the reading that makes the smoothest sound, if any is smooth enough."""
    best, smoothest = None, smoother_than
    for name, read in readings.items():
        rough, rms = _roughness(read(data))
        if rough < smoothest and _LEVELS[0] < rms < _LEVELS[1]:
            best, smoothest = name, rough
    return best


def _roughness(samples: Mono) -> tuple[float, float]:
    """Returns how little samples tell of the next (1: nothing, 0: all), and their level."""
    wide = samples.astype(np.float64)
    centred = wide - wide.mean()
    power = float(np.mean(centred**2))
    if power == 0:
        return 0.0, 0.0
    return float(np.mean(np.diff(centred) ** 2)) / (2 * power), power**0.5


def _is_white(rough: float) -> bool:
    return _WHITE[0] < rough < _WHITE[1]


def _alike(data: bytes) -> bool:
    """Returns whether the first and the second bytes of samples have the same values as often."""
    pairs = np.frombuffer(data, np.uint8).reshape(-1, 2)
    first, second = (np.bincount(pairs[:, at], minlength=256) for at in (0, 1))
    return float(np.minimum(first, second).sum()) / len(pairs) > _ALIKE


def _are_halves(samples: Mono) -> bool:
    """Returns whether every second sample is so unlike the others that it is part of them."""
    low, high = (_roughness(samples[at::2])[1] for at in (0, 1))
    return min(low, high) < _APART * max(low, high)


class Doubts:
    """Looks at the start of raw audio, once.

    Attributes:
        found: What it looks like; ``None`` while nothing speaks against samples.
    """

    def __init__(self) -> None:
        self.found: Doubt | None = None
        self._begun: bytearray | None = bytearray()

    def take(self, data: memoryview) -> None:
        """Takes more raw audio."""
        if self._begun is None:
            return
        self._begun += data[: ENOUGH_BYTES - len(self._begun)]
        if len(self._begun) >= ENOUGH_BYTES:
            self.pause()

    def pause(self) -> None:
        """Looks at what has come, unless that is too little."""
        if self._begun is not None and len(self._begun) >= LEAST_BYTES:
            self.found = doubt(bytes(self._begun))
            self._begun = None
