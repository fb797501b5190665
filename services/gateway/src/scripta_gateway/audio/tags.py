"""Tags that stand before, between or behind frames of audio."""

from __future__ import annotations

from typing import Final as Constant

LONGEST_TAG_HEAD: Constant = 32
"""Bytes that tell how long any tag is."""


def tag_bytes(data: bytes | bytearray) -> int | None:
    """Returns the size of the tag that the data begins with, 0 if with none.

    ``None`` stands for too few bytes to tell.
    """
    if data.startswith(b"ID3"):
        if len(data) < 10:
            return None
        size = (data[6] & 127) << 21 | (data[7] & 127) << 14 | (data[8] & 127) << 7 | data[9] & 127
        return 10 + size + (10 if data[5] & 16 else 0)
    if data.startswith(b"TAG"):
        return 128
    if data.startswith(b"APETAGEX"):
        return None if len(data) < 32 else 32 + int.from_bytes(data[12:16], "little")
    short = bytes(data[:8])
    return None if any(tag.startswith(short) for tag in (b"ID3", b"TAG", b"APETAGEX")) else 0
