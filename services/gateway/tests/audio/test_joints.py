"""What lies before lost audio is not heard behind it: a click there was an invented word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.unit

RATE = 16_000
PACKET = 188
QUIET = (2.0, 4.2)


@pytest.mark.parametrize("kind", ["mp3_16k_live", "mp3", "aac", "ac3", "mp2", "ts_aac", "ts_mp3"])
@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
async def test_silence_behind_damage_is_silent(
    kind: str, replaced: bool, seed: int, decode: Any, speech: Any, encode_as: Any
) -> None:
    """Guards against what a decoder keeps of a frame for the next one to overlap with."""
    spoken = np.concatenate([speech, speech])
    quiet = slice(round(QUIET[0] * RATE), round(QUIET[1] * RATE))
    spoken[quiet] = np.random.default_rng(0).normal(0, 3, quiet.stop - quiet.start)
    data = encode_as(kind, spoken)
    noise = np.random.default_rng(seed)
    start, end = (int(len(data) * part) for part in (noise.uniform(0.15, 0.25), 0.45))
    start, end = start - start % PACKET, end - end % PACKET
    lost = noise.bytes(end - start) if replaced else b""
    whole = (await decode([data])).all
    pcm = np.frombuffer((await decode([data[:start] + lost + data[end:]])).all, "<i2")
    behind = len(pcm) - (len(whole) // 2 - round(3.9 * RATE))
    before = round(start / len(data) * len(whole) / 2) + RATE // 5
    assert np.abs(pcm[before:behind]).max() < 30


@pytest.mark.parametrize("kind", ["ts_aac", "ts_mp3"])
async def test_packets_that_are_sent_twice_are_heard_once(
    kind: str, encoded: Callable[..., Any], decode: Any
) -> None:
    """Guards against repeated syllables: a transport stream may send each packet again."""
    data = encoded(kind).data
    packets = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    late = packets[40:]
    again = [packet * (1 + (packet[1] & 0x1F == 1 and not packet[2])) for packet in late]
    twice = b"".join(packets[:40] + again)
    assert len(twice) > len(data) * 1.3
    assert (await decode([twice])).all == (await decode([data])).all


@pytest.mark.parametrize("kind", ["ts_aac", "ts_mp3", "m2ts_ac3"])
async def test_a_few_lost_packets_are_no_click(kind: str, decode: Any, encode_as: Any) -> None:
    """A loss of less than 0.1 s was no gap in the times, and clicked at four times the level."""
    seconds = np.arange(3 * RATE) / RATE
    tone = 9_000 * np.sin(2 * np.pi * 220 * seconds) * (seconds * 3 % 1 < 0.5)
    data = encode_as(kind, np.round(tone).astype(np.int16))
    packet = 192 if kind.startswith("m2ts") else PACKET
    whole = np.frombuffer((await decode([data])).all, "<i2").astype(int)
    packets = len(data) // packet
    for at in range(packets // 5, packets * 4 // 5, 4):
        rest = data[: at * packet] + data[(at + 2) * packet :]
        pcm = np.frombuffer((await decode([rest])).all, "<i2").astype(int)
        # The tone may begin or end at once where it was cut.
        assert np.abs(pcm).max() < 1.5 * np.abs(whole).max(), at
        assert np.abs(np.diff(pcm)).max() < 1.8 * np.abs(np.diff(whole)).max(), at
