"""Transport streams of every stride: no packet is lost at the end, at damage, or in a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.mpegts import TransportStream

pytestmark = pytest.mark.unit

PACKET = 188


def restrided(data: bytes, stride: int) -> bytes:
    """Returns a plain stream with bytes before each packet (192) or behind each (204)."""
    packets = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    before, behind = (b"\1\2\3\4", b"") if stride == 192 else (b"", bytes(range(stride - PACKET)))
    return b"".join(before + packet + behind for packet in packets)


def audio_packet(plain: bytes, least: int) -> int:
    """Returns the number of a packet that goes on with audio, at least the one given."""
    numbers = range(least, len(plain) // PACKET)
    return next(n for n in numbers if plain[n * PACKET + 1 : n * PACKET + 3] == b"\1\0")


def audio_of(data: bytes, size: int) -> bytes:
    stream = TransportStream("mpeg-ts")
    parts = [stream.push(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join(one.data for part in parts for one in part)


@pytest.mark.parametrize("stride", [188, 192, 204])
@pytest.mark.parametrize("size", [1, 100, 191, 5000, 1_000_000])
def test_every_packet_is_read_whatever_stands_between(
    stride: int, size: int, encoded: Callable[..., Any]
) -> None:
    """Guards the last packet, behind which the bytes of the next one's time do not come."""
    plain = encoded("ts_aac").data
    plain = plain[: (audio_packet(plain, 120) + 1) * PACKET]
    data = restrided(plain, stride)
    assert audio_of(data, size) == audio_of(plain, 1_000_000)
    if stride == 204:
        assert audio_of(data[: PACKET - stride], size) == audio_of(plain, 1_000_000)


@pytest.mark.parametrize("stride", [188, 192, 204])
def test_damage_costs_its_own_packet(stride: int, encoded: Callable[..., Any]) -> None:
    """Guards good packets behind a damaged one: packets stand in a row from the next one on."""
    plain = encoded("ts_aac").data
    data = bytearray(restrided(plain, stride))
    at = audio_packet(plain, 60) * stride
    data[at : at + stride] = b"\x11" * stride
    lost = len(audio_of(plain, 1_000_000)) - len(audio_of(bytes(data), 1000))
    assert 0 < lost <= PACKET - 4


@pytest.mark.parametrize("kind", ["ts_aac", "ts_mp3", "m2ts_ac3"])
async def test_a_very_short_stream_is_heard(
    kind: str, encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    """Guards a tap on the microphone: its few packets are fewer than a row of them."""
    stride = 192 if kind.startswith("m2ts") else PACKET
    data = encoded(kind).data
    count = next(n for n in range(4, 40) if len(audio_of(data[: n * stride], 1_000_000)) > 1500)
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    try:
        pcm = await joined(decoder.feed(data[: count * stride]))
        pcm += await joined(decoder.flush(end=True))
    finally:
        await decoder.close()
    assert 0.01 < len(pcm) / 32_000 < 0.5
