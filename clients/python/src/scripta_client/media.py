"""Turns recordings and streams into samples, and says how long a recording is.

Everything is decoded here unless told otherwise: raw samples at 16 kHz are the one form in
which a stream survives its connection exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from scripta_client.errors import BadAudioFile
from scripta_client.wire import DECODED, SAMPLE_RATE, AudioFormat, Encoding

BYTES_PER_SECOND = DECODED.bytes_per_second

_GATEWAY_READS = frozenset({"wav", "flac", "mp3", "ogg", "matroska", "webm", "mov", "mp4", "m4a"})
_RAW_FORMATS: dict[Encoding, str] = {"linear16": "s16le", "mulaw": "mulaw", "alaw": "alaw"}
_LAYOUTS = {1: "mono", 2: "stereo"}
_MAX_BAD_IN_A_ROW = 50
_LIVE_BUFFER_BYTES = 4096


class Readable(Protocol):
    """Bytes that come from somewhere."""

    def read(self, size: int, /) -> bytes:
        """Returns up to ``size`` bytes as soon as there are any; none at the end."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a recording before it is played.

    Attributes:
        path: The file.
        size: Its bytes.
        duration: Seconds of audio; ``None`` where the file does not say.
        sendable: Whether the gateway reads this container, so that its bytes can go as they
            are. A film is not: its pictures would travel for nothing.
    """

    path: Path
    size: int
    duration: float | None
    sendable: bool


def probe(path: Path) -> Recording:
    """Returns what is known of a recording.

    Raises:
        BadAudioFile: If it can not be opened or holds no audio.
    """
    size = file_size(path)
    with _open(str(path), str(path)) as container:
        if not container.streams.audio:
            raise BadAudioFile(str(path), "there is no audio in it")
        names = set(container.format.name.split(","))
        return Recording(
            path,
            size,
            _duration(container),
            sendable=bool(names & _GATEWAY_READS) and not container.streams.video,
        )


def file_size(path: Path) -> int:
    """Returns the size of a readable file that holds something, in bytes.

    Raises:
        BadAudioFile: If it is no such file.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
    except OSError as error:
        raise BadAudioFile(str(path), error.strerror or str(error)) from error
    if size == 0:
        raise BadAudioFile(str(path), "the file is empty")
    return size


def decodable(raw: AudioFormat) -> bool:
    """Returns whether raw samples can be mixed here as the gateway does: evenly."""
    return (raw.channels or 1) in _LAYOUTS


def decode(path: Path, block: int, raw: AudioFormat | None = None) -> Iterator[bytes]:
    """Yields a file as mono s16le at 16 kHz, ``block`` bytes at a time.

    Args:
        path: The file.
        block: Bytes of each piece but the last.
        raw: How it is encoded if it is raw samples.

    Raises:
        BadAudioFile: If it can not be decoded.
    """
    name = str(path)
    with _open(name, name, **(_raw_options(raw) if raw else {})) as container:
        yield from _blocks(_samples(container, name), block)


def decode_live(
    input: Readable, name: str, block: int, *, form: str = "", raw: AudioFormat | None = None
) -> Iterator[bytes]:
    """Yields a stream as ``decode`` does a file, with as little delay as its form allows.

    Args:
        input: The stream.
        name: What it is called in errors.
        block: Bytes of each piece but the last.
        form: Its container, as libavformat calls it.
        raw: How it is encoded if it is raw samples.

    Raises:
        BadAudioFile: If it can not be decoded.
    """
    # The headers say all: to look ahead for more would only delay the first words.
    said = {"format": form, "options": {"probesize": "32", "analyzeduration": "0"}}
    options = _raw_options(raw) if raw else said
    with _open(input, name, buffer_size=_LIVE_BUFFER_BYTES, **options) as container:
        yield from _blocks(_samples(container, name), block)


class Resampler:
    """Brings mono s16le samples of another rate to 16 kHz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)

    def push(self, samples: bytes) -> bytes:
        """Returns what these samples complete; some stay behind."""
        frame = AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
        frame.sample_rate = self._rate
        plane: Any = frame.planes[0]
        plane.update(samples.ljust(plane.buffer_size, b"\0"))
        return b"".join(map(_bytes, self._resampler.resample(frame)))


def _blocks(samples: Iterator[bytes], size: int) -> Iterator[bytes]:
    ready = bytearray()
    for pcm in samples:
        ready += pcm
        while len(ready) >= size:
            yield bytes(ready[:size])
            del ready[:size]
    if ready:
        yield bytes(ready)


def _samples(container: InputContainer, name: str) -> Iterator[bytes]:
    if not container.streams.audio:
        raise BadAudioFile(name, "there is no audio in it")
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    for frame in _frames(container, name):
        yield from map(_bytes, resampler.resample(frame))
    yield from map(_bytes, resampler.resample(None))


def _frames(container: InputContainer, name: str) -> Iterator[AudioFrame]:
    """Yields the frames of the first track, at least one; passes over damaged packets."""
    bad = good = 0
    try:
        for packet in container.demux(audio=0):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                bad += 1
                if bad == _MAX_BAD_IN_A_ROW:
                    raise
                continue
            bad = 0
            for frame in frames:
                if isinstance(frame, AudioFrame):
                    good += 1
                    yield frame
    except av.FFmpegError as error:
        raise BadAudioFile(name, f"it is damaged ({error.strerror})") from error
    if not good:
        raise BadAudioFile(name, "no audio in it can be decoded")


def _bytes(frame: AudioFrame) -> bytes:
    # A plane is padded to what suits the processor.
    return bytes(frame.planes[0])[: frame.samples * 2]


def _raw_options(raw: AudioFormat) -> dict[str, Any]:
    rate, layout = str(raw.sample_rate or SAMPLE_RATE), _LAYOUTS[raw.channels or 1]
    form = _RAW_FORMATS[raw.encoding or "linear16"]
    return {"format": form, "options": {"sample_rate": rate, "ch_layout": layout}}


def _open(file: Any, name: str, **options: Any) -> InputContainer:
    try:
        container: InputContainer = av.open(file, mode="r", **options)
    except av.FFmpegError as error:
        problem = "it is no recording known here; for raw samples say --encoding linear16"
        raise BadAudioFile(name, problem) from error
    return container


def _duration(container: InputContainer) -> float | None:
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / 1_000_000
    return None
