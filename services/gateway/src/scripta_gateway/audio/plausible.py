"""Whether bytes can be 16-bit samples, by what holds for all speech and most sound. Pure."""

from __future__ import annotations

from typing import Final as Constant

import numpy as np
from numpy.typing import NDArray

_LEAST: Constant = 64
_PART: Constant = 256
_MOST: Constant = 8 * 1024
_UNIFORM_RMS: Constant = 32768 / 3**0.5
_NEIGHBOURS: Constant = 0.35


def samples_at(data: bytes, offset: int) -> NDArray[np.float32]:
    """Returns the bytes from an offset as 16-bit samples."""
    count = (len(data) - offset) // 2
    return np.frombuffer(data, "<i2", count, offset).astype(np.float32)


def could_be_compressed(head: bytes) -> bool:
    """Returns whether the first bytes of a stream look like noise at full scale.

    Too lenient to refuse anything by, and made for few bytes.
    """
    data = head[:_MOST]
    return len(data) >= _LEAST and all(_is_white(samples_at(data, at)) for at in (0, 1))


def holds_compressed(data: bytes) -> bool:
    """Returns whether a part of some bytes looks like noise at full scale."""
    parts = range(0, len(data), _PART) if len(data) >= _PART else (0,)
    return any(could_be_compressed(data[at : at + _PART]) for at in parts)


def _is_white(samples: NDArray[np.float32]) -> bool:
    """Returns whether samples are as loud as random bytes and tell nothing of their neighbours."""
    power = float(np.mean(samples**2))
    if not 0.6 < power**0.5 / _UNIFORM_RMS < 1.3:
        return False
    together = float(np.mean(samples[1:] * samples[:-1]))
    return abs(together) < _NEIGHBOURS * power
