"""WAV as devices and editors write it: odd chunks, odd sizes, odd formats."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError

pytestmark = pytest.mark.unit

MICROSOFT = bytes.fromhex("000000001000800000aa00389b71")
AMBISONIC = bytes.fromhex("00002107d31186 44c8c1ca000000")


def chunk(name: bytes, data: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1 and padded)


def fmt(
    tag: int = 1, bits: int = 16, *, rate: int = 16_000, block: int = 2, more: bytes = b""
) -> bytes:
    return struct.pack("<HHIIHH", tag, 1, rate, rate * block, block, bits) + more


def wav(*chunks: bytes, form: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body)) + body


async def heard(message: bytes, size: int | None = None) -> bytes:
    decoder, step = AudioDecoder(AudioFormat()), size or len(message)
    try:
        parts = [message[at : at + step] for at in range(0, len(message), step)]
        pcm = b"".join([await joined(decoder.feed(part)) for part in parts])
        return pcm + await joined(decoder.flush(end=True))
    finally:
        await decoder.close()


PCM = np.random.default_rng(1).integers(-9000, 9000, 4000).astype("<i2").tobytes()


@pytest.mark.parametrize("size", [None, 1, 501])
@pytest.mark.parametrize(
    "before",
    [
        chunk(b"JUNK", bytes(28)) + chunk(b"fmt ", fmt()),
        chunk(b"bext", bytes(858)) + chunk(b"fmt ", fmt()) + chunk(b"iXML", b"<BWFXML/>" * 9_001),
        chunk(b"fmt ", fmt()) + chunk(b"LIST", b"INFOISFT\1\0\0\0L\0") + chunk(b"fact", b"1234"),
        chunk(b"fmt ", fmt()) + chunk(b"LIST", b"INFOx", padded=False),
        chunk(b"fmt ", fmt()) + chunk(b"id3 ", bytes(70_001)),
        chunk(b"fmt ", fmt(more=b"\0\0")),
        chunk(b"fmt ", fmt(more=b"\0"), padded=False),
        chunk(b"fmt ", fmt(more=bytes(60))),
        chunk(b"fmt ", fmt()[:14]),
        chunk(b"fmt ", fmt(0xFFFE, more=struct.pack("<HHIH", 22, 16, 4, 1) + MICROSOFT)),
        chunk(b"fmt ", fmt(0xFFFE, more=struct.pack("<HHIH", 22, 16, 0, 1) + AMBISONIC)),
        chunk(b"fmt ", fmt(0xFFFE, more=struct.pack("<HHIH", 22, 13, 4, 1) + MICROSOFT)),
    ],
    ids=[
        "junk", "broadcast", "info", "no padding", "tags", "18 bytes", "17 bytes", "76 bytes",
        "14 bytes", "extensible", "ambisonic", "13 bits of 16",
    ],
)  # fmt: skip
async def test_what_stands_before_the_samples_is_stepped_over(
    before: bytes, size: int | None
) -> None:
    if size == 1 and len(before) > 2000:
        return
    assert await heard(wav(before, chunk(b"data", PCM)), size) == PCM


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000])
@pytest.mark.parametrize("riff", [0, 36, 0xFFFFFFFF])
async def test_a_stream_of_unknown_size_goes_on(size: int, riff: int) -> None:
    data = b"WAVE" + chunk(b"fmt ", fmt()) + b"data" + struct.pack("<I", size) + PCM
    assert await heard(b"RIFF" + struct.pack("<I", riff) + data, 700) == PCM


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
async def test_what_follows_the_samples_of_a_long_wav_is_not_heard(form: bytes) -> None:
    sizes = struct.pack("<QQQI", 0, len(PCM), len(PCM) // 2, 0)
    data = b"WAVE" + chunk(b"ds64", sizes) + chunk(b"fmt ", fmt()) + b"data\xff\xff\xff\xff" + PCM
    message = form + b"\xff\xff\xff\xff" + data + chunk(b"axml", b"<ebuCoreMain/>" * 100)
    assert await heard(message) == PCM


async def test_samples_may_have_their_bytes_the_other_way_round() -> None:
    swapped = np.frombuffer(PCM, "<i2").astype(">i2").tobytes()
    layout = struct.pack(">HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    body = b"WAVEfmt " + struct.pack(">I", 16) + layout + b"data" + struct.pack(">I", len(swapped))
    assert (
        await heard(b"RIFX" + struct.pack(">I", len(body) + len(swapped)) + body + swapped) == PCM
    )


async def test_twelve_bits_fill_two_bytes_from_the_left() -> None:
    assert await heard(wav(chunk(b"fmt ", fmt(bits=12)), chunk(b"data", PCM))) == PCM


@pytest.mark.parametrize(
    ("tag", "name"), [(0x161, "wma"), (0x42, "g.723.1"), (0x2000, "ac-3"), (0x1234, "0x1234")]
)
async def test_what_is_not_heard_inside_wav_is_called_by_its_name(tag: int, name: str) -> None:
    decoder = AudioDecoder(AudioFormat())
    for message in (wav(chunk(b"fmt ", fmt(tag)), chunk(b"data", PCM)), PCM, bytes(640)):
        with pytest.raises(AudioError, match=f"wav with .*{name} inside is not supported"):
            await joined(decoder.feed(message))
    await decoder.close()


async def test_an_unknown_extensible_format_is_refused() -> None:
    more = struct.pack("<HHI", 22, 16, 4) + bytes(range(16))
    with pytest.raises(AudioError, match="wav with the format 0001020304"):
        await heard(wav(chunk(b"fmt ", fmt(0xFFFE, more=more)), chunk(b"data", PCM)))


@pytest.mark.parametrize("at", [30, 5000])
async def test_after_trouble_the_rest_is_not_heard_as_raw_audio(at: int) -> None:
    """The rest of a WAV whose header was refused was heard as raw audio of another rate."""
    head = wav(chunk(b"fmt ", fmt(block=0, bits=7)), chunk(b"LIST", bytes(9000)))
    decoder, refused = AudioDecoder(AudioFormat()), 0
    for message in (head[:at], head[at:], PCM, PCM, bytes(320)):
        try:
            assert await joined(decoder.feed(message)) == b""
        except AudioError as error:
            assert "wav with 7 bits a sample is not supported" in str(error)  # noqa: PT017
            refused += 1
    await decoder.close()
    assert refused >= 4


async def test_mp3_in_wav_is_heard(encoded: Callable[..., Any]) -> None:
    assert len(await heard(encoded("wav_mp3").data, 100)) > 90_000
