"""Whatever comes, the client gets a plain sentence and the decoder goes on."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits

pytestmark = pytest.mark.unit

MAGICS = {
    "flac": b"fLaC",
    "ogg": b"OggS\0\x02",
    "webm": b"\x1a\x45\xdf\xa3",
    "mp4": b"\0\0\0\x18ftypM4A \0\0\0\0",
    "mp3": b"ID3\x04\0\0\0\0\0\0",
    "wav": b"RIFF\xff\xff\xff\xffWAVE",
}


def noise(size: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def video(form: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out:
        stream = out.add_stream(codec, rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), index, np.uint8), "yuv420p")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


WAV = b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes.fromhex(
    "1000000001000100803e0000007d000002001000" + "64617461ffffffff"
)


async def refuse(messages: list[bytes], budget: StreamBudget, **limits: Any) -> str:
    """Returns the error of one of the messages or of the end; checks that a file goes on."""
    decoder = AudioDecoder(AudioFormat(), budget=budget, limits=DecoderLimits(**limits))
    try:
        with pytest.raises(AudioError) as refusal:  # noqa: PT012 - any of the calls may refuse
            for message in messages:
                await joined(decoder.feed(message))
            await joined(decoder.flush(end=True))
        assert await joined(decoder.feed(WAV + b"\x01\x02" * 100)) == b"\x01\x02" * 100
        assert budget.free_streams == 4
    finally:
        await decoder.close()
    return str(refusal.value)


@pytest.mark.parametrize("kind", MAGICS)
@pytest.mark.parametrize("size", [0, 50, 3000, 200_000])
async def test_noise_with_a_magic_is_refused(
    kind: str, size: int, budget: StreamBudget, capfd: pytest.CaptureFixture[str]
) -> None:
    message = await refuse([MAGICS[kind] + noise(size)], budget)
    assert kind in message
    assert "Error" not in message
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", MAGICS)
async def test_noise_without_end_is_refused_before_the_end(kind: str, budget: StreamBudget) -> None:
    most_bytes = 40_000_000 if kind == "mp4" else 1_000_000
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    message, sent = MAGICS[kind] + noise(100_000), 0
    with pytest.raises(AudioError):  # noqa: PT012
        while sent < most_bytes:
            await joined(decoder.feed(message))
            sent += len(message)
            message = b"\x33" + noise(99_999, seed=sent)
    await decoder.close()


async def test_noise_is_refused_at_a_pause(budget: StreamBudget) -> None:
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    await joined(decoder.feed(MAGICS["ogg"] + noise(9000)))
    with pytest.raises(AudioError, match="no audio was found in the ogg data"):
        await joined(decoder.flush())
    with pytest.raises(AudioError, match="no audio was found in the ogg data; go on with"):
        await joined(decoder.feed(b"\x01\x02"))
    assert await joined(decoder.feed(WAV + b"\x01\x02")) == b"\x01\x02"
    await decoder.close()


@pytest.mark.parametrize(("form", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx")])
async def test_video_without_sound_is_refused(form: str, codec: str, budget: StreamBudget) -> None:
    message = await refuse([video(form, codec)], budget)
    assert "has no audio track" in message


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg_opus", "webm", "m4a_index_first"])
async def test_headers_alone_hold_no_audio(
    kind: str, encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    header = {"wav": 44, "flac": 42, "ogg_opus": 47, "webm": 200, "m4a_index_first": 400}[kind]
    await refuse([encoded(kind).data[:header]], budget)


@pytest.mark.parametrize(
    "kind", ["wav", "flac", "ogg_opus", "webm", "mp3", "m4a_index_first", "m4a_fragmented"]
)
async def test_a_file_cut_short_gives_what_is_there(
    kind: str, encoded: Callable[..., Any], decode: Any, speech: Any
) -> None:
    data = encoded(kind).data
    result = await decode([data[: len(data) // 2]])
    assert 0.3 * len(speech) * 2 < len(result.all) < 0.75 * len(speech) * 2


async def test_an_mp4_cut_short_of_its_index_is_refused(
    encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    data = encoded("m4a_index_last").data
    message = await refuse([data[: len(data) // 2]], budget)
    assert message == "the mp4 data is damaged or incomplete"


async def test_audio_before_the_damage_is_not_lost(
    encoded: Callable[..., Any], decode: Any, budget: StreamBudget
) -> None:
    data = encoded("mp3_16k_live").data
    want = (await decode([data])).all
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    assert await joined(decoder.feed(data + b"\0" + noise(100_000))) == want
    with pytest.raises(AudioError, match="the mp3 data is damaged"):
        await joined(decoder.feed(noise(1000)))
    await decoder.close()


async def test_a_broken_file_does_not_lose_the_one_before(
    encoded: Callable[..., Any], decode: Any, budget: StreamBudget
) -> None:
    data = encoded("webm_live").data
    want = (await decode([data])).all
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    pcm = await joined(decoder.feed(data))
    assert len(pcm) < len(want)
    with pytest.raises(AudioError):  # noqa: PT012 - what comes before it counts
        async for piece in decoder.feed(b"fLaC" + noise(5000)):
            pcm += piece
    pcm += await joined(decoder.flush())
    await decoder.close()
    assert pcm == want


async def test_packed_silence_is_refused(budget: StreamBudget) -> None:
    """A few kilobytes must not become gigabytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as out:
        stream = out.add_stream("flac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 80_000), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        for index in range(20):
            frame.pts = index * 80_000
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    message = await refuse([file.getvalue()], budget, seconds_per_message=100)
    assert message == "it holds more than 100 seconds of audio; send it in several messages"


async def test_many_files_in_one_message_share_its_bound(
    encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    message = await refuse([encoded("wav").data * 5], budget, seconds_per_message=10)
    assert message == "it holds more than 10 seconds of audio; send it in several messages"


async def test_a_file_that_has_to_be_kept_is_bounded(
    encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    data = encoded("m4a_index_last").data
    message = await refuse([data[:5000], data[5000:]], budget, file_bytes=8000)
    assert message.startswith("an mp4 file with its index at the end may have at most 8000 bytes")


async def test_kept_files_share_the_memory_of_the_process(encoded: Callable[..., Any]) -> None:
    data, budget = encoded("m4a_index_last").data, StreamBudget(kept_bytes=20_000)
    first, second = (AudioDecoder(AudioFormat(), budget=budget) for _ in range(2))
    await joined(first.feed(data[:15_000]))
    with pytest.raises(AudioError, match="too many MP4 files"):
        await joined(second.feed(data[:15_000]))
    await first.close()
    await joined(second.feed(data[:15_000]))
    await second.close()


async def test_compressed_streams_are_counted(encoded: Callable[..., Any]) -> None:
    data, budget = encoded("webm_live").data, StreamBudget(streams=1)
    first, second = (AudioDecoder(AudioFormat(), budget=budget) for _ in range(2))
    assert await joined(first.feed(data))
    with pytest.raises(AudioError, match="too many compressed streams"):
        await joined(second.feed(data))
    with pytest.raises(AudioError, match="too many compressed streams"):
        await joined(second.feed(b"\x01\x02" * 10))
    assert await joined(second.feed(WAV + b"\x01\x02" * 10))
    await first.close()
    assert await joined(second.feed(data))
    await second.close()
    assert budget.free_streams == 1


@pytest.mark.parametrize(
    "kind", ["flac", "ogg_opus", "ogg_vorbis", "webm", "mp3", "m4a_index_first", "m4a_index_last"]
)
async def test_damage_never_hangs_or_stops_the_decoder(
    kind: str,
    encoded: Callable[..., Any],
    budget: StreamBudget,
    capfd: pytest.CaptureFixture[str],
) -> None:
    rnd = random.Random(kind)
    for _ in range(15):
        data = bytearray(encoded(kind).data)
        for _ in range(rnd.randrange(1, 30)):
            data[rnd.randrange(len(data))] = rnd.randrange(256)
        decoder = AudioDecoder(AudioFormat(), budget=budget)
        try:
            await joined(decoder.feed(bytes(data)))
            await joined(decoder.flush(end=True))
        except AudioError as error:
            assert str(error)  # noqa: PT017 - some damage goes unnoticed
        wav = encoded("wav").data
        assert (await joined(decoder.feed(wav))).endswith(wav[44:][-1000:])
        await decoder.close()
    assert budget.free_streams == 4
    assert capfd.readouterr().err == ""
