"""Reads recordings: how long they are, and their samples.

The gateway recognises the common containers by itself; this is for what has to be known or
done here: the duration, pacing by the audio's own clock, and everything that is not one of
those containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from scripta_client.errors import BadAudioFile

SAMPLE_RATE = 16_000
BYTES_PER_SECOND = SAMPLE_RATE * 2

_GATEWAY_READS = frozenset({"wav", "flac", "mp3", "ogg", "matroska", "webm", "mov", "mp4", "m4a"})


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
    with _open(path) as container:
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


def decode(path: Path, block: int) -> Iterator[bytes]:
    """Yields the recording as mono s16le at 16 kHz, ``block`` bytes at a time.

    Raises:
        BadAudioFile: If it can not be decoded.
    """
    ready = bytearray()
    for pcm in _samples(path):
        ready += pcm
        while len(ready) >= block:
            yield bytes(ready[:block])
            del ready[:block]
    if ready:
        yield bytes(ready)


def _samples(path: Path) -> Iterator[bytes]:
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with _open(path) as container:
        try:
            for frame in container.decode(audio=0):
                for converted in resampler.resample(frame):
                    yield _bytes(converted)
            for converted in resampler.resample(None):
                yield _bytes(converted)
        except av.FFmpegError as error:
            raise BadAudioFile(str(path), f"it is damaged ({error.strerror})") from error


def _bytes(frame: Any) -> bytes:
    # A plane is padded to what suits the processor.
    return bytes(frame.planes[0])[: frame.samples * 2]


def _open(path: Path) -> InputContainer:
    try:
        return av.open(str(path), mode="r")
    except av.FFmpegError as error:
        problem = "it is no recording known here; for raw samples say --encoding linear16"
        raise BadAudioFile(str(path), problem) from error


def _duration(container: InputContainer) -> float | None:
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / 1_000_000
    return None
