"""Raw audio that is not what it is taken for is noticed; what is, never is."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.doubt import ENOUGH_BYTES, LEAST_BYTES, Doubt, doubt

pytestmark = pytest.mark.unit

SHARED = Path(__file__).parents[5] / "shared/speech"
Samples = np.ndarray[Any, np.dtype[np.int16]]


def clipped(values: Any) -> bytes:
    return np.clip(np.rint(values), -32768, 32767).astype("<i2").tobytes()


def packed(samples: Samples) -> bytes:
    wide = (samples.astype("<i4") << 8) + np.random.default_rng(2).integers(0, 99, len(samples))
    return wide.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def mulaw(samples: Samples) -> bytes:
    level = np.minimum(np.abs(samples.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(level)).astype(np.int32) - 7
    code = np.where(samples < 0, 128, 0) | exponent << 4 | (level >> exponent + 3 & 15)
    return bytes((~code & 255).astype(np.uint8))


WRONG: dict[Doubt, Callable[[Samples], bytes]] = {
    Doubt.BIG_ENDIAN: lambda samples: samples.astype(">i2").tobytes(),
    Doubt.ODD_OFFSET: lambda samples: samples.tobytes()[1:],
    Doubt.U8: lambda samples: ((samples >> 8) + 128).astype(np.uint8).tobytes(),
    Doubt.F32: lambda samples: (samples.astype("<f4") / 32768).tobytes(),
    Doubt.S32: lambda samples: (samples.astype("<i4") << 16).tobytes(),
    Doubt.S24: packed,
    Doubt.MULAW: mulaw,
}
BYTES = {Doubt.U8, Doubt.MULAW, Doubt.ALAW}


def distorted(samples: Samples) -> Iterator[bytes]:
    """Yields samples as microphones, rooms and mistakes of level make them."""
    values, dice = samples.astype(float), np.random.default_rng(1)
    level, count = max(50.0, values.std()), len(values)
    for decibels in (-40, -20, 0, 6, 12):
        yield clipped(values * 10 ** (decibels / 20))
    for offset in (300, 3000, -12_000):
        yield clipped(values + offset)
    for noise in (0.3, 1.0, 3.0):
        yield clipped(values + dice.normal(0, noise * level, count))
    yield clipped(dice.normal(0, 9000, count))
    yield clipped(values + np.diff(dice.normal(0, 3000, count + 1)))
    yield clipped(values + 8000 * np.sin(np.arange(count) * 2 * np.pi * 50 / 16_000))
    yield bytes(20_000) + samples.tobytes()
    yield samples[::2].tobytes()
    yield np.repeat(samples, 2).tobytes()
    yield (samples // 256 * 256).astype("<i2").tobytes()


def recordings() -> Iterator[tuple[str, Samples]]:
    for path in sorted(SHARED.glob("*.wav")):
        with wave.open(str(path)) as file:
            yield path.name, np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.mark.parametrize("wrong", WRONG)
def test_speech_in_another_form_is_noticed(wrong: Doubt, speech: Samples) -> None:
    found = doubt(WRONG[wrong](speech)[:ENOUGH_BYTES])
    assert found in (BYTES if wrong in BYTES else {wrong})


@pytest.mark.parametrize(
    "kind", ["mp3", "aac", "ogg_opus", "ogg_vorbis", "webm", "flac", "ac3", "m4a_index_first"]
)
def test_compressed_speech_is_noticed(kind: str, encoded: Callable[..., Any]) -> None:
    data = encoded(kind).data[4000:]
    assert doubt((data * 3)[:ENOUGH_BYTES]) is Doubt.COMPRESSED


def test_speech_raises_no_doubt_however_it_is_distorted(speech: Samples) -> None:
    assert {doubt(data[:ENOUGH_BYTES]) for data in distorted(speech)} == {None}


@pytest.mark.parametrize("value", [0, 1, -1, 128, -32768, 32767])
def test_a_constant_raises_no_doubt(value: int) -> None:
    assert doubt(np.full(LEAST_BYTES, value, "<i2").tobytes()) is None


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared recordings")
def test_no_recording_raises_a_doubt_however_it_is_distorted() -> None:
    for name, samples in recordings():
        for number, data in enumerate(distorted(samples[-ENOUGH_BYTES // 2 :])):
            if len(data) >= LEAST_BYTES:
                assert doubt(data[:ENOUGH_BYTES]) is None, (name, number)


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared recordings")
def test_most_recordings_in_another_form_are_noticed() -> None:
    noticed = [
        doubt(data[:ENOUGH_BYTES]) is not None
        for name, samples in recordings()
        if not name.startswith("ns_")
        for write in WRONG.values()
        if len(data := write(samples)) >= LEAST_BYTES
    ]
    assert sum(noticed) / len(noticed) > 0.8


async def test_it_is_told_once_and_the_audio_is_taken(speech: Samples) -> None:
    data, decoder = speech.astype(">i2").tobytes(), AudioDecoder(AudioFormat())
    told, pcm = [], b""
    for at in range(0, len(data), 3200):
        pcm += await joined(decoder.feed(data[at : at + 3200]))
        told.append(decoder.take_doubt())
    pcm += await joined(decoder.flush(end=True))
    assert pcm == data
    assert [found for found in told if found] == [Doubt.BIG_ENDIAN]


async def test_declared_audio_is_not_doubted(speech: Samples) -> None:
    decoder = AudioDecoder(AudioFormat("linear16"))
    await joined(decoder.feed(speech.astype(">i2").tobytes()))
    assert decoder.take_doubt() is None
