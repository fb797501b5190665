"""Turns the messages of one session into PCM, whatever they hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final as Constant

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_gateway.audio.aiff import AiffHeaderReader
from scripta_gateway.audio.au import AuHeaderReader
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.coded import CodedSource
from scripta_gateway.audio.doubt import Doubt, Doubts
from scripta_gateway.audio.errors import (
    AudioError,
    FileBefore,
    MessageRefused,
    too_long,
    unknown_file,
)
from scripta_gateway.audio.filecount import FileCount
from scripta_gateway.audio.foreign import Foreign, interrupts_raw
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.pcmfile import HeaderReader, PcmFileSource
from scripta_gateway.audio.processes import SHARED_PROCESSES, DecoderProcesses
from scripta_gateway.audio.raw import RawSource, SampleFormat
from scripta_gateway.audio.sniff import (
    HEAD_BYTES,
    Kind,
    begins_file,
    half_a_magic,
    joined,
    may_go_on,
    sniff,
)
from scripta_gateway.audio.source import Source
from scripta_gateway.audio.voices import refit
from scripta_gateway.audio.wav import WavHeaderReader
from scripta_gateway.audio.wave64 import Wave64HeaderReader

_ENCODINGS: Constant = {
    "linear16": SampleFormat.S16,
    "linear32": SampleFormat.F32,
    "mulaw": SampleFormat.MULAW,
    "alaw": SampleFormat.ALAW,
}

_HEADERS: Constant[dict[Kind, Callable[[], HeaderReader]]] = {
    Kind.WAV: WavHeaderReader,
    Kind.AIFF: AiffHeaderReader,
    Kind.AU: AuHeaderReader,
    Kind.WAVE64: Wave64HeaderReader,
}
"""What reads the headers of files that hold plain samples."""

_GROWN: Constant = 1.25
"""Factor by which a head has grown when it is looked at again: each look costs its length."""
_AFTERWARDS: Constant = "; go on with the start of a file, or on a new connection"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a client says about its audio; validated where it is read.

    Attributes:
        encoding: ``linear16``, ``linear32`` (floats), ``mulaw`` or ``alaw``: all bytes are raw.
            ``None``: files are recognised, anything else is linear16.
        sample_rate: Of raw audio, in Hz.
        channels: Of raw audio, interleaved.
        separate: Whether channels are kept apart, and not mixed.
        files_only: Whether what is not recognised is refused, and not taken for linear16.
    """

    encoding: str | None = None
    sample_rate: int = SAMPLE_RATE
    channels: int = 1
    separate: bool = False
    files_only: bool = False

    @property
    def voices(self) -> int:
        """Voices that are kept apart, as far as that is known before any audio."""
        return self.channels if self.separate and self.encoding is not None else 1

    @property
    def bytes_a_second(self) -> int:
        """Bytes of a second of raw audio."""
        width = {"mulaw": 1, "alaw": 1, "linear32": 4}.get(self.encoding or "", BYTES_PER_SAMPLE)
        return width * self.channels * self.sample_rate


class AudioDecoder:
    """Decodes one client's messages, in order, to s16le at 16 kHz.

    It is mono, unless channels are kept apart: then the samples of all voices are interleaved.

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
        # What is not recognised yet, and how long it was when it was looked at last.
        self._voices: int | None = None
        self._head, self._looked_at = b"", 0
        self._unfinished = False
        self._files = FileCount()
        self._source: Source | None = None
        # What the stream at hand, or the last one, is.
        self._kind: Kind | None = None
        # Why the last stream broke off: what comes next may still be its bytes.
        self._broken: AudioError | None = None
        self._doubts = Doubts()
        # What was wrong with the file that the message at hand has ended.
        self._complaint: FileBefore | None = None
        if format.encoding is not None:
            self._source = self._raw(_ENCODINGS[format.encoding])

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held back: a new decoder would take up the stream just here."""
        if self._head or self._unfinished:
            return False
        return self._source is None or self._source.at_rest

    @property
    def between_files(self) -> bool:
        """Whether the last message ended a file, so that nothing of it can follow."""
        return self._source is None and not self._head

    def take_doubt(self) -> Doubt | None:
        """Returns what undeclared raw audio looks like if not like samples; once."""
        found, self._doubts.found = self._doubts.found, None
        return found

    @property
    def voices(self) -> int:
        """Channels of the PCM; fixed once there is any."""
        return self._voices or 1

    async def feed(self, message: bytes) -> AsyncIterator[bytes]:
        """Yields the PCM that a message completes, in slices of at most ``SLICE_BYTES``.

        There may be no slice. Together they are at most ``DecoderLimits.seconds_per_message``.
        The next one is decoded when it is asked for. If the iteration is cancelled or not
        finished, the stream is given up and the next message is looked at afresh.

        Raises:
            AudioError: The message can not be decoded. The slices before it stand. After a fault
                in a file or stream whatever may be its rest is refused, too.
        """
        async for pcm in self._bounded(self._fed(message)):
            yield pcm

    async def flush(self, *, end: bool = False) -> AsyncIterator[bytes]:
        """Yields the PCM that is still held back, at a pause or (``end``) for good.

        At a pause the stream may go on; at the end all that a file has left is decoded.

        Raises:
            AudioError: There is no audio in what came, or it was damaged.
        """
        try:
            async for pcm in self._bounded(self._flushed(end)):
                yield pcm
        finally:
            if end:
                self._broken = None

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
                if self._format.separate:
                    pcm = self._apart(pcm)
                given += len(pcm) // self.voices
                if given > seconds * SAMPLE_RATE * BYTES_PER_SAMPLE:
                    raise too_long(seconds)
                yield pcm
        except MessageRefused:
            self._unfinished = False
            raise
        except AudioError as error:
            if self._format.encoding is None and self._kind is not Kind.RAW:
                self._broken = error
            self._head, self._complaint = b"", None
            await self._drop()
            raise
        self._unfinished = False
        if self._complaint is not None:
            complaint, self._complaint = self._complaint, None
            raise complaint

    async def _fed(self, message: bytes) -> AsyncIterator[bytes]:
        if self._format.encoding is None:
            if self._head:
                message, self._head = self._head + message, b""
                if len(message) < _GROWN * self._looked_at:
                    self._head = message
                    return
            self._check(message)
            async for pcm in self._end_for_new_file(message[:HEAD_BYTES]):
                yield pcm
        data, self._files = memoryview(message), FileCount()
        while data:
            source = self._source or self._begin(bytes(data[:HEAD_BYTES]))
            if source is None:
                self._head, self._looked_at = bytes(data), len(data)
                return
            if self._kind is Kind.RAW:
                self._doubts.take(data)
            async for pcm in source.feed(data):
                yield pcm
            consumed = source.consumed
            if consumed is None:
                return
            await self._drop(unfinished=True)
            data = data[consumed:]
            if consumed and not _begins_next_file(bytes(data[:HEAD_BYTES])):
                return  # padding or a tag, not audio
            await asyncio.sleep(0)  # others have their turn between files, however short

    def _apart(self, pcm: bytes) -> bytes:
        """Returns PCM with the number of voices that the first had."""
        voices = self._source.voices if self._source is not None else self.voices
        if self._voices is None:
            self._voices = voices
        return refit(pcm, voices, self._voices)

    def _check(self, message: bytes) -> None:
        """Refuses what can not follow what came before.

        Raises:
            AudioError: Why.
        """
        if self._broken is not None:
            if sniff(message[:HEAD_BYTES]) in (None, Kind.RAW):
                raise MessageRefused(f"{self._broken}{_AFTERWARDS}")
            self._broken = None
        if isinstance(self._source, RawSource) and (foreign := interrupts_raw(message)) is not None:
            self._refuse(foreign)

    def _refuse(self, foreign: Foreign) -> None:
        """Refuses a message that is not heard, and what may be more of it."""
        error = foreign.error()
        if foreign.is_whole:
            raise MessageRefused(str(error))
        self._kind = None
        raise error

    def _begin(self, head: bytes) -> Source | None:
        """Opens and returns what the bytes begin; ``None`` if that is not certain yet.

        Raises:
            AudioError: It is not heard.
        """
        kind = sniff(head)
        if isinstance(kind, Foreign):
            self._refuse(kind)
        elif kind is Kind.RAW and self._format.files_only:
            # Few bytes may yet turn out to be the middle of a stream, since they are no samples.
            if len(head) >= HEAD_BYTES:
                raise unknown_file()
        elif kind is not None:
            self._kind = kind
            self._files.add()
            self._source = self._open(kind)
        return self._source

    async def _end_for_new_file(self, head: bytes) -> AsyncIterator[bytes]:
        """Ends the stream at hand, if the message begins a file; yields what it held back."""
        if self._source is None or begins_file(head) is None or self._source.expects(head):
            return
        try:
            async for pcm in self._source.flush(end=True):
                yield pcm
        except AudioError as error:
            self._complaint = FileBefore(f"in the file before this one, {error}")
        await self._drop(unfinished=True)

    async def _flushed(self, end: bool) -> AsyncIterator[bytes]:
        head, self._head = self._head, b""
        if head and self._begin(head[:HEAD_BYTES]) is None:
            if not end and (self._format.files_only or may_go_on(head)):
                self._head, self._looked_at = head, len(head)
                return
            if self._format.files_only:
                if self._kind is None:
                    raise unknown_file()
                return  # padding or a tag behind a file, not audio
            self._kind, self._source = Kind.RAW, self._open(Kind.RAW)
        if self._source is None:
            return
        if head:
            async for pcm in self._source.feed(memoryview(head)):
                yield pcm
        self._doubts.pause()
        async for pcm in self._source.flush(end=end):
            yield pcm
        if end and self._format.encoding is None:
            await self._drop(unfinished=True)

    def _open(self, kind: Kind) -> Source:
        if kind is Kind.RAW:
            return self._raw(SampleFormat.S16)
        if (reader := _HEADERS.get(kind)) is not None:
            return PcmFileSource(
                kind,
                reader(),
                self._limits,
                lambda: self._coded(kind),
                separate=self._format.separate,
            )
        return self._coded(kind)

    def _raw(self, form: SampleFormat) -> RawSource:
        return RawSource(
            form,
            self._format.sample_rate,
            self._format.channels,
            self._limits,
            separate=self._format.separate,
        )

    def _coded(self, kind: Kind) -> CodedSource:
        self._files.add(compressed=True)
        return CodedSource(
            kind, self._limits, self._budget, self._processes, separate=self._format.separate
        )

    async def _drop(self, *, unfinished: bool = False) -> None:
        """Closes the stream at hand; raw audio by the client's word starts anew."""
        source, self._source = self._source, None
        self._unfinished = unfinished
        if self._format.encoding is not None:
            self._source = self._raw(_ENCODINGS[self._format.encoding])
        if source is not None:
            await source.close()


def _begins_next_file(head: bytes) -> bool:
    """Whether what lies behind a file in the same message is, or may be, another one.

    That is also the middle of a stream.
    """
    begins = begins_file(head) is not None or (half_a_magic(head) and head[:1] > b"\0")
    return begins or joined(head) is not None
