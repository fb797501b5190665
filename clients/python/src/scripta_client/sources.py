"""Where audio comes from, as messages for a session; here: files.

A source says how its audio is encoded and how far a number of its bytes reaches in time, and
yields messages well below a server's usual limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scripta_client.errors import BadAudioFile
from scripta_client.media import BYTES_PER_SECOND, decodable, decode, file_size, probe
from scripta_client.pacing import Pacer
from scripta_client.wire import DECODED, SNIFFED, AudioFormat

MESSAGE_BYTES = BYTES_PER_SECOND
"""Bytes of a message that is not paced: a second of samples, or so much of a file."""

BLOCK_SECONDS = 0.1
"""Length of a message that is sent at the audio's own speed."""


class Source(Protocol):
    """Audio for one session."""

    @property
    def format(self) -> AudioFormat:
        """How the messages are encoded."""

    @property
    def duration(self) -> float | None:
        """Seconds of audio, where that is known before."""

    def seconds(self, sent: int) -> float | None:
        """Returns how much audio the first ``sent`` bytes are, where that is known."""

    def messages(self) -> AsyncIterator[bytes]:
        """Yields the audio, once."""


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """A recording, or raw samples, decoded here; at its own speed if there is a pacer."""

    path: Path
    duration: float | None
    raw: AudioFormat | None = None
    pacer: Pacer | None = None
    format: AudioFormat = DECODED

    def seconds(self, sent: int) -> float | None:
        """Returns the time that so many bytes of samples take."""
        return sent / BYTES_PER_SECOND

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields samples."""
        block = MESSAGE_BYTES if self.pacer is None else int(BYTES_PER_SECOND * BLOCK_SECONDS)
        blocks = decode(self.path, block, self.raw)
        while data := await asyncio.to_thread(next, blocks, b""):
            if self.pacer is not None:
                await self.pacer.play(len(data) / BYTES_PER_SECOND)
            yield data


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file sent as it is: a container the gateway reads, or raw samples."""

    path: Path
    size: int
    duration: float | None
    format: AudioFormat = SNIFFED

    def seconds(self, sent: int) -> float | None:
        """Returns the share of the duration that the bytes are of the file."""
        return None if self.duration is None else self.duration * min(1.0, sent / self.size)

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields the file's bytes."""
        async for data in _blocks(self.path, MESSAGE_BYTES):
            yield data


@dataclass(frozen=True, slots=True)
class PacedRawFile:
    """A file of raw samples sent as it is, at its own speed."""

    path: Path
    duration: float
    format: AudioFormat
    pacer: Pacer

    def seconds(self, sent: int) -> float | None:
        """Returns the time that so many bytes of samples take."""
        return sent / self.format.bytes_per_second

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields samples."""
        rate = self.format.bytes_per_second
        async for data in _blocks(self.path, int(rate * BLOCK_SECONDS)):
            await self.pacer.play(len(data) / rate)
            yield data


@dataclass(frozen=True, slots=True)
class Stoppable:
    """A source that ends early, with what it has given until then, once ``stop`` is set."""

    source: Source
    stop: asyncio.Event

    @property
    def format(self) -> AudioFormat:
        """As the source's."""
        return self.source.format

    @property
    def duration(self) -> float | None:
        """As the source's."""
        return self.source.duration

    def seconds(self, sent: int) -> float | None:
        """Returns what the source returns."""
        return self.source.seconds(sent)

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields the source's messages until it is stopped."""
        async for message in self.source.messages():
            yield message
            if self.stop.is_set():
                return


def open_file(
    path: Path, *, realtime: bool = False, as_is: bool = False, raw: AudioFormat = SNIFFED
) -> Source:
    """Returns the source for a file.

    Args:
        path: The file.
        realtime: Whether to send it at its own speed, else as fast as the server takes it.
        as_is: Whether to leave the decoding to the gateway where it can. It is less to send,
            but a file that is cut off by a broken connection can not be taken up. A recording
            in a container that is to have its own speed is decoded all the same.
        raw: How it is encoded if it is raw samples; without an encoding it is a recording in
            any container.

    Raises:
        BadAudioFile: If it can not be read.
    """
    pacer = Pacer() if realtime else None
    if raw.encoding is None:
        recording = probe(path)
        if as_is and recording.sendable and pacer is None:
            return FileBytes(path, recording.size, recording.duration)
        return DecodedFile(path, recording.duration, pacer=pacer)
    size = file_size(path)
    duration = size / raw.bytes_per_second
    if decodable(raw) and not as_is:
        return DecodedFile(path, duration, raw, pacer)
    if pacer is not None:
        return PacedRawFile(path, duration, raw, pacer)
    return FileBytes(path, size, duration, raw)


async def _blocks(path: Path, size: int) -> AsyncIterator[bytes]:
    """Yields a file's bytes, ``size`` at a time.

    Raises:
        BadAudioFile: If it can no longer be read.
    """
    try:
        with path.open("rb") as file:
            while data := await asyncio.to_thread(file.read, size):
                yield data
    except OSError as error:
        raise BadAudioFile(str(path), error.strerror or str(error)) from error
