"""Bounds on what decoding one stream may cost; the reasons stand in ``bounds``."""

from __future__ import annotations

from dataclasses import dataclass

from scripta_gateway.bounds import (
    MAX_DECODED_SECONDS,
    MAX_DECODER_BYTES,
    MAX_FILE_BYTES,
    MAX_FRUITLESS_BYTES,
    MAX_STEP_SECONDS,
)


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Bounds of one decoder.

    Attributes:
        seconds_per_message: Audio that one message may decode to; beyond, it is refused.
        file_bytes: Bytes kept of an MP4 file whose index comes last, until it is complete.
        fruitless_bytes: Bytes that a compressed stream may go on without yielding any audio.
        memory_bytes: Memory that a compressed stream's process may take.
        step_seconds: Time in which it has to give its next slice.
    """

    seconds_per_message: float = MAX_DECODED_SECONDS
    file_bytes: int = MAX_FILE_BYTES
    fruitless_bytes: int = MAX_FRUITLESS_BYTES
    memory_bytes: int = MAX_DECODER_BYTES
    step_seconds: float = MAX_STEP_SECONDS
