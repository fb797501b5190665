from __future__ import annotations

import os
import wave

import av
import pytest

from scripta_client.errors import BadAudioFile
from scripta_client.sources import (
    MESSAGE_BYTES,
    DecodedFile,
    FileBytes,
    PacedRawFile,
    open_file,
)
from scripta_client.wire import DECODED, AudioFormat

pytestmark = pytest.mark.unit


async def everything(source):
    return [message async for message in source.messages()]


def encode(source, target, codec, rate=16_000):
    """Writes a recording in another container."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream(codec, rate=rate)
        for frame in reading.decode(audio=0):
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode(None))
    return target


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.flac", "flac", 16_000),
        ("a.mp3", "libmp3lame", 16_000),
        ("a.ogg", "libopus", 48_000),
        ("a.webm", "libopus", 48_000),
        ("a.m4a", "aac", 16_000),
    ],
)
async def test_container_the_gateway_reads_goes_as_it_is_if_asked(
    recording, tmp_path, name, codec, rate
):
    path = encode(recording, tmp_path / name, codec, rate)
    source = open_file(path, as_is=True)
    assert isinstance(source, FileBytes)
    assert source.format == AudioFormat()
    assert source.duration == pytest.approx(1.0, abs=0.1)
    messages = await everything(source)
    assert b"".join(messages) == path.read_bytes()
    assert max(map(len, messages)) <= MESSAGE_BYTES


@pytest.mark.parametrize("as_is", [False, True])
@pytest.mark.parametrize(("name", "codec"), [("a.aiff", "pcm_s16be"), ("a.aac", "aac")])
async def test_container_the_gateway_does_not_read_is_always_decoded_here(
    recording, tmp_path, name, codec, as_is
):
    source = open_file(encode(recording, tmp_path / name, codec), as_is=as_is)
    assert isinstance(source, DecodedFile)
    assert len(b"".join(await everything(source))) == pytest.approx(32_000, rel=0.15)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.flac", "flac", 16_000), ("a.mp3", "libmp3lame", 16_000), ("a.webm", "libopus", 48_000)],
)
async def test_recording_becomes_messages_of_whole_seconds(recording, tmp_path, name, codec, rate):
    source = open_file(encode(recording, tmp_path / name, codec, rate))
    assert source.format == AudioFormat("linear16", 16_000, 1)
    sizes = [len(message) for message in await everything(source)]
    assert sizes[0] == MESSAGE_BYTES == 32_000
    assert sum(sizes) == pytest.approx(32_000, rel=0.15)
    assert sum(sizes) % 2 == 0


async def test_damaged_part_of_a_recording_costs_only_itself(recording, tmp_path):
    path = encode(recording, tmp_path / "a.mp3", "libmp3lame")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = b"\xaa" * 200
    path.write_bytes(content)
    samples = b"".join(await everything(open_file(path)))
    assert 18_000 < len(samples) < 36_000


async def test_recording_that_is_nothing_but_damage_is_refused(recording, tmp_path):
    path = encode(recording, tmp_path / "a.flac", "flac")
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xaa" * len(content))
    with pytest.raises(BadAudioFile, match="no audio in it can be decoded"):
        _ = await everything(open_file(path))


async def test_samples_decoded_here_are_those_of_the_file(recording):
    with wave.open(str(recording)) as file:
        samples = file.readframes(16_000)
    assert b"".join(await everything(DecodedFile(recording, 1.0))) == samples


async def test_stereo_at_another_rate_is_mixed_and_resampled(tmp_path):
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(b"\0\1\0\1" * 44_100)
    audio = b"".join(await everything(DecodedFile(path, 1.0)))
    assert len(audio) == pytest.approx(32_000, rel=0.01)


def test_film_is_decoded_here_so_that_its_pictures_do_not_travel(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as writing:
        picture = writing.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        sound = writing.add_stream("aac", rate=16_000)
        silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        silence.sample_rate = 16_000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        writing.mux(sound.encode(silence))
        writing.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
        writing.mux(picture.encode(None))
        writing.mux(sound.encode(None))
    assert isinstance(open_file(path), DecodedFile)


def test_file_without_audio_is_refused(tmp_path):
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as writing:
        picture = writing.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        writing.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
        writing.mux(picture.encode(None))
    with pytest.raises(BadAudioFile, match="no audio"):
        open_file(path)


def test_directory_is_refused(tmp_path):
    with pytest.raises(BadAudioFile, match="directory"):
        open_file(tmp_path)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (AudioFormat("linear16"), 1.0),
        (AudioFormat("mulaw", 8000), 4.0),
        (AudioFormat("linear16", 8000, 2), 1.0),
    ],
)
async def test_raw_file_lasts_as_long_as_its_encoding_says(tmp_path, raw, seconds):
    path = tmp_path / "raw"
    path.write_bytes(bytes(32_000))
    source = open_file(path, raw=raw)
    assert source.duration == seconds
    assert source.seconds(16_000) == 0.5
    samples = b"".join(await everything(source))
    assert source.format == DECODED
    assert len(samples) == pytest.approx(seconds * 32_000, abs=64)
    as_is = open_file(path, raw=raw, as_is=True)
    assert isinstance(as_is, FileBytes)
    assert (as_is.duration, as_is.format) == (seconds, raw)
    assert isinstance(open_file(path, raw=raw, as_is=True, realtime=True), PacedRawFile)


async def test_raw_samples_such_as_the_server_takes_are_not_changed(tmp_path):
    path = tmp_path / "raw"
    path.write_bytes(os.urandom(100_000))
    source = open_file(path, raw=AudioFormat("linear16"))
    assert b"".join(await everything(source)) == path.read_bytes()


def test_many_microphones_are_left_to_the_gateway_which_mixes_them_evenly(tmp_path):
    path = tmp_path / "raw"
    path.write_bytes(bytes(32_000))
    raw = AudioFormat("linear16", 16_000, 8)
    assert open_file(path, raw=raw).format == raw


class Scale:
    """A pacer that only adds up."""

    def __init__(self):
        self.played = []

    async def play(self, seconds):
        self.played.append(seconds)


async def test_raw_file_is_paced_by_its_own_rate(tmp_path):
    path = tmp_path / "raw"
    path.write_bytes(bytes(2000))
    scale = Scale()
    source = PacedRawFile(path, 0.25, AudioFormat("mulaw", 8000, 1), scale)
    assert [len(message) for message in await everything(source)] == [800, 800, 400]
    assert scale.played == [0.1, 0.1, 0.05]
