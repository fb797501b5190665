"""Mixes channels to one so that none can cancel another.

The mean of two channels is silence if one of them is inverted (a balanced line that was taken for
stereo), and far too quiet if most of them are. So a channel has no part in the mean until
something is heard in it, and is turned over while it goes against the loudest one.

A block of 20 ms is looked at before it is given, so that the first sound is whole. Later changes
fade over a block, without a click. How the samples are split over calls changes nothing.
"""

from __future__ import annotations

import math
from typing import Final as Constant

import numpy as np
from numpy.typing import NDArray

from scripta_gateway.audio.resample import Mono

Channels = NDArray[np.float32]
"""Samples of several channels, a row for each; full scale is ±1."""

_BLOCK_SECONDS: Constant = 0.02
_MANY: Constant = 8
"""Of more channels blocks are longer, for what a block costs grows with their square."""
_HEARD_FLOOR: Constant = 1e-7
"""Power of what can be heard at all: -70 dB of full scale."""
_HEARD_PART: Constant = 1e-4
"""The same as a part of the loudest moment: -40 dB, which leaves crosstalk and noise out."""
_FORGET_LOUDEST: Constant = 0.9994
"""What remains of the loudest moment after a block: half of it after 23 seconds."""
_FORGET: Constant = 0.99
"""What remains of the covariance after a block: a third of it after two seconds."""
_AGAINST: Constant = -0.6
"""A correlation that is lower is that of an inverted channel, with some noise. Delayed microphones
and different talkers are above. Turned over it is as far above 0: nothing goes to and fro."""


class ChannelMixer:
    """Mixes one stream of several channels. Holds back less than a block.

    Args:
        channels: How many there are.
        rate: Samples a second of each.
    """

    def __init__(self, channels: int, rate: int) -> None:
        self._block = round(rate * _BLOCK_SECONDS * max(1.0, channels / _MANY))
        self._ramp = np.arange(1, self._block + 1, dtype=np.float32) / self._block
        self._open: Channels = np.zeros((channels, 0), np.float32)
        self._verdict = _Verdict(channels)
        self._weights = self._verdict.weights()
        self._silent = True

    def mix(self, samples: Channels) -> Mono:
        """Returns the mix of the blocks that these samples complete."""
        joined = np.concatenate((self._open, samples), axis=1) if self._open.size else samples
        whole = joined.shape[1] // self._block * self._block
        self._open = joined[:, whole:].copy()
        joined = joined[:, :whole]
        changes = self._verdict.take(joined.reshape(len(joined), -1, self._block))
        return self._fade(joined, changes) if changes else _weighted(joined, self._weights)

    def flush(self) -> Mono:
        """Returns what is held back; later samples begin a new block."""
        rest, self._open = self._open, self._open[:, :0]
        return _weighted(rest, self._weights)

    def _fade(self, joined: Channels, changes: dict[int, Mono]) -> Mono:
        """Mixes block by block; those that are named change the weights."""
        parts: list[Mono] = []
        for number in range(joined.shape[1] // self._block):
            part = joined[:, number * self._block : (number + 1) * self._block]
            before, self._weights = self._weights, changes.get(number, self._weights)
            mono = _weighted(part, self._weights)
            # Before the first sound there is nothing that it could be faded in from.
            if number in changes and not self._silent:
                old = _weighted(part, before)
                mono = (old + (mono - old) * self._ramp).astype(np.float32, copy=False)
            self._silent &= number not in changes
            parts.append(mono)
        return np.concatenate(parts)


def _weighted(samples: Channels, weights: Mono) -> Mono:
    mono: Mono = samples[0] * weights[0]
    for channel in range(1, len(weights)):
        if weights[channel]:
            mono += samples[channel] * weights[channel]
    return mono


class _Verdict:
    """What is known of each channel: whether anything was heard in it, and how it is turned."""

    def __init__(self, channels: int) -> None:
        self._every = range(channels)
        self._heard = [False] * channels
        self._signs = [1.0] * channels
        self._loudest = 0.0
        self._covariance = [0.0] * channels**2

    def weights(self) -> Mono:
        """Returns what each channel is multiplied by: a mean of those that are heard."""
        heard = np.array(self._heard) if any(self._heard) else np.ones(len(self._heard))
        weights: Mono = (self._signs * heard / heard.sum()).astype(np.float32)
        return weights

    def take(self, blocks: NDArray[np.float32]) -> dict[int, Mono]:
        """Takes blocks of each channel; returns the new weights from each that changes them."""
        if not blocks.size:
            return {}
        part = np.float32(1 / blocks.shape[2])
        moved = blocks - np.add.reduce(blocks, axis=2, keepdims=True) * part
        # Not by matmul: the library behind it takes 32 MB of a decoder's address space.
        now = np.einsum("ckb,dkb->kcd", moved, moved) * part
        # A few numbers each: as lists they cost less than as arrays.
        each = enumerate(now.reshape(len(now), -1).tolist())
        return {number: self.weights() for number, block in each if self._follow(block)}

    def _follow(self, block: list[float]) -> bool:
        """Takes the covariance of one block; returns whether that changes the weights."""
        both = zip(self._covariance, block, strict=True)
        self._covariance = [_FORGET * old + new for old, new in both]
        power = block[:: len(self._every) + 1]
        self._loudest = max(*power, _FORGET_LOUDEST * self._loudest)
        changed = False
        if not all(self._heard):
            least = max(_HEARD_FLOOR, _HEARD_PART * self._loudest)
            heard = [old or now > least for old, now in zip(self._heard, power, strict=True)]
            changed, self._heard = heard != self._heard, heard
        for channel in self._against():
            self._signs[channel] *= -1
            changed = True
        return changed

    def _against(self) -> list[int]:
        """Returns the channels that go against the loudest one."""
        channels = len(self._every)
        power = self._covariance[:: channels + 1]
        loudest = power.index(max(power))
        row = self._covariance[loudest * channels : (loudest + 1) * channels]
        sign, most = self._signs[loudest], _AGAINST * math.sqrt(power[loudest])
        return [
            channel
            for channel in self._every
            if row[channel] * sign * self._signs[channel] < most * math.sqrt(power[channel])
            and self._heard[channel]
        ]
