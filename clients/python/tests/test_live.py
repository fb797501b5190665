from __future__ import annotations

import asyncio
import io
import os
import struct
import wave

import av
import pytest

from scripta_client.errors import BadAudioFile
from scripta_client.intake import Input, take_in
from scripta_client.live import open_pipe
from scripta_client.wire import DECODED, SNIFFED, AudioFormat

pytestmark = pytest.mark.unit


class Line:
    """A pipe whose writing end the test holds."""

    def __init__(self):
        self.reading, self._writing = os.pipe()

    def write(self, data):
        os.write(self._writing, data)

    def close(self):
        os.close(self._writing)
        self._writing = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._writing >= 0:
            self.close()
        # The reading end stays open: a thread may be about to read from it once more, and would
        # take what another test writes into a file of the same number.


@pytest.fixture
def line():
    with Line() as line:
        yield line


async def everything(pipe):
    return b"".join([message async for message in pipe.messages()])


def whole(data, **options):
    """What is made of bytes that come one short read after the other, with its format."""
    with Line() as line:
        os.set_blocking(line._writing, True)
        line.write(data[:60_000])
        line.close()
        intake = take_in(Input(line.reading), "a pipe", **options)
        return intake.format, b"".join(intake.pieces)


def wav(samples, rate=16_000, channels=1, *, size=None, tag=1, bits=16, extra=b""):
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * bits // 8, 0, bits)
    size = len(samples) if size is None else size
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + extra
    chunks += b"data" + struct.pack("<I", size) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def encoded(form, codec, rate, seconds=1):
    file = io.BytesIO()
    with av.open(file, "w", format=form) as writing:
        stream = writing.add_stream(codec, rate=rate)
        for number in range(seconds * rate // 960):
            frame = av.AudioFrame(format="s16", layout="mono", samples=960)
            frame.sample_rate, frame.pts = rate, number * 960
            frame.planes[0].update(b"\0\1" * 960)
            for one in av.AudioResampler(stream.format, stream.layout, rate).resample(frame):
                writing.mux(stream.encode(one))
        writing.mux(stream.encode(None))
    return file.getvalue()


async def test_raw_samples_are_there_as_soon_as_they_are_written(line):
    async with asyncio.timeout(10):
        line.write(b"abcdefghijklmn")
        pipe = await open_pipe(line.reading)
        messages = pipe.messages()
        assert pipe.format == DECODED
        assert await anext(messages) == b"abcdefghijklmn"
        line.write(b"op")
        assert await anext(messages) == b"op"
        line.close()
        assert [message async for message in messages] == []
    assert pipe.seconds(16_000) == 0.5


async def test_live_wav_is_there_as_soon_as_it_is_written(line):
    """A library that probes a live stream would hold the first words back."""
    header = wav(b"", size=0x7FFF_FFFF)
    async with asyncio.timeout(10):
        line.write(header + b"abcd")
        pipe = await open_pipe(line.reading)
        messages = pipe.messages()
        assert await anext(messages) == b"abcd"
        line.write(b"ef")
        assert await anext(messages) == b"ef"
        line.close()
        assert [message async for message in messages] == []


async def test_samples_are_never_cut_in_two(line):
    async with asyncio.timeout(10):
        line.write(b"abcdefghijklm")
        messages = (await open_pipe(line.reading)).messages()
        assert await anext(messages) == b"abcdefghijkl"
        line.write(b"nop")
        assert await anext(messages) == b"mnop"


async def test_stopped_pipe_ends_although_its_writer_goes_on(line):
    async with asyncio.timeout(10):
        line.write(b"abcdefghijklmn")
        pipe = await open_pipe(line.reading)
        messages = pipe.messages()
        await anext(messages)
        pipe.stop.set()
        assert [message async for message in messages] == []


async def test_pipe_that_is_stopped_before_anything_came_is_empty(line):
    stop = asyncio.Event()
    async with asyncio.timeout(10):
        opening = asyncio.create_task(open_pipe(line.reading, stop=stop))
        await asyncio.sleep(0)
        stop.set()
        assert await everything(await opening) == b""


async def test_pipe_that_can_not_be_read_is_a_bad_file(tmp_path):
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(BadAudioFile, match="standard input"):
            await everything(await open_pipe(descriptor))
    finally:
        os.close(descriptor)


async def test_damaged_stream_is_a_bad_file(line):
    line.write(b"fLaC" + b"\xaa" * 10_000)
    line.close()
    async with asyncio.timeout(10):
        with pytest.raises(BadAudioFile, match="standard input"):
            await everything(await open_pipe(line.reading))


@pytest.mark.parametrize(
    ("form", "codec", "rate"),
    [
        ("flac", "flac", 16_000),
        ("ogg", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("mp3", "libmp3lame", 16_000),
    ],
)
def test_container_is_decoded_here(form, codec, rate):
    format, audio = whole(encoded(form, codec, rate))
    assert format == DECODED
    assert len(audio) == pytest.approx(32_000, rel=0.15)


def test_wav_loses_its_header_and_what_follows_its_samples():
    samples = os.urandom(32_000)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert whole(wav(samples, extra=extra) + b"LIST\4\0\0\0more") == (DECODED, samples)


def test_wav_that_was_written_by_a_library_is_read():
    file = io.BytesIO()
    with wave.open(file, "wb") as writing:
        writing.setparams((1, 2, 16_000, 0, "NONE", ""))
        writing.writeframes(b"\0\1" * 16_000)
    assert whole(file.getvalue()) == (DECODED, b"\0\1" * 16_000)


@pytest.mark.parametrize(
    ("rate", "channels", "tag", "bits"),
    [
        (48_000, 1, 1, 16),
        (8000, 2, 1, 16),
        (8000, 1, 7, 8),
        (8000, 1, 6, 8),
        (16_000, 1, 1, 8),
        (44_100, 1, 3, 32),
    ],
)
def test_wav_of_another_kind_is_converted_here(rate, channels, tag, bits):
    samples = bytes(rate * channels * bits // 8 // 4)
    format, audio = whole(wav(samples, rate, channels, tag=tag, bits=bits))
    assert format == DECODED
    assert len(audio) == pytest.approx(8000, abs=64)


@pytest.mark.parametrize(
    ("raw", "bytes_in", "bytes_out"),
    [
        (AudioFormat("linear16", 48_000, 2), 48_000, 8000),
        (AudioFormat("mulaw", 8000), 8000, 32_000),
        (AudioFormat("linear16"), 32_000, 32_000),
    ],
)
def test_raw_samples_are_converted_here(raw, bytes_in, bytes_out):
    format, audio = whole(bytes(bytes_in), raw=raw)
    assert format == DECODED
    assert len(audio) == pytest.approx(bytes_out, abs=64)


@pytest.mark.parametrize(
    ("head", "raw"),
    [
        (b"\0\0\0\x20ftypM4A ", SNIFFED),
        (b"\xff\xfb\x90\x64", SNIFFED),
        (b"RIFF", AudioFormat("linear16", 16_000, 8)),
    ],
)
def test_what_can_not_be_decoded_here_is_left_to_the_gateway(head, raw):
    data = head.ljust(4096, b"\1")
    assert whole(data, raw=raw) == (raw, data)


def test_stream_is_left_to_the_gateway_if_asked():
    data = wav(os.urandom(3200))
    assert whole(data, as_is=True) == (SNIFFED, data)


@pytest.mark.parametrize("data", [b"", b"a", b"RIFF", b"RIFF\0\0\0\0WAVEfmt "])
def test_what_ends_before_it_began_is_no_audio_or_a_bad_file(data):
    try:
        _, audio = whole(data)
    except BadAudioFile:
        audio = b""
    assert audio in (b"", b"RIFF")
