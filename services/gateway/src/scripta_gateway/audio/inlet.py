"""The handshake between the event loop and a decoding thread, and the thread's end of it.

The loop sends a command (bytes, flush, end, abort); the thread works until it needs more bytes
and then answers with the PCM so far. Each command has exactly one answer, so the thread runs
only while a caller waits. Nothing polls.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum
from queue import SimpleQueue
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.frames import PcmSink
from scripta_gateway.audio.limits import DecoderLimits, StreamBudget

logger = logging.getLogger(__name__)

_HEADERS_PART: Constant = 64
"""Headers alone are at most this part of what a stream may bring without any audio."""


class Signal(Enum):
    """Commands without bytes."""

    FLUSH = "flush"
    END = "end"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to a command.

    Attributes:
        pcm: What was decoded since the last answer.
        ended: The thread takes no more commands.
        error: Why it ended, if not well.
        at_rest: Whether the bytes so far ended on a boundary where the stream may be over.
    """

    pcm: bytes
    ended: bool = False
    error: AudioError | None = None
    at_rest: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A command and the future that its answer goes to."""

    command: bytes | Signal
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Report]

    def reply(self, report: Report) -> None:
        """Answers from the thread; a loop that is gone, or no longer waits, is no matter."""
        try:
            self.loop.call_soon_threadsafe(self._resolve, report)
        except RuntimeError:
            logger.debug("audio reply without a loop")

    def _resolve(self, report: Report) -> None:
        if not self.answer.done():
            self.answer.set_result(report)


class Aborted(Exception):
    """Unwinds the decoder of a stream that was given up."""


class Inlet:
    """The thread's end: a blocking file of the bytes that have come and are still to come.

    Attributes:
        sink: Takes the frames.
        limits: The decoder's bounds.
        budget: The process's bounds.
        ended: Whether no more bytes will come.
        at_rest: Set by the pump: whether the stream may be over here.
        excused: Set by the pump: fruitless bytes are not counted for now.
        fruitless_limit: Bytes without any audio after which the stream is refused.
        aborted: Set by the loop: the stream was given up.
        requests: What the loop asks for; one at a time, but for ``ABORT``.
    """

    def __init__(self, name: str, limits: DecoderLimits, budget: StreamBudget) -> None:
        self.name = name
        self.sink = PcmSink(limits.seconds_per_message)
        self.limits = limits
        self.budget = budget
        self.ended = False
        self.at_rest = False
        self.excused = False
        self.fruitless_limit = limits.fruitless_bytes
        self.aborted = False
        self.requests: SimpleQueue[Request] = SimpleQueue()
        self._request: Request | None = None
        self._data = memoryview(b"")
        self._fruitless = 0
        self._frames_seen = 0

    def read(self, size: int) -> bytes:
        """Returns up to ``size`` bytes, waiting for at least one; none at the end.

        Raises:
            Aborted: The stream was given up.
            AudioError: It went on too long without any audio.
        """
        self.check()
        while not self._data and not self.ended:
            self._next_command()
        part = bytes(self._data[:size])
        self._data = self._data[size:]
        self._count(len(part))
        return part

    @property
    def pending(self) -> bool:
        """Whether a read would find bytes without waiting."""
        return bool(self._data)

    def check(self) -> None:
        """Raises ``Aborted`` if the stream was given up."""
        if self.aborted:
            raise Aborted

    def answer(self, report: Report) -> None:
        """Answers the command at hand, if one is."""
        if self._request is not None:
            self._request.reply(report)
            self._request = None

    def _next_command(self) -> None:
        """Answers that more bytes are needed and waits for what the loop says."""
        if self._request is not None:
            self.answer(Report(self.sink.take(), at_rest=self.at_rest))
        self._request = self.requests.get()
        match self._request.command:
            case bytes() as data:
                self._data = memoryview(data)
            case Signal.FLUSH:
                self._flush()
            case Signal.END:
                self.ended = True
            case Signal.ABORT:
                raise Aborted

    def _flush(self) -> None:
        self.sink.flush()
        hopeless = not self.sink.frames and not self.excused
        if hopeless and self._fruitless >= self.fruitless_limit // _HEADERS_PART:
            raise AudioError(f"no audio was found in the {self.name} data")

    def _count(self, size: int) -> None:
        if self.sink.frames != self._frames_seen:
            self._frames_seen, self._fruitless = self.sink.frames, 0
        self._fruitless += 0 if self.excused else size
        if self._fruitless > self.fruitless_limit:
            raise AudioError(f"no audio was found in the {self.name} data")
