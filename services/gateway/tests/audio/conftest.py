"""Speech, containers of it made on the spot, and a check that no decoder outlives its test."""

from __future__ import annotations

import importlib.util
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.processes import SHARED_PROCESSES, DecoderProcesses

Samples = np.ndarray[Any, np.dtype[np.int16]]


def living_decoders() -> set[int]:
    """The processes that decode now, as the kernel sees them."""
    zygote = SHARED_PROCESSES.zygote_pid
    try:
        return set(map(int, Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()))
    except OSError:
        return set(SHARED_PROCESSES.living)


@pytest.fixture
def decoders() -> Callable[[], set[int]]:
    return living_decoders


@pytest.fixture(autouse=True)
def no_decoder_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while living_decoders() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert living_decoders() == set()
    assert SHARED_PROCESSES.living == frozenset()


@pytest.fixture(scope="session")
def speech() -> Samples:
    """Three seconds of speech at 16 kHz, or something of its shape."""
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "assets" / "beckett.wav"
        if path.exists():
            with wave.open(str(path)) as file:
                rate, channels = file.getframerate(), file.getnchannels()
                frames = np.frombuffer(file.readframes(rate * 3), "<i2")
            if (rate, channels) == (16000, 1):
                return frames.copy()
    seconds = np.arange(48000) / 16000
    tone = sum(np.sin(2 * np.pi * 120 * k * seconds) / k for k in range(1, 12))
    envelope = np.sin(2 * np.pi * 2.5 * seconds) ** 2
    return (tone * envelope * 6000).astype(np.int16)


@dataclass
class Encoded:
    """A file, in the parts that the muxer wrote it in."""

    parts: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)


class Unseekable:
    def __init__(self, target: Encoded) -> None:
        self.write = target.write


def encode(
    samples: Samples, form: str, codec: str, rate: int, layout: str, options: dict[str, str]
) -> Encoded:
    live = options.pop("live_write", None) is not None
    result, file = Encoded(), Path(tempfile.mkstemp()[1])
    target = Unseekable(result) if live else str(file)
    with av.open(target, "w", format=form, options=options, buffer_size=1024) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.codec_context.options = {"strict": "experimental"} if codec == "vorbis" else {}
        stream.layout = layout
        resampler = av.AudioResampler(
            format=stream.codec_context.format or "s16", layout=layout, rate=rate
        )
        for at in range(0, len(samples), 320):
            frame = av.AudioFrame.from_ndarray(
                samples[None, at : at + 320].copy(), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = 16000, at
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        for part in resampler.resample(None):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    if not live:
        result.write(file.read_bytes())
    file.unlink()
    return result


KINDS: dict[str, tuple[str, str, int, str, dict[str, str]]] = {
    "wav": ("wav", "pcm_s16le", 16000, "mono", {}),
    "wav24_44k_stereo": ("wav", "pcm_s24le", 44100, "stereo", {}),
    "wav8_8k": ("wav", "pcm_u8", 8000, "mono", {}),
    "wavf32_48k": ("wav", "pcm_f32le", 48000, "mono", {}),
    "wav_mulaw": ("wav", "pcm_mulaw", 8000, "mono", {}),
    "wav_adpcm": ("wav", "adpcm_ms", 16000, "mono", {}),
    "wav_live": ("wav", "pcm_s16le", 16000, "mono", {"live_write": "1"}),
    "flac": ("flac", "flac", 16000, "mono", {}),
    "flac_44k_stereo": ("flac", "flac", 44100, "stereo", {}),
    "flac_live": ("flac", "flac", 16000, "mono", {"live_write": "1"}),
    "ogg_opus": ("ogg", "libopus", 48000, "mono", {}),
    "ogg_opus_live": (
        "ogg",
        "libopus",
        48000,
        "mono",
        {"page_duration": "20000", "live_write": ""},
    ),
    "ogg_vorbis": ("ogg", "vorbis", 44100, "stereo", {}),
    "webm": ("webm", "libopus", 48000, "mono", {}),
    "webm_live": (
        "webm",
        "libopus",
        48000,
        "mono",
        {"live": "1", "cluster_time_limit": "100", "live_write": "1"},
    ),
    "mp3": ("mp3", "libmp3lame", 44100, "stereo", {}),
    "mp3_16k_live": ("mp3", "libmp3lame", 16000, "mono", {"live_write": "1", "write_xing": "0"}),
    "m4a_index_last": ("mp4", "aac", 16000, "mono", {}),
    "m4a_index_first": ("mp4", "aac", 44100, "stereo", {"movflags": "faststart"}),
    "m4a_fragmented": (
        "mp4",
        "aac",
        16000,
        "mono",
        {"movflags": "frag_every_frame+empty_moov+default_base_moof", "live_write": "1"},
    ),
    "aac": ("adts", "aac", 16000, "mono", {"live_write": "1"}),
    "mp2": ("mp2", "mp2", 16000, "mono", {"live_write": "1"}),
    "ac3": ("ac3", "ac3", 48000, "mono", {"live_write": "1"}),
    "aiff": ("aiff", "pcm_s16be", 16000, "mono", {}),
    "aiff_stereo": ("aiff", "pcm_s24be", 44100, "stereo", {"live_write": "1"}),
    "aifc_sowt": ("aiff", "pcm_s16le", 16000, "mono", {}),
    "au": ("au", "pcm_s16be", 16000, "mono", {}),
    "au_mulaw_live": ("au", "pcm_mulaw", 8000, "mono", {"live_write": "1"}),
    "wave64": ("w64", "pcm_s16le", 16000, "mono", {}),
    "rf64": ("wav", "pcm_s16le", 16000, "mono", {"rf64": "always"}),
    "wav_mp3": ("wav", "libmp3lame", 16000, "mono", {}),
    "wav_g722": ("wav", "g722", 16000, "mono", {}),
    "mov_ima": ("mov", "adpcm_ima_qt", 16000, "mono", {}),
    "loas": ("latm", "aac", 16000, "mono", {"live_write": "1"}),
    "webm_stereo_live": (
        "webm",
        "libopus",
        48000,
        "stereo",
        {"live": "1", "cluster_time_limit": "500", "live_write": "1"},
    ),
    "webm_vorbis_live": ("webm", "vorbis", 44100, "stereo", {"live": "1", "live_write": "1"}),
    "ts_aac": ("mpegts", "aac", 48000, "mono", {"live_write": "1"}),
    "ts_mp3": ("mpegts", "libmp3lame", 48000, "mono", {"live_write": "1"}),
    "m2ts_ac3": ("mpegts", "ac3", 48000, "mono", {"mpegts_m2ts_mode": "1", "live_write": "1"}),
    "caf": ("caf", "pcm_s16le", 16000, "mono", {}),
    "amr": ("amr", "libopencore_amrnb", 8000, "mono", {}),
    "3gp_amr": ("3gp", "libopencore_amrnb", 8000, "mono", {}),
    "mp4_alac": ("mp4", "alac", 16000, "mono", {}),
    "mov_pcm": ("mov", "pcm_s16be", 16000, "mono", {}),
}


@pytest.fixture(scope="session")
def encoded(speech: Samples) -> Callable[[str], Encoded]:
    """Makes (once) the speech as a file of a kind."""
    made: dict[str, Encoded] = {}

    def make(kind: str) -> Encoded:
        if kind not in made:
            form, codec, rate, layout, options = KINDS[kind]
            made[kind] = encode(speech, form, codec, rate, layout, dict(options))
        return made[kind]

    return make


@pytest.fixture
def encode_as() -> Callable[[str, Samples], bytes]:
    """Makes any samples a file of a kind."""

    def make(kind: str, samples: Samples) -> bytes:
        form, codec, rate, layout, options = KINDS[kind]
        return encode(samples, form, codec, rate, layout, dict(options)).data

    return make


@dataclass
class Decoded:
    """PCM of each message, of the flush at a pause and of the end."""

    messages: list[bytes]
    paused: bytes
    end: bytes

    @property
    def all(self) -> bytes:
        return b"".join(self.messages) + self.paused + self.end


@pytest.fixture
def budget() -> StreamBudget:
    return StreamBudget(streams=4)


@pytest.fixture
def decode(budget: StreamBudget) -> Callable[..., Any]:
    """Decodes messages in one session, to its end."""

    async def run(messages: list[bytes], form: AudioFormat | None = None) -> Decoded:
        decoder = AudioDecoder(form or AudioFormat(), budget=budget)
        try:
            fed = [await joined(decoder.feed(message)) for message in messages]
            paused = await joined(decoder.flush())
            return Decoded(fed, paused, await joined(decoder.flush(end=True)))
        finally:
            await decoder.close()

    return run


@pytest.fixture
def likeness() -> Callable[[bytes, Samples], tuple[float, int]]:
    """Correlation of PCM with samples at the best shift, and that shift in samples."""

    def measure(pcm: bytes, wanted: Samples) -> tuple[float, int]:
        got, want = np.frombuffer(pcm, "<i2").astype(float), wanted.astype(float)
        size = 1 << (len(got) + len(want)).bit_length()
        cross = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(want, size)), size)
        at = int(np.argmax(cross))
        power = float(np.sqrt((got**2).sum() * (want**2).sum()))
        return float(cross[at]) / power, at if at < size // 2 else at - size

    return measure


def split(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.fixture
def pieces() -> Callable[[bytes, int], list[bytes]]:
    return split


@pytest.fixture
def kinds() -> list[str]:
    return list(KINDS)


@pytest.fixture
def processes() -> Iterator[DecoderProcesses]:
    own = DecoderProcesses()
    yield own
    own.close()
