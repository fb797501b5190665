"""Bounds on what decoding one stream may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final as Constant

KIB: Constant = 1024
MIB: Constant = 1024 * KIB


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Bounds of one decoder.

    Attributes:
        seconds_per_message: Audio that one message may decode to, in seconds. Beyond it the
            message is refused; a megabyte of packed silence could otherwise become days.
        file_bytes: Bytes kept of an MP4 file whose index comes last, until it is complete.
        fruitless_bytes: Bytes that a compressed stream may go on without yielding any audio
            (an MP4 index may be eight times as large).
        memory_bytes: Memory that a compressed stream's process may take besides what it is born
            with and a file that it keeps. Ordinary streams take 3 to 8 MB.
        step_seconds: Time in which a compressed stream's process has to give its next slice.
            A slice takes hundredths of a second; the rest is for a machine that is busy.
    """

    seconds_per_message: float = 1800.0
    file_bytes: int = 32 * MIB
    fruitless_bytes: int = 512 * KIB
    memory_bytes: int = 64 * MIB
    step_seconds: float = 20.0
