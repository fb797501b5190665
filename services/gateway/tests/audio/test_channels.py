"""Channels are mixed so that none can cancel another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.channels import ChannelMixer
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat

pytestmark = pytest.mark.unit

RATE = 16_000
Voices = np.ndarray[Any, np.dtype[np.float32]]
SETTLED = round(0.1 * RATE)
"""Samples in which what is heard first may still change the mix."""


@pytest.fixture(scope="module")
def voice(speech: Any) -> Voices:
    return (speech / 32768).astype(np.float32)


def noise(voice: Voices, decibels: float, seed: int = 0) -> Voices:
    """Returns noise that is so much louder than a voice."""
    level = voice.std() * 10 ** (decibels / 20)
    return (np.random.default_rng(seed).normal(size=len(voice)) * level).astype(np.float32)


def mixed(channels: list[Voices], sizes: list[int] | None = None) -> Voices:
    """Mixes channels in parts of these sizes, again and again; of 100 ms if none are given."""
    samples, mixer, parts, at = np.stack(channels), ChannelMixer(len(channels), RATE), [], 0
    while at < samples.shape[1]:
        for size in sizes or [1600]:
            parts.append(mixer.mix(samples[:, at : at + size]))
            at += size
    return np.concatenate([*parts, mixer.flush()])


LAYOUTS: dict[str, Callable[[Voices], list[Voices]]] = {
    "right only": lambda x: [0 * x, x],
    "right and noise": lambda x: [noise(x, -60), x],
    "inverted": lambda x: [x, -x],
    "inverted and quieter": lambda x: [x, -0.3 * x],
    "inverted with noise": lambda x: [x + noise(x, -25), -x + noise(x, -25, seed=1)],
    "an offset alone": lambda x: [x, 0 * x + np.float32(0.5)],
    "inverted with offsets": lambda x: [x + np.float32(0.3), -x + np.float32(0.3)],
    "centre of 7.1": lambda x: [0 * x, 0 * x, x, *[noise(x, -60)] * 5],
    "inverted front of 5.1": lambda x: [x, -x, 0 * x, 0 * x, 0 * x, 0 * x],
    "one of 32": lambda x: [*[0 * x] * 31, x],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_voice_is_heard_at_its_level_in_any_layout(layout: str, voice: Voices) -> None:
    """Guards words on a balanced line taken for stereo, and in one channel of many."""
    got = mixed(LAYOUTS[layout](voice))[SETTLED:]
    got = got - got.mean()
    want = voice[SETTLED:]
    assert np.abs(np.corrcoef(got, want)[0, 1]) > 0.99
    assert 0.6 < got.std() / want.std() < 1.1


@pytest.mark.parametrize(
    "second",
    [lambda x: x, lambda x: x[::-1].copy(), lambda x: 0.3 * x[::-1], lambda x: noise(x, -20)],
    ids=["the same", "another", "a quieter one", "noise"],
)
def test_channels_that_are_heard_are_averaged(
    second: Callable[[Voices], Voices], voice: Voices
) -> None:
    """Guards a second talker, who may be quieter, and ordinary stereo."""
    other = second(voice)
    got = mixed([voice, other])[SETTLED:]
    assert np.allclose(got, ((voice + other) / 2)[SETTLED:], atol=1e-6)


def test_who_speaks_late_is_heard_from_the_first_sound(voice: Voices) -> None:
    """Guards the first word of an answer in the other channel."""
    half = len(voice) // 2
    silence = np.zeros(half, np.float32)
    left, right = np.append(voice[:half], silence), np.append(silence, voice[:half])
    got = mixed([left, right])
    assert np.abs(got[half + 640 :] - right[half + 640 :] / 2).max() < 1e-6
    # A pause later it is known, whoever speaks.
    again = mixed([np.append(left, left), np.append(right, right)])[len(left) :]
    assert np.allclose(again, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("sizes", [[1], [7, 333], [320], [100_000]], ids=str)
@pytest.mark.parametrize("layout", ["inverted with noise", "right and noise", "centre of 7.1"])
def test_any_split_gives_the_same_bits(layout: str, sizes: list[int], voice: Voices) -> None:
    """Guards replays: where messages end must not change a sample."""
    channels = [channel[:8000] for channel in LAYOUTS[layout](voice)]
    assert np.array_equal(mixed(channels, sizes), mixed(channels))


@pytest.mark.parametrize("layout", ["inverted", "right only", "inverted front of 5.1"])
def test_weights_change_without_a_click(layout: str) -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32)
    got = mixed(LAYOUTS[layout](tone))
    assert np.abs(np.diff(got)).max() < 1.2 * np.abs(np.diff(tone)).max()


def test_delayed_microphones_are_not_turned_to_and_fro(voice: Voices) -> None:
    for delay in (2, 8, 16, 40):
        late = np.append(np.zeros(delay, np.float32), voice[:-delay])
        got = mixed([voice, late])
        half = (np.abs(got - (voice + late) / 2) < 1e-6).mean()
        turned = (np.abs(got - (voice - late) / 2) < 1e-6).mean()
        assert max(half, turned) > 0.9, delay
        assert got.std() > 0.55 * voice.std()


def test_the_first_sound_is_whole(voice: Voices) -> None:
    """Guards a short word right at the start of an inverted pair."""
    word = voice[8000:16_000]
    assert np.allclose(mixed([word, -word]), word, atol=1e-6)
    assert np.allclose(mixed([0 * word, word]), word, atol=1e-6)


async def test_an_inverted_pair_is_heard_in_raw_audio(speech: Any, likeness: Any) -> None:
    stereo = np.stack((speech, -speech), axis=1).astype("<i2").tobytes()
    decoder = AudioDecoder(AudioFormat("linear16", RATE, 2))
    pcm = await joined(decoder.feed(stereo)) + await joined(decoder.flush(end=True))
    correlation, shift = likeness(pcm, speech)
    assert (correlation > 0.99, shift) == (True, 0)


@pytest.mark.parametrize(("form", "codec"), [("wav", "pcm_s16le"), ("flac", "flac")])
async def test_an_inverted_pair_is_heard_in_a_file(
    form: str, codec: str, speech: Any, decode: Any, likeness: Any, tmp_path: Any
) -> None:
    path = tmp_path / f"file.{form}"
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.layout = "stereo"
        pair = np.ascontiguousarray(np.stack((speech, -speech), axis=1).reshape(1, -1))
        for at in range(0, pair.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(pair[:, at : at + 1024].copy(), "s16", "stereo")
            frame.sample_rate = RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    correlation, shift = likeness((await decode([path.read_bytes()])).all, speech)
    assert (correlation > 0.99, shift) == (True, 0)
