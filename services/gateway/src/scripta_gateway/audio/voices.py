"""Several voices kept apart: PCM of several channels, interleaved. Pure."""

from __future__ import annotations

from typing import Final as Constant

import numpy as np

from scripta_common.wire import BYTES_PER_SAMPLE
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.slices import SLICE_BYTES

MAX_VOICES: Constant = 8
"""Channels that are kept apart, at most: each is a session with a slot of its own."""


def check_voices(channels: int) -> int:
    """Returns how many voices so many channels are; raises ``AudioError`` if they are too many."""
    if channels > MAX_VOICES:
        raise AudioError(
            f"audio with {channels} channels can not be transcribed channel by channel; at most "
            f"{MAX_VOICES} can"
        )
    return channels


def slice_bytes(voices: int) -> int:
    """Returns the size of a slice: the largest that no sample of a voice is cut by."""
    frame = BYTES_PER_SAMPLE * voices
    return SLICE_BYTES // frame * frame


def split(pcm: bytes, voices: int) -> tuple[bytes, ...]:
    """Returns the PCM of each voice."""
    if voices == 1:
        return (pcm,)
    samples = np.frombuffer(pcm, "<i2").reshape(-1, voices)
    return tuple(samples[:, voice].tobytes() for voice in range(voices))


def refit(pcm: bytes, voices: int, wanted: int) -> bytes:
    """Returns PCM of another number of voices: those that are missing are silent.

    A stream keeps the number of voices that it began with; voices beyond are left out.
    """
    if voices == wanted:
        return pcm
    samples = np.frombuffer(pcm, "<i2").reshape(-1, voices)
    fitted = np.zeros((len(samples), wanted), "<i2")
    both = min(voices, wanted)
    fitted[:, :both] = samples[:, :both]
    return fitted.tobytes()
