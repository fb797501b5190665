"""Audio that comes when it comes: a pipe such as standard input."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass

from scripta_client.errors import BadAudioFile
from scripta_client.intake import Input, take_in
from scripta_client.wire import DECODED, SNIFFED, AudioFormat

NAME = "standard input"
WAITING_PIECES = 300
"""Pieces that may wait for the server: half a minute of tenths of a second."""

Arrived = asyncio.Queue[bytes | BadAudioFile]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Audio as it arrives; made by ``open_pipe``.

    Attributes:
        format: How it is encoded.
        arrived: What has arrived.
        stop: Ends the stream before the input does.
    """

    format: AudioFormat
    arrived: Arrived
    stop: asyncio.Event

    @property
    def duration(self) -> float | None:
        """Always ``None``: nobody knows."""
        return None

    def seconds(self, sent: int) -> float | None:
        """Returns the time that so many bytes take; ``None`` if they may be compressed."""
        return None if self.format.encoding is None else sent / self.format.bytes_per_second

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields what is there as soon as it is there.

        Raises:
            BadAudioFile: If the input can not be read.
        """
        async for data in until_stopped(self.arrived, self.stop):
            yield data


async def open_pipe(
    descriptor: int,
    *,
    raw: AudioFormat = SNIFFED,
    as_is: bool = False,
    stop: asyncio.Event | None = None,
) -> Pipe:
    """Returns the audio of a file descriptor, once enough has arrived to tell what it is.

    Args:
        descriptor: What is read.
        raw: How it is encoded if it is raw samples.
        as_is: Whether to leave all decoding to the gateway.
        stop: Ends the stream before the input does.

    Raises:
        BadAudioFile: If it can not be read.
    """
    arrived: Arrived = asyncio.Queue(maxsize=WAITING_PIECES)
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    known: asyncio.Future[AudioFormat] = loop.create_future()
    reader = _Reader(Input(descriptor), raw, as_is, known, arrived, loop)
    # A thread of our own, and a daemon: a read that never returns must not hold up the end of
    # the program, as one on the loop's executor would.
    threading.Thread(target=reader.run, daemon=True).start()
    stopped = asyncio.create_task(stop.wait(), name="scripta-stop")
    stopped.add_done_callback(lambda _: known.cancel())
    try:
        await asyncio.wait([known])
    finally:
        stopped.cancel()
    return Pipe(DECODED if known.cancelled() else known.result(), arrived, stop)


async def until_stopped(arrived: Arrived, stop: asyncio.Event) -> AsyncIterator[bytes]:
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


@dataclass(frozen=True, slots=True)
class _Reader:
    """Moves what can be read into a queue, on a thread that waits for room there."""

    input: Input
    raw: AudioFormat
    as_is: bool
    known: asyncio.Future[AudioFormat]
    arrived: Arrived
    loop: asyncio.AbstractEventLoop

    def run(self) -> None:
        """Says what the audio is, then passes it on; an empty piece is the last."""
        # The loop is closed, or cancels the put, when the program is over before its input is.
        with suppress(RuntimeError, CancelledError):
            try:
                self._pass_on()
                self._put(b"")
            except OSError as error:
                self._put(BadAudioFile(NAME, error.strerror or str(error)))
            except BadAudioFile as error:
                self._put(error)
            finally:
                self.loop.call_soon_threadsafe(self._say, DECODED)

    def _pass_on(self) -> None:
        intake = take_in(self.input, NAME, self.raw, as_is=self.as_is)
        self.loop.call_soon_threadsafe(self._say, intake.format)
        for piece in intake.pieces:
            self._put(piece)

    def _say(self, format: AudioFormat) -> None:
        if not self.known.done():
            self.known.set_result(format)

    def _put(self, piece: bytes | BadAudioFile) -> None:
        putting = self.arrived.put(piece)
        try:
            asyncio.run_coroutine_threadsafe(putting, self.loop).result()
        except RuntimeError:
            putting.close()
            raise
