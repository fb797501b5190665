"""AIFF-C says the order of its bytes by a name, and their number elsewhere."""

from __future__ import annotations

import struct
from typing import Any

import pytest

pytestmark = pytest.mark.unit

SAMPLES = (0, 1, -1, 12_345, -12_345, 32_767, -32_768)
RATE_16_KHZ = bytes.fromhex("400cfa00000000000000")


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)


def aifc(coding: bytes, bits: int, data: bytes) -> bytes:
    """Returns one channel at 16 kHz as AIFF-C."""
    frames = len(data) * 8 // bits
    common = struct.pack(">hIh", 1, frames, bits) + RATE_16_KHZ + coding + b"\0\0"
    sound = chunk(b"SSND", bytes(8) + data)
    version = chunk(b"FVER", bytes.fromhex("a2805140"))
    body = b"AIFC" + version + chunk(b"COMM", common) + sound
    return b"FORM" + struct.pack(">I", len(body)) + body


@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize(("coding", "order"), [(b"sowt", "little"), (b"twos", "big")])
async def test_samples_of_each_width_are_read_in_their_order(
    coding: bytes, order: Any, bits: int, decode: Any
) -> None:
    """Guards against noise: samples of 24 and 32 bits were read as samples of 16."""
    data = b"".join(
        (one << bits - 16).to_bytes(bits // 8, order, signed=True) for one in SAMPLES * 100
    )
    pcm = (await decode([aifc(coding, bits, data)])).all
    assert pcm == struct.pack("<7h", *SAMPLES) * 100


@pytest.mark.parametrize("coding", [b"sowt", b"twos"])
async def test_samples_of_8_bits_are_signed(coding: bytes, decode: Any) -> None:
    data = struct.pack("5b", 0, 1, -1, 127, -128) * 100
    pcm = (await decode([aifc(coding, 8, data)])).all
    assert pcm == struct.pack("<5h", 0, 256, -256, 32_512, -32_768) * 100
