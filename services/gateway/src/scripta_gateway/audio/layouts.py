"""Which sample rates and channel counts are taken, wherever the audio comes from."""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.bounds import MAX_CHANNELS

RATES: Constant = range(1000, 768_001)
"""In Hz. Below, one frame may be hours long; nobody records above."""


def check_layout(channels: int, rate: int, name: str = "audio") -> None:
    """Checks a stream's channels and rate.

    Raises:
        AudioError: There are too many, or it is out of bounds.
    """
    if rate not in RATES or not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(
            f"{name} with {channels} channels at {rate} Hz is not supported; send at most "
            f"{MAX_CHANNELS} channels at {RATES.start} to {RATES.stop - 1} Hz"
        )
