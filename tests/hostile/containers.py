"""Files of every container: right ones, and pieces from which wrong ones are built."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, Final

import av
import numpy as np

EBML_HEAD: Final = b"\x1a\x45\xdf\xa3"
_NO_OPTIONS: Final[Mapping[str, str]] = {}


def wav(data: bytes, *, rate: int = 16_000, bits: int = 16, before: bytes = b"") -> bytes:
    """Returns a WAV file of one channel, with chunks of ours before its samples."""
    width = bits // 8
    layout = struct.pack("<HHIIHH", 1, 1, rate, rate * width, width, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + layout + before
    body = b"WAVE" + chunks + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, data: bytes = b"", *, claimed: int | None = None) -> bytes:
    """Returns a chunk of a WAV file."""
    size = len(data) if claimed is None else claimed
    return name + struct.pack("<I", size) + data + b"\0" * (len(data) % 2)


def box(name: bytes, data: bytes = b"", *, claimed: int | None = None) -> bytes:
    """Returns a box of an MP4 file."""
    return struct.pack(">I", 8 + len(data) if claimed is None else claimed) + name + data


def mp4_with_samples(count: int) -> bytes:
    """Returns an MP4 file that claims so many samples of one byte, in less than a kilobyte."""
    full = bytes(4)  # version and flags
    entry = box(b"mp4a", bytes(6) + struct.pack(">HQHHIII", 1, 0, 1, 16, 0, 16_000 << 16, 0)[:30])
    one = struct.pack(">I", 1)
    table = (
        box(b"stsd", full + one + entry)
        + box(b"stts", full + one + struct.pack(">II", count, 1024))
        + box(b"stsc", full + one + struct.pack(">III", 1, count, 1))
        + box(b"stsz", full + struct.pack(">II", 1, count))
        + box(b"stco", full + one + struct.pack(">I", 900))
    )
    header = box(b"mdhd", full + struct.pack(">IIIII", 0, 0, 16_000, count, 0))
    handler = box(b"hdlr", full + bytes(4) + b"soun" + bytes(13))
    media = box(b"mdia", header + handler + box(b"minf", box(b"stbl", table)))
    track = box(b"trak", box(b"tkhd", full + bytes(8) + one + bytes(68)) + media)
    movie = box(b"mvhd", full + struct.pack(">IIII", 0, 0, 16_000, count) + bytes(80))
    start = box(b"ftyp", b"M4A \0\0\0\0M4A ") + box(b"moov", movie + track)
    return start + box(b"mdat", bytes(100_000))


def ogg_page(data: bytes, *, serial: int = 1, number: int = 0, flags: int = 0) -> bytes:
    """Returns an Ogg page with its right checksum."""
    sizes = [255] * (len(data) // 255) + [len(data) % 255]
    head = b"OggS\0" + bytes([flags]) + bytes(8) + struct.pack("<II", serial, number)
    tail = bytes([len(sizes)]) + bytes(sizes) + data
    crc = _ogg_checksum(head + bytes(4) + tail)
    return head + struct.pack("<I", crc) + tail


def opus_heads(serial: int = 1) -> bytes:
    """Returns the two pages with which an Ogg/Opus stream begins."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 1) + b"x" + struct.pack("<I", 0)
    return ogg_page(head, serial=serial, flags=2) + ogg_page(tags, serial=serial, number=1)


def id3(size: int) -> bytes:
    """Returns the head of an ID3 tag that claims so many bytes."""
    return b"ID3\x04\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def encode(
    container: str,
    codec: str,
    seconds: float,
    *,
    rate: int = 16_000,
    layout: str = "mono",
    bit_rate: int = 0,
    noise: int = 0,
    options: Mapping[str, str] = _NO_OPTIONS,
    codec_options: Mapping[str, str] = _NO_OPTIONS,
) -> bytes:
    """Returns silence, or noise of that height, in a file as any encoder makes it."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=dict(options)) as file:
        stream: Any = file.add_stream(codec, rate=rate, options=dict(codec_options))
        stream.layout = layout
        if bit_rate:
            stream.bit_rate = bit_rate
        channels = len(av.AudioLayout(layout).channels)
        dice = np.random.default_rng(0)
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        total, start = round(seconds * rate), 0
        while start < total:
            count = min(rate * 10, total - start)
            shape = (1, count * channels)
            samples = (
                dice.integers(-noise, noise, shape, dtype=np.int16)
                if noise
                else np.zeros(shape, np.int16)
            )
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            for part in resampler.resample(frame):
                file.mux(stream.encode(part))
            start += count
        for part in resampler.resample(None):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def _ogg_checksum(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[(crc >> 24) ^ byte]
    return crc


def _table() -> list[int]:
    found = []
    for index in range(256):
        value = index << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        found.append(value)
    return found


_OGG_TABLE: Final = _table()
