"""Turns the messages of one session into PCM, whatever they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final as Constant

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_gateway.audio.coded import CodedSource
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import SHARED_BUDGET, DecoderLimits, StreamBudget
from scripta_gateway.audio.raw import RawSource, SampleFormat
from scripta_gateway.audio.slices import slices_of
from scripta_gateway.audio.sniff import Kind, begins_file, half_a_magic, sniff
from scripta_gateway.audio.source import Source
from scripta_gateway.audio.wav import WavSource

_ENCODINGS: Constant = {
    "linear16": SampleFormat.S16,
    "mulaw": SampleFormat.MULAW,
    "alaw": SampleFormat.ALAW,
}


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
        budget: StreamBudget = SHARED_BUDGET,
    ) -> None:
        self._format = format
        self._limits = limits or DecoderLimits()
        self._budget = budget
        self._head = b""
        self._kept = b""
        self._broken = False
        self._source: Source | None = None
        if format.encoding is not None:
            self._source = self._raw(_ENCODINGS[format.encoding])

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held back: a new decoder would take up the stream just here."""
        if self._head or self._kept or self._broken:
            return False
        return self._source is None or self._source.at_rest

    async def feed(self, message: bytes) -> AsyncIterator[bytes]:
        """Yields the PCM that a message completes, in slices of at most ``SLICE_BYTES``.

        There may be no slice. Together they are at most ``DecoderLimits.seconds_per_message``.
        If the iteration is cancelled or not finished, the stream is given up and the next message
        is looked at afresh.

        Raises:
            AudioError: The message can not be decoded. The slices before it stand.
        """
        for pcm in slices_of(await self._fed(message)):
            yield pcm

    async def flush(self, *, end: bool = False) -> AsyncIterator[bytes]:
        """Yields the PCM that is still held back, at a pause or (``end``) for good.

        At a pause the stream may go on; at the end all that a file has left is decoded.

        Raises:
            AudioError: There is no audio in what came, or it was damaged.
        """
        for pcm in slices_of(await self._flushed(end=end)):
            yield pcm

    async def _fed(self, message: bytes) -> bytes:
        if self._broken:
            await self._drop()
        try:
            pcm = await self._feed(message)
        except AudioError:
            await self._drop()
            raise
        except BaseException:
            self._give_up()
            raise
        pcm, self._kept = self._kept + pcm, b""
        return pcm

    async def _flushed(self, *, end: bool) -> bytes:
        if self._broken:
            await self._drop()
        try:
            pcm = await self._flush(end)
        except AudioError:
            await self._drop()
            raise
        except BaseException:
            self._give_up()
            raise
        pcm, self._kept = self._kept + pcm, b""
        return pcm

    async def close(self) -> None:
        """Frees threads and memory, also if a call was cancelled; may be called again."""
        self._head = self._kept = b""
        await self._drop()

    async def _feed(self, message: bytes) -> bytes:
        pcm: list[bytes] = []
        seconds = self._limits.seconds_per_message
        if self._format.encoding is None:
            message, self._head = self._head + message, b""
            await self._end_for_new_file(message)
        while message:
            if self._source is None:
                kind = sniff(message)
                if kind is None:
                    self._head = message
                    break
                self._source = self._open(kind)
            piece, rest = await self._source.feed(message)
            pcm.append(piece)
            if len(pcm) > 1 and sum(map(len, pcm)) > seconds * SAMPLE_RATE * BYTES_PER_SAMPLE:
                raise AudioError(f"it is more than {seconds:.0f} seconds long")
            if rest is None:
                break
            await self._drop()
            whole = rest if len(rest) == len(message) else b""
            message = whole or self._next_file(rest)
        return b"".join(pcm)

    async def _end_for_new_file(self, message: bytes) -> None:
        """Ends the stream at hand, if the message begins a file; keeps what it held back."""
        if self._source is None or begins_file(message) is None or self._source.expects(message):
            return
        with suppress(AudioError):
            self._kept += await self._source.flush(end=True)
        await self._drop()

    def _next_file(self, rest: bytes) -> bytes:
        """Returns what follows a file in the same message if it begins another one.

        Anything else there is padding or a tag, not audio.
        """
        if begins_file(rest) is not None:
            return rest
        return rest if half_a_magic(rest) and rest[:1] > b"\0" else b""

    async def _flush(self, end: bool) -> bytes:
        if self._head and (end or not half_a_magic(self._head)):
            head, self._head = self._head, b""
            self._source = self._open(Kind.RAW)
            piece, _ = await self._source.feed(head)
            return piece + await self._source.flush(end=end)
        if self._source is None:
            return b""
        pcm = await self._source.flush(end=end)
        if end and self._format.encoding is None:
            await self._drop()
        return pcm

    def _open(self, kind: Kind) -> Source:
        if kind is Kind.RAW:
            return self._raw(SampleFormat.S16)
        if kind is Kind.WAV:
            return WavSource(self._limits, lambda: self._coded(Kind.WAV))
        return self._coded(kind)

    def _raw(self, form: SampleFormat) -> RawSource:
        return RawSource(form, self._format.sample_rate, self._format.channels, self._limits)

    def _coded(self, kind: Kind) -> CodedSource:
        return CodedSource(kind, self._limits, self._budget)

    def _give_up(self) -> None:
        self._broken = True
        if self._source is not None:
            self._source.abort()

    async def _drop(self) -> None:
        """Closes the stream at hand; raw audio by the client's word starts anew."""
        source = self._source
        if source is not None:
            await source.close()
        self._broken = False
        self._source = None
        if self._format.encoding is not None:
            self._source = self._raw(_ENCODINGS[self._format.encoding])
