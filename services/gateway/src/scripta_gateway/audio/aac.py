"""AAC frames as recorders and radio stations send them: ADTS, and LOAS with LATM inside."""

from __future__ import annotations

import re
from typing import Final as Constant

from scripta_gateway.audio.framing import Bytes, FrameHeader, Framing

_RATES: Constant = (
    *(96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350),
)
_ADTS_HEAD: Constant = 7
_LOAS_HEAD: Constant = 3
_MOST_LOAS_BYTES: Constant = 2 * 768
"""Of two channels: what the standard lets a frame have."""
_LOAS_SAMPLES, _LOAS_RATE = 1024, 48_000
"""A guess: the rate stands in the frame's bits, at no fixed place."""


def _read_adts(data: Bytes, at: int) -> FrameHeader | None:
    if len(data) < at + _ADTS_HEAD or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    profile, rate_index = data[at + 2] >> 6, data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate_index >= len(_RATES) or size <= _ADTS_HEAD:
        return None
    samples = 1024 * ((data[at + 6] & 3) + 1)
    return FrameHeader("aac", (profile, rate_index), size, samples, _RATES[rate_index])


def _read_loas(data: Bytes, at: int) -> FrameHeader | None:
    if len(data) < at + _LOAS_HEAD or data[at] != 0x56 or data[at + 1] & 0xE0 != 0xE0:
        return None
    size = (data[at + 1] & 0x1F) << 8 | data[at + 2]
    if not _LOAS_HEAD < size <= _MOST_LOAS_BYTES:
        return None
    return FrameHeader("aac_latm", (), _LOAS_HEAD + size, _LOAS_SAMPLES, _LOAS_RATE)


ADTS: Constant = Framing(
    "aac",
    head_bytes=_ADTS_HEAD,
    sync=((0xFF, 0xFF), (0xF6, 0xF0)),
    least=2,
    begins=re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"),
    read=_read_adts,
)
LOAS: Constant = Framing(
    # Eleven bits and a length are little to go by.
    "aac in loas",
    head_bytes=_LOAS_HEAD,
    sync=((0xFF, 0x56), (0xE0, 0xE0)),
    least=4,
    begins=re.compile(rb"\x56[\xe0-\xe6]"),
    read=_read_loas,
)
