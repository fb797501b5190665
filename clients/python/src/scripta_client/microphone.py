"""The microphone as a source, through the optional ``sounddevice`` library."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from scripta_client.errors import MicrophoneUnavailable
from scripta_client.live import Arrived, until_stopped
from scripta_client.media import BYTES_PER_SECOND, Resampler
from scripta_client.wire import DECODED, SAMPLE_RATE, AudioFormat

BLOCK_SECONDS = 0.1
BUFFERED_BLOCKS = 300
"""Blocks that may wait for the server; what is said after half a minute of them is lost."""


@dataclass(slots=True)
class Microphone:
    """Sound as it is picked up, until ``stop`` is set.

    Attributes:
        library: The loaded ``sounddevice`` module.
        device: The device, in the library's terms.
        rate: Samples per second that it gives.
        format: How the messages are encoded.
        stop: Ends the stream.
        lost_seconds: Sound thrown away because the server did not keep up.
    """

    library: Any
    device: int | str | None
    rate: int = SAMPLE_RATE
    format: AudioFormat = DECODED
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    lost_seconds: float = 0.0

    @property
    def duration(self) -> float | None:
        """Always ``None``: nobody knows."""
        return None

    def seconds(self, sent: int) -> float | None:
        """Returns the time that so many bytes of samples take."""
        return sent / BYTES_PER_SECOND

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields blocks of samples.

        Raises:
            MicrophoneUnavailable: If the device can not be opened.
        """
        arrived: Arrived = asyncio.Queue(maxsize=BUFFERED_BLOCKS)
        resampler = Resampler(self.rate) if self.rate != SAMPLE_RATE else None
        loop = asyncio.get_running_loop()

        def put(block: bytes) -> None:
            if arrived.full():
                self.lost_seconds += len(block) / (2 * self.rate)
            else:
                arrived.put_nowait(block)

        def picked_up(block: Any, frames: int, time: Any, status: Any) -> None:
            loop.call_soon_threadsafe(put, bytes(block))

        with self._open(picked_up):
            async for data in until_stopped(arrived, self.stop):
                samples = data if resampler is None else resampler.push(data)
                if samples:
                    yield samples

    def _open(self, callback: Any) -> Any:
        try:
            return self.library.RawInputStream(
                samplerate=self.rate,
                blocksize=int(self.rate * BLOCK_SECONDS),
                device=self.device,
                channels=1,
                dtype="int16",
                callback=callback,
            )
        except self.library.PortAudioError as error:
            raise MicrophoneUnavailable(str(error)) from error


def open_microphone(device: int | str | None = None, library: Any = None) -> Microphone:
    """Returns the microphone, ready to be listened to.

    Args:
        device: Which one; ``None`` for the system's default.
        library: The ``sounddevice`` module; ``None`` loads it.

    Raises:
        MicrophoneUnavailable: If the library, PortAudio or the device is missing.
    """
    library = library or _load()
    try:
        found = library.query_devices(device, "input")
        rate = SAMPLE_RATE
        try:
            library.check_input_settings(device, channels=1, dtype="int16", samplerate=rate)
        except library.PortAudioError:
            # A device that does not resample: that is then done here.
            rate = int(found["default_samplerate"])
            library.check_input_settings(device, channels=1, dtype="int16", samplerate=rate)
    except (library.PortAudioError, ValueError) as error:
        raise MicrophoneUnavailable(f"{error}; plug one in, or name one with --device") from error
    return Microphone(library, device, rate)


def _load() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise MicrophoneUnavailable(
            "the library for it is missing; pip install 'scripta-client[mic]'"
        ) from error
    except OSError as error:
        raise MicrophoneUnavailable(
            "PortAudio is missing; install it (Debian and Ubuntu: apt install libportaudio2)"
        ) from error
