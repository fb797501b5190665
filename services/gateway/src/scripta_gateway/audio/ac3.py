"""AC-3 and E-AC-3 frames, as television and camcorders have them: what a header says."""

from __future__ import annotations

import re
from typing import Final as Constant

from scripta_gateway.audio.framing import Bytes, FrameHeader, Framing

_HEAD_BYTES: Constant = 7
_RATES: Constant = (48_000, 44_100, 32_000)
_KBPS: Constant = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640),
)
_LAST_OF_AC3: Constant = 10
_LAST_OF_EAC3: Constant = 16
_BLOCK: Constant = 256


def _read(data: Bytes, at: int) -> FrameHeader | None:
    if len(data) < at + _HEAD_BYTES or data[at] != 0x0B or data[at + 1] != 0x77:
        return None
    version = data[at + 5] >> 3
    if version <= _LAST_OF_AC3:
        return _ac3(data[at + 4] >> 6, data[at + 4] & 63)
    return _eac3(data, at) if version <= _LAST_OF_EAC3 else None


def _ac3(rate_index: int, size_index: int) -> FrameHeader | None:
    if rate_index == 3 or size_index >= 2 * len(_KBPS):
        return None
    rate, kbps = _RATES[rate_index], _KBPS[size_index >> 1]
    words = 96_000 * kbps // rate
    words += size_index & 1 if rate == 44_100 else 0
    return FrameHeader("ac3", (rate,), 2 * words, 6 * _BLOCK, rate)


def _eac3(data: Bytes, at: int) -> FrameHeader | None:
    kind, rate_index, blocks_index = data[at + 2] >> 6, data[at + 4] >> 6, data[at + 4] >> 4 & 3
    size = 2 * (((data[at + 2] & 7) << 8 | data[at + 3]) + 1)
    if kind == 3 or size < _HEAD_BYTES or (rate_index == 3 and blocks_index == 3):
        return None
    if rate_index == 3:
        rate, blocks = _RATES[blocks_index] // 2, 6
    else:
        rate, blocks = _RATES[rate_index], (1, 2, 3, 6)[blocks_index]
    return FrameHeader("eac3", (rate,), size, blocks * _BLOCK, rate)


AC3: Constant = Framing(
    "ac-3",
    head_bytes=_HEAD_BYTES,
    sync=((0xFF, 0x0B), (0xFF, 0x77)),
    least=2,
    begins=re.compile(rb"\x0b\x77"),
    read=_read,
)
