"""What one message may cost: time on the event loop, memory, processes."""

from __future__ import annotations

import asyncio
import io
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

import av
import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.held import HeldAudio
from scripta_gateway.audio.slices import SLICE_BYTES

pytestmark = pytest.mark.unit

MIB = 1 << 20
CHUNKS = b"".join(struct.pack("<4sI", b"junk", 0) for _ in range(MIB // 8))


def wav(data: bytes, *, rate: int = 16_000, bits: int = 16, before: bytes = b"") -> bytes:
    layout = struct.pack("<HHIIHH", 1, 1, rate, rate * bits // 8, bits // 8, bits)
    head = b"WAVEfmt " + struct.pack("<I", 16) + layout + before
    body = head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def made(form: str, codec: str, layout: str, rate: int = 48_000, blocks: int = 40) -> bytes:
    """Returns a file as any encoder makes it."""
    file = io.BytesIO()
    channels = av.AudioLayout(layout).nb_channels
    with av.open(file, "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate, options={"strict": "experimental"})
        stream.layout = layout
        resampler = av.AudioResampler(stream.codec_context.format or "s16", layout, rate)
        noise = np.random.default_rng(0).integers(-3000, 3000, (blocks, 1, 960 * channels), "i2")
        for block in noise:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16", layout)
            frame.sample_rate = rate
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def longest_gap() -> Callable[[Awaitable[Any]], Awaitable[float]]:
    """Awaits something and returns the longest time for which the loop turned for nobody else."""

    async def measure(work: Awaitable[Any]) -> float:
        task, gap = asyncio.ensure_future(work), 0.0
        while not task.done():
            began = time.process_time()
            await asyncio.sleep(0)
            gap = max(gap, time.process_time() - began)
        await asyncio.gather(task, return_exceptions=True)
        return gap

    return measure


async def to_the_end(message: bytes, format: AudioFormat | None = None) -> bytes:
    decoder = AudioDecoder(format or AudioFormat())
    try:
        pcm = await joined(decoder.feed(message))
        return pcm + await joined(decoder.flush(end=True))
    finally:
        await decoder.close()


@pytest.mark.parametrize(
    "message",
    [
        wav(b"\0\0") * (MIB // 46),
        b"\x1a\x45\xdf\xa3\x80" + b"\xec\x80" * (MIB // 2 - 8),
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\xec\x80" * (MIB // 2 - 9),
        b"\0\0\0\x10ftypM4A \0\0\0\0" + struct.pack(">I4s", 8, b"free") * (MIB // 8 - 2),
        (b"OggS\0\x02" + bytes(21)) * (MIB // 27),
        b"ID3\x04\0\0\0\0\0\0" * (MIB // 10),
        b"\xff\xfb\x90\0" * (MIB // 4),
        b"\xff\xf3\x10\xc4" + bytes(20),
        b"fLaC\0\0\0\x22" + bytes(34) + b"\x01\0\0\0" * (MIB // 4 - 16),
        b"RIFF\xff\xff\xff\xffWAVE" + CHUNKS[12:],
        wav(b"\x80" * (MIB - 44), rate=1000, bits=8),
        wav(bytes(MIB - 44), rate=768_000),
    ],
    ids=[
        "wav files of a sample", "empty elements", "empty elements in a segment", "empty boxes",
        "ogg pages", "tags", "mp3 headers", "one mp3 header", "flac blocks", "wav chunks",
        "half an hour", "high rate",
    ],
)  # fmt: skip
async def test_no_message_keeps_the_loop_to_itself(message: bytes, longest_gap: Any) -> None:
    """Acknowledgements of everybody else stopped for up to a minute."""
    assert await longest_gap(to_the_end(message)) < 0.1


@pytest.mark.parametrize(
    "form", [AudioFormat("mulaw", 8000), AudioFormat("linear16", 96_000, 8)], ids=str
)
async def test_raw_audio_is_converted_in_short_steps(form: AudioFormat, longest_gap: Any) -> None:
    assert await longest_gap(to_the_end(bytes(MIB), form)) < 0.1


@pytest.mark.parametrize("format", ["wav", "flac", "ogg"])
async def test_audio_comes_in_slices_whatever_the_message_holds(
    format: str, budget: StreamBudget
) -> None:
    """A megabyte of packed silence must never exist as half an hour of samples."""
    message = {
        "wav": lambda: wav(b"\x80" * 120_000, rate=1000, bits=8),
        "flac": lambda: made("flac", "flac", "mono", blocks=6000),
        "ogg": lambda: made("ogg", "libopus", "mono", blocks=6000),
    }[format]()
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    sizes = [len(pcm) async for pcm in decoder.feed(message)]
    await decoder.close()
    assert abs(sum(sizes) - 120 * 32_000) < 32_000
    assert max(sizes) <= SLICE_BYTES


async def test_too_many_files_in_a_message_are_refused() -> None:
    with pytest.raises(AudioError, match="too many files"):
        await to_the_end(wav(b"\1\1") * 1001)
    assert await to_the_end(wav(b"\1\1") * 1000) == b"\1\1" * 1000


async def test_too_many_compressed_files_in_a_message_are_refused(
    encoded: Callable[[str], Any],
) -> None:
    with pytest.raises(AudioError, match="64 of them compressed"):
        await to_the_end(made("ogg", "libopus", "mono", blocks=2) * 65)


async def test_a_wav_header_is_read_once_however_it_comes() -> None:
    decoder = AudioDecoder(AudioFormat())
    header = b"RIFF\xff\xff\xff\xffWAVE" + struct.pack("<4sI", b"LIST", 4_000_000)
    await joined(decoder.feed(header))
    began = time.process_time()
    for _ in range(40_000):
        await joined(decoder.feed(b"x"))
    assert time.process_time() - began < 4
    await decoder.close()


@pytest.mark.parametrize("metadata", [4044, 65_500, 3_000_001])
@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_metadata_before_the_samples_of_a_wav_is_stepped_over(
    metadata: int, size: int, speech: Any, decode: Any, pieces: Any
) -> None:
    """A picture of 64 KiB made the samples behind it raw audio of another rate."""
    chunk = struct.pack("<4sI", b"id3 ", metadata) + bytes(metadata + (metadata & 1))
    message = wav(speech.tobytes(), before=chunk)
    assert (await decode(pieces(message, size))).all == speech.tobytes()


@pytest.mark.parametrize(
    ("form", "codec", "layout"),
    [
        ("mp4", "aac", "5.1"),
        ("mp4", "aac", "7.1"),
        ("mp4", "alac", "5.1"),
        ("flac", "flac", "7.1"),
        ("ogg", "libopus", "7.1"),
        ("matroska", "libopus", "5.1"),
        ("matroska", "pcm_s16le", "hexadecagonal"),
        ("matroska", "pcm_f32le", "22.2"),
    ],
)
async def test_surround_sound_is_mixed_to_one_channel(form: str, codec: str, layout: str) -> None:
    """A clean file of 7.1 killed the gateway: its arrays were read past their ends."""
    pcm = await to_the_end(made(form, codec, layout))
    assert abs(len(pcm) - 40 * 640) < 6000
    assert np.frombuffer(pcm, "<i2").std() > 100


async def test_more_channels_than_anybody_has_are_refused() -> None:
    message = made("matroska", "pcm_s16le", "64 channels", rate=16_000)
    with pytest.raises(AudioError, match="64 channels at 16000 Hz is not supported"):
        await to_the_end(message)


@pytest.mark.parametrize(("form", "codec"), [("matroska", "wavpack"), ("matroska", "tta")])
async def test_codecs_that_no_recorder_uses_are_refused(form: str, codec: str) -> None:
    with pytest.raises(AudioError, match="codec is not supported"):
        await to_the_end(made(form, codec, "stereo"))


class Holder:
    def __init__(self, seconds: float) -> None:
        self.undecided_seconds = seconds


async def test_who_holds_much_waits_while_all_hold_too_much(until: Any) -> None:
    """Sessions that fill their backlogs together must not fill the memory."""
    holders = [Holder(50.0), Holder(50.0), Holder(30.0)]
    held = HeldAudio(lambda: holders, most=120.0)
    assert not held.has_room(holders[0])
    assert held.has_room(holders[2])  # what a segment may need, everybody may have
    waiting = asyncio.create_task(held.wait_for_room(holders[0]))
    await asyncio.sleep(0.15)  # it looks for room several times, and finds none
    assert not waiting.done()
    holders[1].undecided_seconds = 20.0
    await until(waiting.done)
