"""Raw samples: every encoding, rate and channel count, in any split."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joined import joined

from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.raw import SampleFormat, samples_of

pytestmark = pytest.mark.unit

FORMATS = [
    AudioFormat(encoding, rate, channels)
    for encoding in (None, "linear16", "mulaw", "alaw")
    for rate, channels in ((16000, 1), (8000, 1), (44100, 2), (48000, 3))
]


async def decode(messages: list[bytes], form: AudioFormat) -> bytes:
    decoder = AudioDecoder(form)
    fed = [await joined(decoder.feed(message)) for message in messages]
    return b"".join(fed) + await joined(decoder.flush(end=True))


async def test_linear16_passes_unchanged(speech: Any) -> None:
    assert await decode([speech.tobytes()], AudioFormat()) == speech.tobytes()


async def test_odd_bytes_wait_for_their_other_half() -> None:
    decoder = AudioDecoder(AudioFormat("linear16"))
    assert await joined(decoder.feed(b"\x01")) == b""
    assert await joined(decoder.feed(b"\x02\x03")) == b"\x01\x02"
    assert await joined(decoder.flush()) == b""
    assert await joined(decoder.feed(b"\x04")) == b"\x03\x04"


@pytest.mark.parametrize("form", FORMATS, ids=str)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_split_gives_the_same_samples(form: AudioFormat, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 1000))
    sizes = data.draw(st.lists(st.integers(1, 1200), max_size=12))
    whole = b"\x11" + np.random.default_rng(seed).bytes(data.draw(st.integers(2, 9000)))
    messages, at = [], 0
    for size in sizes:
        messages.append(whole[at : at + size])
        at += size
    messages = [message for message in [*messages, whole[at:]] if message]
    one = asyncio.run(decode([whole], form))
    assert asyncio.run(decode(messages, form)) == one


@pytest.mark.parametrize(("name", "codec"), [("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw")])
def test_companded_codes_mean_what_ffmpeg_says(name: str, codec: str) -> None:
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"
    (frame,) = context.decode(av.Packet(bytes(range(256))))
    want = frame.to_ndarray().ravel() / 32768
    assert np.array_equal(samples_of(bytes(range(256)), SampleFormat(name)), want)


@pytest.mark.parametrize(
    ("form", "low", "high"),
    [
        (SampleFormat.U8, b"\x00", b"\xff"),
        (SampleFormat.S16, b"\x00\x80", b"\xff\x7f"),
        (SampleFormat.S24, b"\x00\x00\x80", b"\xff\xff\x7f"),
        (SampleFormat.S32, b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f"),
    ],
)
def test_full_scale_is_one(form: SampleFormat, low: bytes, high: bytes) -> None:
    values = samples_of(low + high, form)
    assert values[0] == -1
    assert 0.99 < values[1] <= 1


async def test_channels_are_averaged() -> None:
    stereo = np.array([[100, 300], [-200, 200], [32767, 32767]], "<i2").tobytes()
    pcm = await decode([stereo], AudioFormat("linear16", 16000, 2))
    assert np.frombuffer(pcm, "<i2").tolist() == [200, 0, 32767]


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
async def test_other_rates_keep_length_and_tone(rate: int) -> None:
    seconds = np.arange(rate) / rate
    tone = (np.sin(2 * np.pi * 440 * seconds) * 10000).astype("<i2").tobytes()
    got = np.frombuffer(await decode([tone], AudioFormat("linear16", rate)), "<i2").astype(float)
    assert len(got) == 16000
    want = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) * 10000
    assert np.abs(got - want)[400:-400].max() < 60


async def test_audio_goes_on_after_a_flush(speech: Any) -> None:
    decoder = AudioDecoder(AudioFormat("linear16", 8000))
    half = len(speech)
    first = await joined(decoder.feed(speech.tobytes()[:half])) + await joined(decoder.flush())
    second = await joined(decoder.feed(speech.tobytes()[half:])) + await joined(decoder.flush())
    assert len(first + second) == 2 * len(speech.tobytes())


async def test_an_encoding_by_word_means_raw_even_with_a_magic(
    encoded: Callable[[str], Any],
) -> None:
    data = encoded("wav").data
    assert await decode([data], AudioFormat("linear16")) == data


async def test_a_message_that_is_too_long_is_refused_and_the_next_is_not() -> None:
    decoder = AudioDecoder(AudioFormat(), limits=DecoderLimits(seconds_per_message=1))
    with pytest.raises(AudioError, match="more than 1 seconds"):
        await joined(decoder.feed(bytes(32002)))
    assert await joined(decoder.feed(bytes(32000))) == bytes(32000)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
async def test_a_dribble_of_raw_audio_is_not_held_for_long(speech: Any, size: int) -> None:
    decoder = AudioDecoder(AudioFormat())
    data = speech.tobytes()[:3000]
    got = b""
    for at in range(0, len(data), size):
        got += await joined(decoder.feed(data[at : at + size]))
        assert at + size - len(got) <= 12 + size
    assert got + await joined(decoder.flush()) == data


async def test_undecided_bytes_come_out_at_a_pause() -> None:
    decoder = AudioDecoder(AudioFormat())
    message = np.random.default_rng(2).bytes(400)
    assert await joined(decoder.feed(message)) == b""
    assert await joined(decoder.flush()) == message


async def test_what_may_be_half_a_frame_comes_out_at_the_end() -> None:
    decoder = AudioDecoder(AudioFormat())
    message = b"\xff\xfb\x90\x00" + bytes(100)
    assert await joined(decoder.feed(message)) == b""
    assert await joined(decoder.flush()) == b""
    assert await joined(decoder.flush(end=True)) == message
