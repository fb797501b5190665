"""MPEG audio frames of layers I, II and III: what a header says."""

from __future__ import annotations

import re
from typing import Final as Constant

from scripta_gateway.audio.framing import Bytes, FrameHeader, Framing

_HEAD_BYTES: Constant = 4
_MPEG_1: Constant = 3
_DECODER_DELAY: Constant = 529
_RATES: Constant = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS_MPEG_1: Constant = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBPS_MPEG_2_LAYER_1: Constant = (
    *(0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
)
_KBPS_MPEG_2: Constant = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SIDE_INFO: Constant = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
MP3_CODEC: Constant = "mp3float"
_SECOND_BYTES: Constant = (0xE0, 0xE1, 0xF0, 0xF1, 0xF8, 0xF9)
"""With each version, and with a check sum or without, but for the layer."""
_CODECS: Constant = {1: "mp1float", 2: "mp2float", 3: MP3_CODEC}


def _read(data: Bytes, at: int) -> FrameHeader | None:
    """Returns the header at an offset; streams without a bit rate in it count as none."""
    if len(data) < at + _HEAD_BYTES or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    kbps_index, rate_index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer == 4 or rate_index == 3 or not 0 < kbps_index < 15:
        return None
    if version == 0 and layer != 3:
        return None  # MPEG 2.5 has layer III only
    rate, padding = _RATES[version][rate_index], data[at + 2] >> 1 & 1
    bits = 1000 * _kbps(version, layer)[kbps_index]
    if layer == 1:
        size, samples = (12 * bits // rate + padding) * 4, 384
    else:
        samples = 576 if layer == 3 and version != _MPEG_1 else 1152
        size = samples * bits // 8 // rate + padding
    return FrameHeader(_CODECS[layer], (version, rate), size, samples, rate)


def _kbps(version: int, layer: int) -> tuple[int, ...]:
    if version == _MPEG_1:
        return _KBPS_MPEG_1[layer]
    return _KBPS_MPEG_2_LAYER_1 if layer == 1 else _KBPS_MPEG_2


def _reader(layer: int) -> Framing:
    second = bytes(byte | (4 - layer) << 1 for byte in _SECOND_BYTES)
    return Framing(
        f"mp{layer}",
        head_bytes=_HEAD_BYTES,
        sync=((0xFF, 0xFF), (0xE6, 0xE0 | (4 - layer) << 1)),
        # A negative sample of raw audio begins like layer I, which hardly anybody uses.
        least=4 if layer == 1 else 2,
        begins=re.compile(rb"\xff[" + second + rb"][\x10-\xef]"),
        read=_read,
    )


MP1: Constant = _reader(1)
MP2: Constant = _reader(2)
MP3: Constant = _reader(3)


def encoder_delay(frame: bytes) -> int | None:
    """Returns the samples to drop at the start if a frame of layer III is an encoder's note.

    ``None`` for a frame of audio.
    """
    mpeg_1, mono = frame[1] >> 3 & 3 == _MPEG_1, frame[3] >> 6 == 3
    at = _HEAD_BYTES + _SIDE_INFO[mpeg_1, mono]
    if frame[at : at + 4] not in (b"Xing", b"Info") or len(frame) < at + 8:
        return None
    flags = frame[at + 7]
    lame = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1)
    lame += 4 * (flags >> 3 & 1)
    known = frame[lame : lame + 4] in (b"LAME", b"Lavf", b"Lavc")
    if not known or len(frame) < lame + 23:
        return 0
    return (frame[lame + 21] << 4 | frame[lame + 22] >> 4) + _DECODER_DELAY
