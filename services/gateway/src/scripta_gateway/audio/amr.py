"""AMR, narrow and wide band, as phones record it: the frames behind a file's magic."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final as Constant

from scripta_gateway.audio.framing import Bytes, FrameHeader, Framing

_NARROW: Constant = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)
_WIDE: Constant = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)
"""Bytes of a frame of each type, with its head."""
_FRAMES_A_SECOND: Constant = 50
_LONGEST_PAUSE: Constant = 6


def _reader(codec: str, rate: int, sizes: tuple[int, ...]) -> Callable[..., FrameHeader]:
    def read(data: Bytes, at: int) -> FrameHeader:
        size = sizes[data[at] >> 3 & 15]
        return FrameHeader(codec, (), size, rate // _FRAMES_A_SECOND, rate)

    return read


def is_pause(codec: str, frame: Bytes) -> bool:
    """Returns whether a frame stands for a pause: comfort noise, or nothing at all."""
    sizes = {"amrnb": _NARROW, "amrwb": _WIDE}.get(codec)
    return sizes is not None and bool(frame) and sizes[frame[0] >> 3 & 15] <= _LONGEST_PAUSE


def _framing(codec: str, rate: int, sizes: tuple[int, ...]) -> Framing:
    read = _reader(codec, rate, sizes)
    return Framing(
        "amr",
        head_bytes=1,
        sync=((0x83, 0x00),),
        least=1,
        begins=re.compile(rb"[\x04-\x7c]"),
        read=read,
    )


BY_MAGIC: Constant = {
    b"#!AMR\n": _framing("amrnb", 8_000, _NARROW),
    b"#!AMR-WB\n": _framing("amrwb", 16_000, _WIDE),
}
LONGEST_MAGIC: Constant = max(map(len, BY_MAGIC))
