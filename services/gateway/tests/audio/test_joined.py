"""Streams that are joined in the middle, or damaged there, are heard from the next place on.

A client that reconnects goes on with its running stream. It was heard as noise, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError

pytestmark = pytest.mark.unit

STREAMS = [
    "mp3_16k_live", "mp3", "aac", "ac3", "loas", "flac", "flac_44k_stereo", "webm_live",
    "webm_stereo_live", "ogg_opus_live", "ts_aac", "ts_mp3", "m2ts_ac3",
]  # fmt: skip
SILENT_IF_DAMAGED = ["mp3_16k_live", "aac", "mp2", "ac3", "loas", "flac"]
SECONDS = 3.0


async def heard(messages: list[bytes], budget: StreamBudget) -> bytes:
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    try:
        pcm = b"".join([await joined(decoder.feed(message)) for message in messages])
        return pcm + await joined(decoder.flush(end=True))
    finally:
        await decoder.close()


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("size", [700, 1_000_000])
async def test_a_stream_is_heard_from_the_middle_on(
    kind: str,
    size: int,
    encoded: Callable[..., Any],
    budget: StreamBudget,
    pieces: Any,
    likeness: Any,
    speech: Any,
) -> None:
    data = encoded(kind).data
    cut = len(data) * 2 // 5 + 77
    pcm = await heard(pieces(data[cut:], size), budget)
    assert 0.35 * SECONDS < len(pcm) / 32_000 < 0.75 * SECONDS
    correlation, _ = likeness(pcm, speech[-len(pcm) // 2 :])
    assert correlation > 0.9


@pytest.mark.parametrize("kind", ["webm_live", "webm_stereo_live"])
async def test_webm_is_heard_from_a_later_cluster_on(
    kind: str, encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    data = encoded(kind).data
    clusters = [match.start() for match in re.finditer(b"\x1f\x43\xb6\x75", data)]
    for cluster in clusters[len(clusters) // 3 : -8 : 5]:
        pcm = await heard([data[cluster:]], budget)
        assert abs(len(pcm) / 32_000 - SECONDS * (1 - cluster / len(data))) < 0.3


@pytest.mark.parametrize(
    ("kind", "name"),
    [("m4a_fragmented", "mp4"), ("webm_vorbis_live", "webm"), ("ogg_vorbis", "ogg")],
)
async def test_a_middle_that_means_nothing_without_its_start_is_called_so(
    kind: str, name: str, encoded: Callable[..., Any], budget: StreamBudget, pieces: Any
) -> None:
    data = encoded(kind).data * (4 if kind == "ogg_vorbis" else 1)
    cut = data.index(b"moof") - 4 if name == "mp4" else 14_000
    decoder, told = AudioDecoder(AudioFormat(), budget=budget), []
    for message in (*pieces(data[cut : len(encoded(kind).data)], 3000), None):
        try:
            assert not await joined(decoder.feed(message) if message else decoder.flush(end=True))
        except AudioError as error:
            told.append(str(error))
    await decoder.close()
    assert told
    assert all(f"it is the middle of a stream of {name}" in error for error in told)


@pytest.mark.parametrize("kind", SILENT_IF_DAMAGED)
@pytest.mark.parametrize("size", [700, 1_000_000])
async def test_damage_costs_what_was_damaged_and_no_time(
    kind: str,
    size: int,
    encoded: Callable[..., Any],
    budget: StreamBudget,
    pieces: Any,
    likeness: Any,
) -> None:
    """Words behind damage were early by the length of what was lost."""
    data = bytearray(encoded(kind).data)
    whole = await heard([bytes(data)], budget)
    at, long = len(data) // 2, len(data) // 8
    data[at : at + long] = np.random.default_rng(4).bytes(long)
    pcm = await heard(pieces(bytes(data), size), budget)
    assert abs(len(pcm) - len(whole)) < 32_000 * 0.1
    for part in (slice(16_000, len(whole) // 3 & ~1), slice(len(whole) * 7 // 10 & ~1, len(whole))):
        wanted = np.frombuffer(whole[part], "<i2")
        correlation, shift = likeness(pcm[part], wanted)
        assert correlation > 0.95
        assert abs(shift) < 16_000 * 0.1


@pytest.mark.parametrize("kind", ["mp3_16k_live", "aac", "flac"])
async def test_a_stream_that_was_given_up_begins_again_where_frames_do(
    kind: str, encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    data = encoded(kind).data
    decoder, noise = AudioDecoder(AudioFormat(), budget=budget), np.random.default_rng(1)
    await joined(decoder.feed(data[: len(data) // 3]))
    with pytest.raises(AudioError):  # noqa: PT012 - the first call may keep it for the next
        for _ in range(60):
            await joined(decoder.feed(noise.bytes(20_000)))
    with pytest.raises(AudioError):
        await joined(decoder.feed(bytes(3200)))
    pcm = await joined(decoder.feed(data[len(data) // 2 :]))
    pcm += await joined(decoder.flush(end=True))
    assert len(pcm) / 32_000 > 0.3 * SECONDS
    await decoder.close()


async def test_a_tag_does_not_mean_mp3(
    encoded: Callable[..., Any], budget: StreamBudget, pieces: Any, speech: Any
) -> None:
    tag = b"ID3\x04\0\0\0\0\x10\0" + bytes(2048)
    assert await heard([tag + encoded("flac").data], budget) == speech.tobytes()
    for size in (500, 1_000_000):
        pcm = await heard(pieces(tag + encoded("aac").data, size), budget)
        assert abs(len(pcm) / 32_000 - SECONDS) < 0.1
