"""What an Opus packet says of itself."""

from __future__ import annotations

from typing import Final as Constant

RATE: Constant = 48_000
"""Of all Opus, whatever was recorded."""

_SILK: Constant = (480, 960, 1920, 2880)
_HYBRID: Constant = (480, 960)
_CELT: Constant = (120, 240, 480, 960)
_FIRST_HYBRID, _FIRST_CELT = 12, 16
_MOST_SAMPLES: Constant = 5760


def packet_samples(packet: bytes) -> int:
    """Returns how many samples a packet holds of each channel, 0 if it is none."""
    if not packet:
        return 0
    form, code = packet[0] >> 3, packet[0] & 3
    if form < _FIRST_HYBRID:
        samples = _SILK[form & 3]
    else:
        samples = _HYBRID[form & 1] if form < _FIRST_CELT else _CELT[form & 3]
    if code < 3:
        samples *= 2 if code else 1
    else:
        samples *= packet[1] & 63 if len(packet) > 1 else 0
    return samples if samples <= _MOST_SAMPLES else 0


def stream_head(packet: bytes) -> bytes:
    """Returns what the head of the stream would have said that a packet comes from."""
    channels = 2 if packet[0] & 4 else 1
    rate = RATE.to_bytes(4, "little")
    return b"OpusHead\x01" + bytes((channels,)) + bytes(2) + rate + bytes(3)
