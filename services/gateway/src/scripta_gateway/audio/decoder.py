"""Turns the messages of one session into PCM, whatever they hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final as Constant

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.coded import CodedSource
from scripta_gateway.audio.errors import AudioError, too_long
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.processes import SHARED_PROCESSES, DecoderProcesses
from scripta_gateway.audio.raw import RawSource, SampleFormat
from scripta_gateway.audio.sniff import Kind, begins_file, half_a_magic, sniff
from scripta_gateway.audio.source import Source
from scripta_gateway.audio.wav import WavSource
from scripta_gateway.bounds import MAX_COMPRESSED_FILES_A_MESSAGE, MAX_FILES_A_MESSAGE

_ENCODINGS: Constant = {
    "linear16": SampleFormat.S16,
    "mulaw": SampleFormat.MULAW,
    "alaw": SampleFormat.ALAW,
}

_HEAD_BYTES: Constant = 2048
"""What is looked at to recognise a file: more than any frame of MP3 is long."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a client says about its audio; validated where it is read.

    Attributes:
        encoding: ``linear16``, ``mulaw`` or ``alaw``: all bytes are raw. ``None``: files are
            recognised, anything else is linear16.
        sample_rate: Of raw audio, in Hz.
        channels: Of raw audio, interleaved.
    """

    encoding: str | None = None
    sample_rate: int = SAMPLE_RATE
    channels: int = 1


class AudioDecoder:
    """Decodes one session's messages, in order, to mono s16le at 16 kHz.

    Calls must not overlap. A decoder belongs to one event loop.
    """

    def __init__(
        self,
        format: AudioFormat,
        *,
        limits: DecoderLimits | None = None,
        budget: StreamBudget | None = None,
        processes: DecoderProcesses = SHARED_PROCESSES,
    ) -> None:
        self._format = format
        self._limits = limits or DecoderLimits()
        self._budget = budget or StreamBudget()
        self._processes = processes
        self._head = b""
        self._unfinished = False
        self._files = _Files()
        self._source: Source | None = None
        if format.encoding is not None:
            self._source = self._raw(_ENCODINGS[format.encoding])

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held back: a new decoder would take up the stream just here."""
        if self._head or self._unfinished:
            return False
        return self._source is None or self._source.at_rest

    async def feed(self, message: bytes) -> AsyncIterator[bytes]:
        """Yields the PCM that a message completes, in slices of at most ``SLICE_BYTES``.

        There may be no slice. Together they are at most ``DecoderLimits.seconds_per_message``.
        The next one is decoded when it is asked for. If the iteration is cancelled or not
        finished, the stream is given up and the next message is looked at afresh.

        Raises:
            AudioError: The message can not be decoded. The slices before it stand.
        """
        async for pcm in self._bounded(self._fed(message)):
            yield pcm

    async def flush(self, *, end: bool = False) -> AsyncIterator[bytes]:
        """Yields the PCM that is still held back, at a pause or (``end``) for good.

        At a pause the stream may go on; at the end all that a file has left is decoded.

        Raises:
            AudioError: There is no audio in what came, or it was damaged.
        """
        async for pcm in self._bounded(self._flushed(end)):
            yield pcm

    async def close(self) -> None:
        """Ends processes and frees memory, also if a call was cancelled; may be called again."""
        self._head = b""
        await self._drop()

    async def _bounded(self, slices: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yields slices while they are not too many; knows when somebody stops asking for them."""
        if self._unfinished:
            await self._drop()
        self._unfinished = True
        seconds, given = self._limits.seconds_per_message, 0
        try:
            async for pcm in slices:
                given += len(pcm)
                if given > seconds * SAMPLE_RATE * BYTES_PER_SAMPLE:
                    raise too_long(seconds)
                yield pcm
        except AudioError:
            await self._drop()
            raise
        self._unfinished = False

    async def _fed(self, message: bytes) -> AsyncIterator[bytes]:
        if self._format.encoding is None:
            if self._head:
                message, self._head = self._head + message, b""
            async for pcm in self._end_for_new_file(message[:_HEAD_BYTES]):
                yield pcm
        data, self._files = memoryview(message), _Files()
        while data:
            if self._source is None:
                kind = sniff(bytes(data[:_HEAD_BYTES]))
                if kind is None:
                    self._head = bytes(data)
                    return
                self._files.add()
                self._source = self._open(kind)
            async for pcm in self._source.feed(data):
                yield pcm
            consumed = self._source.consumed
            if consumed is None:
                return
            await self._drop(unfinished=True)
            data = data[consumed:]
            if consumed and not _begins_next_file(bytes(data[:_HEAD_BYTES])):
                return  # padding or a tag, not audio
            await asyncio.sleep(0)  # others have their turn between files, however short

    async def _end_for_new_file(self, head: bytes) -> AsyncIterator[bytes]:
        """Ends the stream at hand, if the message begins a file; yields what it held back."""
        if self._source is None or begins_file(head) is None or self._source.expects(head):
            return
        with suppress(AudioError):
            async for pcm in self._source.flush(end=True):
                yield pcm
        await self._drop(unfinished=True)

    async def _flushed(self, end: bool) -> AsyncIterator[bytes]:
        if self._head and (end or not half_a_magic(self._head)):
            head, self._head = self._head, b""
            self._source = self._open(Kind.RAW)
            async for pcm in self._source.feed(memoryview(head)):
                yield pcm
        elif self._source is None:
            return
        async for pcm in self._source.flush(end=end):
            yield pcm
        if end and self._format.encoding is None:
            await self._drop(unfinished=True)

    def _open(self, kind: Kind) -> Source:
        if kind is Kind.RAW:
            return self._raw(SampleFormat.S16)
        if kind is Kind.WAV:
            return WavSource(self._limits, lambda: self._coded(Kind.WAV))
        return self._coded(kind)

    def _raw(self, form: SampleFormat) -> RawSource:
        return RawSource(form, self._format.sample_rate, self._format.channels, self._limits)

    def _coded(self, kind: Kind) -> CodedSource:
        self._files.add(compressed=True)
        return CodedSource(kind, self._limits, self._budget, self._processes)

    async def _drop(self, *, unfinished: bool = False) -> None:
        """Closes the stream at hand; raw audio by the client's word starts anew."""
        source, self._source = self._source, None
        self._unfinished = unfinished
        if self._format.encoding is not None:
            self._source = self._raw(_ENCODINGS[self._format.encoding])
        if source is not None:
            await source.close()


class _Files:
    """Counts the files of a message."""

    def __init__(self) -> None:
        self._files = 0
        self._compressed = 0

    def add(self, *, compressed: bool = False) -> None:
        """Counts one more, or that the last one is compressed.

        Raises:
            AudioError: They are too many.
        """
        if compressed:
            self._compressed += 1
        else:
            self._files += 1
        if self._files > MAX_FILES_A_MESSAGE or self._compressed > MAX_COMPRESSED_FILES_A_MESSAGE:
            raise AudioError(
                f"it holds too many files (at most {MAX_FILES_A_MESSAGE}, "
                f"{MAX_COMPRESSED_FILES_A_MESSAGE} of them compressed); send fewer in a message"
            )


def _begins_next_file(head: bytes) -> bool:
    """Whether what lies behind a file in the same message is, or may be, another one."""
    return begins_file(head) is not None or (half_a_magic(head) and head[:1] > b"\0")
