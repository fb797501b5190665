"""Audio that comes when it comes: a pipe such as standard input."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field

from scripta_client.errors import BadAudioFile
from scripta_client.sources import MESSAGE_BYTES, SNIFFED, AudioFormat


@dataclass(frozen=True, slots=True)
class Pipe:
    """A file descriptor, read as audio arrives.

    Attributes:
        descriptor: What is read.
        format: How its audio is encoded.
        stop: Ends the stream before the input does.
    """

    descriptor: int
    format: AudioFormat = SNIFFED
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def duration(self) -> float | None:
        """Always ``None``: nobody knows."""
        return None

    def seconds(self, sent: int) -> float | None:
        """Always ``None``: the input may be compressed."""
        return None

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields what is there as soon as it is there.

        Raises:
            BadAudioFile: If the descriptor can not be read.
        """
        arrived: asyncio.Queue[bytes | BadAudioFile] = asyncio.Queue(maxsize=4)
        loop = asyncio.get_running_loop()
        # A thread of our own, and a daemon: a read that never returns must not hold up the
        # end of the program, as one on the loop's executor would.
        threading.Thread(
            target=_read_into, args=(self.descriptor, arrived, loop), daemon=True
        ).start()
        async for data in until_stopped(arrived, self.stop):
            yield data


async def until_stopped(
    arrived: asyncio.Queue[bytes | BadAudioFile], stop: asyncio.Event
) -> AsyncIterator[bytes]:
    """Yields what arrives until an empty piece does; when stopped, what has arrived by then.

    Raises:
        BadAudioFile: One that arrives in place of audio.
    """
    stopped = asyncio.create_task(stop.wait(), name="scripta-stop")
    getting = asyncio.create_task(arrived.get(), name="scripta-input")
    try:
        while not stopped.done():
            await asyncio.wait({getting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                data = getting.result()
                if isinstance(data, BadAudioFile):
                    raise data
                if not data:
                    return
                getting = asyncio.create_task(arrived.get(), name="scripta-input")
                yield data
    finally:
        stopped.cancel()
        getting.cancel()
    for _ in range(arrived.qsize()):
        data = arrived.get_nowait()
        if isinstance(data, bytes) and data:
            yield data


def _read_into(
    descriptor: int, arrived: asyncio.Queue[bytes | BadAudioFile], loop: asyncio.AbstractEventLoop
) -> None:
    """Moves what can be read into the queue, waiting for room there; at the end an empty one."""
    data: bytes | BadAudioFile = b"begin"
    # The loop is closed, or cancels the put, when the program is over before its input is.
    with suppress(RuntimeError, CancelledError):
        while data and not isinstance(data, BadAudioFile):
            try:
                data = os.read(descriptor, MESSAGE_BYTES)
            except OSError as error:
                data = BadAudioFile("standard input", error.strerror or str(error))
            asyncio.run_coroutine_threadsafe(arrived.put(data), loop).result()
