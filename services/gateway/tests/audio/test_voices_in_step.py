"""Voices stay apart and in step, whatever the format, and whatever is missing or damaged in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.voices import split

pytestmark = pytest.mark.unit

Samples = NDArray[np.int16]
CLICKS = (1.0, 2.5, 4.0)
SECONDS = 5.0
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
FRAGMENTS = "frag_every_frame+empty_moov+default_base_moof"
KINDS: dict[str, tuple[str, str, int, dict[str, str]]] = {
    "wav": ("wav", "pcm_s16le", 44_100, {}),
    "wav_mulaw": ("wav", "pcm_mulaw", 8_000, {}),
    "wav_alaw": ("wav", "pcm_alaw", 8_000, {}),
    "aiff": ("aiff", "pcm_s24be", 44_100, {}),
    "flac": ("flac", "flac", 48_000, {}),
    "ogg_opus": ("ogg", "libopus", 48_000, {}),
    "webm": ("webm", "libopus", 48_000, {}),
    "webm_live": ("webm", "libopus", 48_000, {"live": "1", "cluster_time_limit": "100"}),
    "mp4": ("mp4", "aac", 44_100, {}),
    "mp4_fragmented": ("mp4", "aac", 48_000, {"movflags": FRAGMENTS}),
    "adts": ("adts", "aac", 44_100, {}),
    "mp3": ("mp3", "libmp3lame", 44_100, {}),
}


def clicks(rate: int, *, at: Sequence[float] = CLICKS) -> Samples:
    """Returns near silence with short bursts of sound, which every codec keeps in their place."""
    samples = np.random.default_rng(14).normal(0, 3, round(rate * SECONDS))
    burst = 12_000 * np.sin(2 * np.pi * 900 * np.arange(round(rate * 0.02)) / rate)
    for time in at:
        samples[round(rate * time) :][: len(burst)] += burst
    return samples.astype(np.int16)


def tone(rate: int, hertz: float) -> Samples:
    time = np.arange(round(rate * SECONDS)) / rate
    return (8000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def encoded(
    kind: str,
    rows: Callable[[int], Sequence[Samples]],
    late: Callable[[float], float] = lambda _: 0.0,
) -> bytes:
    """Returns a file with a channel for each row, in which packets may be late."""
    form, codec, rate, options = KINDS[kind]
    voices = rows(rate)
    layout, file = LAYOUTS[len(voices)], io.BytesIO()
    packed = np.ascontiguousarray(np.array(voices).T).reshape(1, -1)
    with av.open(file, "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        convert = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        frames = [*convert.resample(frame), None]
        for packet in [packet for one in frames for packet in stream.encode(one)]:
            if packet.pts is not None:
                shift = late(float(packet.pts * packet.time_base)) / packet.time_base
                packet.dts, packet.pts = packet.dts + round(shift), packet.pts + round(shift)
            container.mux(packet)
    return file.getvalue()


async def voices_of(form: AudioFormat, data: bytes, size: int = 7919) -> list[Samples]:
    decoder = AudioDecoder(form)
    found: list[bytes] = []
    try:
        for at in range(0, len(data), size):
            found += [pcm async for pcm in decoder.feed(data[at : at + size])]
        found += [pcm async for pcm in decoder.flush(end=True)]
        return [np.frombuffer(pcm, "<i2") for pcm in split(b"".join(found), decoder.voices)]
    finally:
        await decoder.close()


def onsets(voice: Samples) -> list[int]:
    """Returns the samples at which clicks begin."""
    loud = np.flatnonzero(np.abs(voice.astype(int)) > 4000)
    return [int(at) for at, before in zip(loud, [-8000, *loud], strict=False) if at - before > 4000]


def share(voice: Samples, hertz: float) -> float:
    """Returns how much of a second from the middle is one tone."""
    middle = voice[len(voice) // 2 :][:SAMPLE_RATE].astype(float)
    spectrum = np.abs(np.fft.rfft(middle)) ** 2
    at = round(hertz)
    return float(spectrum[at - 10 : at + 11].sum() / max(1.0, spectrum.sum()))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_click_in_both_channels_is_at_one_time_in_both(kind: str) -> None:
    """Guards the order of words of two who talk: a lag of one channel would swap them."""
    data = encoded(kind, lambda rate: [clicks(rate), clicks(rate)])
    first, second = await voices_of(AudioFormat(separate=True), data)
    assert len(first) == len(second)
    assert onsets(first) == onsets(second)
    assert [at / SAMPLE_RATE for at in onsets(first)] == pytest.approx(CLICKS, abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_voice_has_its_own_sound_and_no_other(kind: str) -> None:
    data = encoded(kind, lambda rate: [tone(rate, 440), tone(rate, 1500)])
    first, second = await voices_of(AudioFormat(separate=True), data)
    assert (share(first, 440), share(second, 1500)) == pytest.approx((1, 1), abs=0.02)
    assert (share(first, 1500), share(second, 440)) == pytest.approx((0, 0), abs=0.001)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
@pytest.mark.parametrize("rate", [8_000, 16_000])
async def test_telephony_in_two_channels(encoding: str, rate: int) -> None:
    """Guards calls that are recorded with a channel for each side, a byte a sample."""
    codec = av.CodecContext.create(f"pcm_{encoding}", "w")
    codec.rate, codec.layout, codec.format = rate, "stereo", "s16"
    packed = np.ascontiguousarray(np.array([tone(rate, 440), clicks(rate)]).T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="stereo")
    frame.sample_rate = rate
    data = b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])
    form = AudioFormat(encoding, rate, 2, separate=True)
    for size in (1, 320, 8191):  # a message may end between the channels of a sample
        first, second = await voices_of(form, data[: 40 * size] if size == 1 else data, size)
        assert len(first) == len(second)
    assert share(first, 440) > 0.95
    assert [at / SAMPLE_RATE for at in onsets(second)] == pytest.approx(CLICKS, abs=0.01)


@pytest.mark.parametrize("kind", ["webm", "webm_live", "mp4_fragmented"])
async def test_a_gap_in_the_times_of_a_container_is_silence_in_every_voice(kind: str) -> None:
    """Guards a microphone that was muted: what both say behind it stays in its place."""
    rows = lambda rate: [clicks(rate), clicks(rate, at=(1.0, 4.0))]  # noqa: E731
    data = encoded(kind, rows, lambda time: 3.0 if time > 2.0 else 0.0)
    first, second = await voices_of(AudioFormat(separate=True), data)
    assert len(first) == len(second) == pytest.approx((SECONDS + 3) * SAMPLE_RATE, abs=2500)
    assert [at / SAMPLE_RATE for at in onsets(first)] == pytest.approx([1, 5.5, 7], abs=0.06)
    assert onsets(second) == [onsets(first)[0], onsets(first)[2]]


@pytest.mark.parametrize("kind", ["flac", "adts", "mp3", "ogg_opus"])
async def test_damage_in_the_middle_moves_no_voice_against_another(kind: str) -> None:
    """Guards a recording with a scratch: the voices lose the same time, and stay apart."""
    whole = encoded(kind, lambda rate: [clicks(rate, at=(0.5, 4.5)), clicks(rate, at=(4.5,))])
    at = len(whole) // 2
    noise = np.random.default_rng(7).bytes(600)
    first, second = await voices_of(
        AudioFormat(separate=True), whole[:at] + noise + whole[at + len(noise) :]
    )
    assert len(first) == len(second)
    early, *rest = onsets(first)
    assert early / SAMPLE_RATE == pytest.approx(0.5, abs=0.06)
    assert rest
    assert rest[-1] == onsets(second)[-1]
    assert np.abs(second[:SAMPLE_RATE].astype(int)).max() < 1000


async def test_a_silent_channel_stays_a_voice() -> None:
    data = encoded("flac", lambda rate: [clicks(rate), np.zeros_like(clicks(rate))])
    first, second = await voices_of(AudioFormat(separate=True), data)
    assert len(first) == len(second)
    assert len(onsets(first)) == 3
    assert not second.any()


async def test_a_mono_file_is_one_voice() -> None:
    (voice,) = await voices_of(
        AudioFormat(separate=True), encoded("mp3", lambda rate: [clicks(rate)])
    )
    assert len(onsets(voice)) == 3


async def test_a_channel_that_is_not_there_any_more_is_silent() -> None:
    """Guards a call of which one side hangs up: its stream goes on with one channel."""
    both = encoded("wav", lambda rate: [clicks(rate), clicks(rate)])
    one = encoded("flac", lambda rate: [clicks(rate)])
    decoder = AudioDecoder(AudioFormat(separate=True))
    try:
        found = [pcm async for pcm in decoder.feed(both)]
        found += [pcm async for pcm in decoder.feed(one)]
        found += [pcm async for pcm in decoder.flush(end=True)]
    finally:
        await decoder.close()
    first, second = (np.frombuffer(pcm, "<i2") for pcm in split(b"".join(found), 2))
    assert len(first) == len(second)
    assert (len(onsets(first)), len(onsets(second))) == (6, 3)


@pytest.mark.parametrize("missing", [1, 2, 3])
async def test_a_sample_that_is_cut_short_at_the_end_is_left_out(missing: int) -> None:
    """Guards the end of a stream that lacks the last channel's last sample."""
    data = np.arange(4000, dtype="<i2").tobytes()[:-missing]
    form = AudioFormat("linear16", SAMPLE_RATE, 2, separate=True)
    first, second = await voices_of(form, data)
    assert (len(first), len(second)) == (1999, 1999)
    assert (second - first == 1).all()


@pytest.mark.parametrize("form", ["wav", "matroska", "au"])
async def test_a_file_with_nine_channels_is_refused_by_its_number(form: str) -> None:
    """Guards places: each channel takes a slot of its own."""
    file = io.BytesIO()
    codec = "pcm_s16be" if form == "au" else "pcm_s16le"
    with av.open(file, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=16_000, layout="hexadecagonal")
        frame = av.AudioFrame.from_ndarray(
            np.ones((1, 16 * 1600), np.int16), format="s16", layout="hexadecagonal"
        )
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"16 channels .* at most 8"):
        await voices_of(AudioFormat(separate=True), file.getvalue())
    (mixed,) = await voices_of(AudioFormat(), file.getvalue())
    assert len(mixed) == pytest.approx(1600, abs=5)
