"""WAV: a header, then samples. Read here and not by a demuxer so that no sample is held back."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.layouts import check_layout
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.raw import RawSource, SampleFormat
from scripta_gateway.audio.source import Source

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_FORMATS: Constant = {
    (_PCM, 8): SampleFormat.U8,
    (_PCM, 16): SampleFormat.S16,
    (_PCM, 24): SampleFormat.S24,
    (_PCM, 32): SampleFormat.S32,
    (_FLOAT, 32): SampleFormat.F32,
    (_FLOAT, 64): SampleFormat.F64,
    (_ALAW, 8): SampleFormat.ALAW,
    (_MULAW, 8): SampleFormat.MULAW,
}
_OPEN_END: Constant = 0x7FFF0000
_FORM_BYTES, _CHUNK_HEAD = 12, 8
_FORMAT_BYTES: Constant = range(16, 4097)
_MAX_HEAD: Constant = 16 * 1024 * 1024
"""Pictures and the like may come before the samples; they are stepped over, not kept."""
_MAX_CHUNKS: Constant = 1000
_MAX_TRAILER: Constant = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What precedes the samples.

    Attributes:
        form: How samples are written; ``None`` for a compressed format.
        sample_rate: In Hz.
        channels: How many are interleaved.
        data_bytes: Size of the samples; ``None`` if the writer did not know it (a live stream).
        trailer_bytes: Size of what follows the samples.
    """

    form: SampleFormat | None
    sample_rate: int
    channels: int
    data_bytes: int | None
    trailer_bytes: int


_Layout = tuple[SampleFormat | None, int, int]
"""How samples are written (``None``: compressed), their rate, and their channels."""


class WavHeaderReader:
    """Reads a header as it comes, every byte once.

    Attributes:
        head: What a decoder of compressed samples has to see of it.
    """

    def __init__(self) -> None:
        self.head = b""
        self._held = bytearray()
        self._wanted = _FORM_BYTES
        self._skip = 0
        self._passed = 0
        self._chunks = 0
        self._layout: _Layout | None = None

    def take(self, data: memoryview) -> tuple[WavHeader | None, int]:
        """Returns the header, once it is complete, and how many of the bytes belong to it.

        Raises:
            AudioError: The header makes no sense.
        """
        at = 0
        while at < len(data):
            step = min(self._skip, len(data) - at)
            self._skip -= step
            part = data[at + step : at + step + self._wanted - len(self._held)]
            self._held += part
            at += step + len(part)
            if len(self._held) == self._wanted and (header := self._parse(bytes(self._held))):
                return header, at
        return None, at

    def _parse(self, held: bytes) -> WavHeader | None:
        """Understands the file's first bytes, a chunk's head, or the format with its head."""
        if not self.head:
            self._go_on(held, 0)
            return None
        name, size = held[:4], int.from_bytes(held[4:8], "little")
        padded = size + (size & 1)
        if name == b"data":
            if self._layout is None:
                raise AudioError("the wav header does not say what the samples are")
            header = _header(self.head, self._layout, self._passed + _CHUNK_HEAD, size)
            self.head += held
            return header
        if name != b"fmt ":
            self._go_on(b"", _CHUNK_HEAD + padded)
            self._skip = padded
        elif len(held) > _CHUNK_HEAD:
            self._layout = _layout(held[_CHUNK_HEAD:])
            self._go_on(held, 0)
        elif size in _FORMAT_BYTES:
            self._wanted = _CHUNK_HEAD + padded
        else:
            raise AudioError("the wav header is damaged")
        return None

    def _go_on(self, held: bytes, passed: int) -> None:
        self.head += held
        self._passed += len(held) + passed
        self._held.clear()
        self._wanted = _CHUNK_HEAD
        self._chunks += 1
        if self._passed > _MAX_HEAD or self._chunks > _MAX_CHUNKS:
            raise AudioError("the wav header is damaged")


def _layout(fmt: bytes) -> _Layout:
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = int.from_bytes(fmt[24:26], "little")
    check_layout(channels, rate, "wav")
    form = _FORMATS.get((tag, bits))
    if form is None and tag in (_PCM, _FLOAT, _EXTENSIBLE):
        raise AudioError(f"wav with {bits} bits a sample is not supported")
    return form, rate, channels


def _header(form: bytes, layout: _Layout, at: int, size: int) -> WavHeader:
    riff = int.from_bytes(form[4:8], "little")
    known = 0 < size < _OPEN_END or (size == 0 and at - 8 < riff < _OPEN_END)
    after = riff + 8 - at - size
    trailer = after if known and riff < _OPEN_END and 0 < after < _MAX_TRAILER else size & 1
    return WavHeader(*layout, size if known else None, trailer)


class WavSource:
    """A WAV file or stream.

    ``open_other`` makes the source that decodes compressed formats inside WAV.
    """

    def __init__(self, limits: DecoderLimits, open_other: Callable[[], Source]) -> None:
        self.consumed: int | None = None
        self._limits = limits
        self._open_other = open_other
        self._reader = WavHeaderReader()
        self._inner: Source | None = None
        self._data_left: int | None = None
        self._trailer_left = 0
        self._any_pcm = False

    @property
    def at_rest(self) -> bool:
        """Never: the middle of a file means nothing without its start."""
        return False

    async def feed(self, data: memoryview) -> AsyncIterator[bytes]:
        """Yields the PCM that these bytes complete; ends where the header says."""
        self.consumed = None
        at = 0
        if self._inner is None:
            header, at = self._reader.take(data)
            if header is None:
                return
            self._inner = self._begin(header)
            if header.form is None:
                async for pcm in self._feed_inner(self._inner, memoryview(self._reader.head)):
                    yield pcm
        body = data[at:] if self._data_left is None else data[at : at + self._data_left]
        if body:
            async for pcm in self._feed_inner(self._inner, body):
                yield pcm
        if self._data_left is None:
            return
        self._data_left -= len(body)
        if self._data_left:
            return
        at += len(body)
        over = min(self._trailer_left, len(data) - at)
        self._trailer_left -= over
        if not self._trailer_left:
            async for pcm in self.flush(end=True):
                yield pcm
            self.consumed = at + over

    async def flush(self, *, end: bool) -> AsyncIterator[bytes]:
        """Yields what is held back; an ended file without a sample is an error."""
        if self._inner is not None:
            async for pcm in self._inner.flush(end=end):
                self._any_pcm = True
                yield pcm
        if end and not self._any_pcm:
            raise AudioError("the wav data holds no audio")

    def expects(self, head: bytes) -> bool:
        """Whether a message that looks like a new file is not one: never."""
        return False

    async def close(self) -> None:
        """Frees what the inner source has."""
        if self._inner is not None:
            await self._inner.close()

    def _begin(self, header: WavHeader) -> Source:
        self._data_left, self._trailer_left = header.data_bytes, header.trailer_bytes
        if header.form is None:
            return self._open_other()
        return RawSource(header.form, header.sample_rate, header.channels, self._limits)

    async def _feed_inner(self, inner: Source, data: memoryview) -> AsyncIterator[bytes]:
        async for pcm in inner.feed(data):
            self._any_pcm = True
            yield pcm
