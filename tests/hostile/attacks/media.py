"""Attacks by files: containers that are parsed for long, or crash a decoder."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from .. import containers as made
from ..attack import Answer, Target, attack
from ..line import Line
from ..wire import MIB, binary, text

_CLOSE_SECONDS: Final = 8.0


async def _say(target: Target, data: bytes, count: int = 1) -> None:
    """Sends a message in sessions of their own and ends the stream."""

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                line.start_listening()
                await line.send(binary(data[:MIB]) + text('{"type":"end"}'))
                # The close follows what is said about the file, however busy the machine is.
                await line.listen(target.left + _CLOSE_SECONDS)

    await target.side_by_side(one, count)


async def _stream(target: Target, start: bytes, again: bytes, size: int = 1 << 16) -> None:
    """Begins a file and goes on with the same bytes until the attack is over."""
    block = binary(again * max(1, size // len(again)))
    async with Line(target) as line:
        if await line.shake():
            line.start_listening()
            if await line.send(binary(start)):
                await line.flood(block)


def _surround_aac() -> bytes:
    return made.encode("mp4", "aac", 1.5, rate=48_000, layout="7.1", noise=2000)


def _surround_wavpack() -> bytes:
    return made.encode("matroska", "wavpack", 1.5, rate=48_000, layout="7.1", noise=2000)


def _surround_flac() -> bytes:
    return made.encode("flac", "flac", 1.0, rate=48_000, layout="7.1", noise=200)


@attack(prepare=_surround_aac, answer=Answer.SERVICE)
async def surround(target: Target) -> None:
    """Sends a clean 7.1 file, AAC in MP4."""
    await _say(target, target.prepared)


@attack(prepare=_surround_wavpack)
async def surround_wavpack(target: Target) -> None:
    """Sends a clean 7.1 file, WavPack in Matroska."""
    await _say(target, target.prepared)


@attack(prepare=_surround_flac, answer=Answer.SERVICE)
async def surround_flac(target: Target) -> None:
    """Sends a clean 7.1 file, FLAC."""
    await _say(target, target.prepared)


@attack(answer=Answer.SERVICE)
async def many_files(target: Target) -> None:
    """Sends 1 MB of WAV files of one sample each."""
    await _say(target, made.wav(b"\0\0") * (MIB // 46))


@attack(answer=Answer.SERVICE)
async def many_files_on_10(target: Target) -> None:
    """Sends 1 MB of WAV files of one sample each, again and again, on 10 connections."""
    message = binary(made.wav(b"\0\0") * (MIB // 46))

    async def one() -> None:
        async with Line(target) as line:
            if await line.shake():
                await line.flood(message)

    await target.side_by_side(one, 10)


@attack()
async def wav_without_samples(target: Target) -> None:
    """Sends 1 MB of WAV chunks without content before the samples."""
    before = made.chunk(b"LIST") * (MIB // 8 - 20)
    await _say(target, made.wav(b"", before=before))


@attack()
async def wav_metadata_without_end(target: Target) -> None:
    """Begins a WAV file whose metadata do not end."""
    await _stream(target, made.wav(b"")[:36] + made.chunk(b"id3 ", claimed=0xFFFFFFF0), bytes(4096))


@attack()
async def wav_formats_without_end(target: Target) -> None:
    """Begins a WAV file that describes its format again and again."""
    again = made.chunk(b"fmt ", made.wav(b"")[20:36])
    await _stream(target, made.wav(b"")[:36], again)


@attack()
async def many_elements(target: Target) -> None:
    """Sends an EBML head and 500,000 empty elements."""
    await _say(target, made.EBML_HEAD + b"\x80" + b"\xec\x80" * (MIB // 2 - 8))


@attack()
async def ebml_without_end(target: Target) -> None:
    """Begins a WebM file and goes on with void elements without end."""
    await _stream(target, made.EBML_HEAD + b"\x80", b"\xec\x80")


@attack()
async def ebml_deep(target: Target) -> None:
    """Sends a WebM file of elements of unknown size within each other."""
    segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
    await _say(target, made.EBML_HEAD + b"\x80" + segment * (MIB // 12 - 1))


@attack()
async def ebml_huge_element(target: Target) -> None:
    """Begins a WebM file with an element of 2^50 bytes and sends zeros."""
    start = made.EBML_HEAD + b"\x80" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
    await _stream(target, start + b"\xec\x01\x04\0\0\0\0\0\0", bytes(4096))


@attack()
async def mp4_boxes(target: Target) -> None:
    """Sends 1 MB of empty boxes."""
    start = made.box(b"ftyp", b"M4A \0\0\0\0M4A ")
    await _say(target, start + made.box(b"free") * (MIB // 8 - 4))


@attack()
async def mp4_deep(target: Target) -> None:
    """Sends boxes within each other, as deep as 1 MB allows."""
    data = b""
    parts = []
    for depth in range(100_000):
        parts.append(made.box(b"moov", claimed=8 * (100_000 - depth)))
    data = made.box(b"ftyp", b"M4A \0\0\0\0M4A ") + b"".join(parts)
    await _say(target, data)


@attack()
async def mp4_huge_box(target: Target) -> None:
    """Begins an MP4 file whose first box does not end."""
    start = made.box(b"ftyp", b"M4A \0\0\0\0M4A ") + made.box(b"moov", claimed=0xFFFFFFF0)
    await _stream(target, start, bytes(4096))


@attack()
async def mp4_fragments(target: Target) -> None:
    """Goes on with empty fragments of an MP4 file without end."""
    start = made.box(b"ftyp", b"M4A \0\0\0\0M4A ") + made.box(b"moov")
    await _stream(target, start, made.box(b"moof", made.box(b"mfhd", bytes(8))) + made.box(b"mdat"))


@attack()
async def id3_without_end(target: Target) -> None:
    """Begins an MP3 file with a tag of 256 MB."""
    await _stream(target, made.id3((1 << 28) - 1), bytes(4096))


@attack(seconds=10)
async def id3_many(target: Target) -> None:
    """Sends ID3 tags without content, one after another, without end."""
    tag = made.id3(0)  # no message begins with one: that would be another file
    await _stream(target, tag + tag[:5], tag[5:] + tag[:5])


@attack()
async def ogg_pages(target: Target) -> None:
    """Goes on with empty Ogg pages without end."""
    page = made.ogg_page(b"", number=2)
    await _stream(target, made.opus_heads(), page)


@attack()
async def ogg_streams(target: Target) -> None:
    """Begins a new Ogg stream with each page."""
    pages = b"".join(made.opus_heads(serial) for serial in range(2, 500))
    await _stream(target, made.opus_heads() + pages[:9], pages[9:] + pages[:9])


@attack(answer=Answer.SERVICE)
async def files_in_a_row(target: Target) -> None:
    """Begins another Ogg file with each message, none of which has any audio."""
    await _stream(target, made.opus_heads(), made.opus_heads(2), size=1)


@attack()
async def ogg_comment_without_end(target: Target) -> None:
    """Begins an Ogg stream whose comments do not end."""
    head = made.ogg_page(b"OpusHead\1\1\x38\1\x80\xbb\0\0\0\0\0", flags=2)
    comment = b"OpusTags" + b"\xff\xff\xff\x0f" + bytes(60_000)
    page = made.ogg_page(bytes(255 * 254)[:-1], number=2, flags=1)
    await _stream(target, head + made.ogg_page(comment, number=1), page)


@attack(seconds=10)
async def flac_metadata(target: Target) -> None:
    """Goes on with empty blocks of FLAC metadata without end."""
    await _stream(target, b"fLaC\x00\x00\x00\x22" + bytes(34), b"\x01\0\0\0")


@attack()
async def flac_garbage(target: Target) -> None:
    """Sends FLAC frames that only begin."""
    start = bytearray(made.encode("flac", "flac", 0.2))
    start[21:26] = bytes([start[21] & 0xF0, 0, 0, 0, 0])  # how long it is, is not known
    await _stream(target, bytes(start), b"\xff\xf8\x00\x00")


@attack(answer=Answer.SERVICE)
async def adts_frames(target: Target) -> None:
    """Sends the shortest ADTS frames without end, which count as raw samples."""
    await _stream(target, b"\xff\xf1\x50\x80\x00\xff\xfc", b"\xff\xf1\x50\x80\x00\xff\xfc")


@attack(answer=Answer.SERVICE)
async def mp3_frames(target: Target) -> None:
    """Sends MP3 frames of zeros without end."""
    one = b"\xff\xfb\x10\xc4" + bytes(100)
    await _stream(target, one * 4, one)


@attack(answer=Answer.SERVICE)
async def half_a_magic(target: Target) -> None:
    """Sends the first bytes of files and stops, on 20 connections."""

    async def one(start: bytes) -> None:
        async with Line(target) as line:
            if await line.shake():
                await line.send(binary(start))
                await line.listen(target.left)

    starts = (b"R", b"fLa", b"OggS", b"\x1a\x45\xdf\xa3", b"ID3", b"\0\0\0\x20ftyp", b"\xff\xfb")
    async with asyncio.TaskGroup() as group:
        for start in starts * 3:
            group.create_task(one(start))


def _seeds() -> list[bytes]:
    return [
        made.encode("flac", "flac", 0.5, noise=2000),
        made.encode("mp3", "libmp3lame", 0.5, rate=16_000, noise=2000),
        made.encode("ogg", "libopus", 0.5, rate=48_000, noise=2000),
        made.encode("webm", "libopus", 0.5, rate=48_000, noise=2000),
        made.encode(
            "mp4",
            "aac",
            0.5,
            rate=16_000,
            noise=2000,
            options={"movflags": "frag_keyframe+empty_moov"},
        ),
        made.encode("adts", "aac", 0.5, rate=16_000, noise=2000),
        made.wav(bytes(16_000)),
    ]


@attack(prepare=_seeds)
async def mutations(target: Target) -> None:
    """Sends files of every kind with random bytes changed, one after another, on 4 connections."""
    dice = random.Random(target.seed)

    async def one() -> None:
        while target.left:
            data = bytearray(dice.choice(target.prepared))
            for _ in range(dice.choice((1, 5, 50))):
                data[dice.randrange(len(data))] = dice.randrange(256)
            if dice.random() < 0.2:
                del data[dice.randrange(len(data)) :]
            async with Line(target) as line:
                if await line.shake():
                    line.start_listening()
                    await line.send(binary(bytes(data) or b"x") + text('{"type":"end"}'))
                    await line.listen(min(2.0, target.left))

    await target.side_by_side(one, 4)
