"""Channels that are kept apart: each voice has its own samples, in step with the others."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from scripta_common.wire import SAMPLE_RATE
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.voices import refit, slice_bytes, split

pytestmark = pytest.mark.unit

SECONDS = 5.0
TONES = (300.0, 700.0, 1500.0)


def tones(rate: int, count: int) -> NDArray[np.int16]:
    """Returns a row of samples for each of some tones; the second one begins late."""
    time = np.arange(round(rate * SECONDS)) / rate
    rows = [8000 * np.sin(2 * np.pi * TONES[row] * time) for row in range(count)]
    for row in rows[1:]:
        row[time < 2.0] = 0
    return np.array(rows).astype(np.int16)


def encoded(form: str, codec: str, rate: int, count: int) -> bytes:
    file = io.BytesIO()
    layout = {2: "stereo", 3: "3.0"}[count]
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(tones(rate, count).T).reshape(1, -1), format="s16", layout=layout
        )
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


async def decoded(form: AudioFormat, messages: Sequence[bytes]) -> list[NDArray[np.int16]]:
    decoder = AudioDecoder(form)
    try:
        found: list[bytes] = []
        for message in messages:
            found += [pcm async for pcm in decoder.feed(message)]
        found += [pcm async for pcm in decoder.flush(end=True)]
        assert all(len(pcm) % (2 * decoder.voices) == 0 for pcm in found)
        return [np.frombuffer(pcm, "<i2") for pcm in split(b"".join(found), decoder.voices)]
    finally:
        await decoder.close()


def pieces(data: bytes, size: int = 7919) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def judge(voices: Sequence[NDArray[np.int16]], count: int) -> None:
    """Checks that each voice holds its tone and no other, from where it begins."""
    assert len(voices) == count
    assert len({len(voice) for voice in voices}) == 1
    assert len(voices[0]) == pytest.approx(SECONDS * SAMPLE_RATE, abs=2000)
    for row, voice in enumerate(voices):
        late = voice[3 * SAMPLE_RATE : 4 * SAMPLE_RATE].astype(float)
        spectrum = np.abs(np.fft.rfft(late))
        power = [spectrum[round(tone) - 5 : round(tone) + 6].max() for tone in TONES[:count]]
        assert int(np.argmax(power)) == row
        assert sorted(power)[-2] < 0.02 * max(power)
        if row:
            assert np.abs(voice[: round(1.9 * SAMPLE_RATE)]).max() < 100


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("count", [2, 3])
async def test_raw_voices(rate: int, count: int) -> None:
    data = np.ascontiguousarray(tones(rate, count).T).tobytes()
    form = AudioFormat("linear16", rate, count, separate=True)
    judge(await decoded(form, pieces(data)), count)


@pytest.mark.parametrize(
    ("form", "codec", "rate", "count"),
    [
        ("wav", "pcm_s16le", 44_100, 2),
        ("wav", "pcm_s16le", 16_000, 3),
        ("flac", "flac", 48_000, 2),
        ("flac", "flac", 16_000, 3),
        ("ogg", "libopus", 48_000, 2),
        ("webm", "libopus", 48_000, 2),
    ],
)
async def test_voices_of_files(form: str, codec: str, rate: int, count: int) -> None:
    """Guards files, of which the number of channels is known only from their bytes."""
    data = encoded(form, codec, rate, count)
    judge(await decoded(AudioFormat(separate=True), pieces(data)), count)


async def test_channels_are_mixed_unless_they_are_to_be_kept_apart() -> None:
    data = encoded("wav", "pcm_s16le", 16_000, 2)
    assert len(await decoded(AudioFormat(), pieces(data))) == 1


async def test_stream_keeps_the_number_of_voices_that_it_began_with() -> None:
    stereo, more = encoded("wav", "pcm_s16le", 16_000, 2), encoded("flac", "flac", 16_000, 3)
    first, second = await decoded(AudioFormat(separate=True), [stereo, more])
    assert len(first) == len(second) == pytest.approx(2 * SECONDS * SAMPLE_RATE, abs=2000)


async def test_limit_is_of_time_and_not_of_samples() -> None:
    data = bytes(2 * 8 * SAMPLE_RATE * 60)
    form = AudioFormat("linear16", SAMPLE_RATE, 8, separate=True)
    assert len((await decoded(form, [data]))[7]) == 60 * SAMPLE_RATE


async def test_more_channels_than_can_be_kept_apart_are_refused() -> None:
    header: dict[str, Any] = {"channels": 9, "rate": 16_000}
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=header["rate"], layout="7.1")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8 * 1600), np.int16), format="s16", layout="7.1"
        )
        frame.sample_rate = header["rate"]
        container.mux(stream.encode(frame))
    eight = file.getvalue()
    assert len(await decoded(AudioFormat(separate=True), [eight])) == 8
    nine = AudioFormat("linear16", 16_000, 9, separate=True)
    with pytest.raises(AudioError, match="at most 8"):
        AudioDecoder(nine)


def test_refit_keeps_what_both_have() -> None:
    pcm = np.array([[1, 2], [3, 4]], "<i2").tobytes()
    assert np.frombuffer(refit(pcm, 2, 3), "<i2").tolist() == [1, 2, 0, 3, 4, 0]
    assert np.frombuffer(refit(pcm, 2, 1), "<i2").tolist() == [1, 3]
    assert refit(pcm, 2, 2) is pcm


@pytest.mark.parametrize("voices", range(1, 9))
def test_slices_cut_no_sample(voices: int) -> None:
    assert slice_bytes(voices) % (2 * voices) == 0
