"""WAV: a header, then samples. Read here and not by a demuxer so that no sample is held back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.raw import RawSource, SampleFormat
from scripta_gateway.audio.source import Progress, Source

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
_MAX_HEAD: Constant = 64 * 1024
_MAX_TRAILER: Constant = 16 * 1024 * 1024
_RATES: Constant = range(1000, 768_001)
_MAX_CHANNELS: Constant = 32


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What precedes the samples.

    Attributes:
        form: How samples are written; ``None`` for a compressed format.
        sample_rate: In Hz.
        channels: How many are interleaved.
        head_bytes: Where the samples begin.
        data_bytes: Size of the samples; ``None`` if the writer did not know it (a live stream).
        trailer_bytes: Size of what follows the samples.
    """

    form: SampleFormat | None
    sample_rate: int
    channels: int
    head_bytes: int
    data_bytes: int | None
    trailer_bytes: int


def read_wav_header(data: bytes | bytearray) -> WavHeader | None:
    """Returns the header, ``None`` if more bytes are needed.

    Raises:
        AudioError: The header makes no sense.
    """
    at, layout = 12, None
    while len(data) >= at + 8:
        name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            if layout is None:
                raise AudioError("the wav header does not say what the samples are")
            return _header(data, layout, at, size)
        if name == b"fmt ":
            if size < 16:
                raise AudioError("the wav header is damaged")
            if len(data) < at + min(size, 40):
                return None
            layout = _layout(data[at : at + min(size, 40)])
        at += size + (size & 1)
        if at > _MAX_HEAD:
            raise AudioError("the wav header is damaged")
    return None


def _layout(fmt: bytes | bytearray) -> tuple[SampleFormat | None, int, int]:
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = int.from_bytes(fmt[24:26], "little")
    if rate not in _RATES or not 1 <= channels <= _MAX_CHANNELS:
        raise AudioError(f"wav with {channels} channels at {rate} Hz is not supported")
    form = _FORMATS.get((tag, bits))
    if form is None and tag in (_PCM, _FLOAT, _EXTENSIBLE):
        raise AudioError(f"wav with {bits} bits a sample is not supported")
    return form, rate, channels


def _header(
    data: bytes | bytearray, layout: tuple[SampleFormat | None, int, int], at: int, size: int
) -> WavHeader:
    riff = int.from_bytes(data[4:8], "little")
    known = 0 < size < _OPEN_END or (size == 0 and at - 8 < riff < _OPEN_END)
    after = riff + 8 - at - size
    trailer = after if known and riff < _OPEN_END and 0 < after < _MAX_TRAILER else size & 1
    return WavHeader(*layout, at, size if known else None, trailer)


class WavSource:
    """A WAV file or stream.

    ``open_other`` makes the source that decodes compressed formats inside WAV.
    """

    def __init__(self, limits: DecoderLimits, open_other: Callable[[], Source]) -> None:
        self._limits = limits
        self._open_other = open_other
        self._head = bytearray()
        self._inner: Source | None = None
        self._data_left: int | None = None
        self._trailer_left = 0
        self._any_pcm = False

    @property
    def at_rest(self) -> bool:
        """Never: the middle of a file means nothing without its start."""
        return False

    async def feed(self, data: bytes) -> Progress:
        """Returns the PCM that these bytes complete; ends where the header says."""
        prefix = b""
        if self._inner is None:
            self._head += data
            header = read_wav_header(self._head)
            if header is None:
                return Progress(b"")
            prefix, data = (
                bytes(self._head[: header.head_bytes]),
                bytes(self._head[header.head_bytes :]),
            )
            self._head.clear()
            self._begin(header)
        return await self._feed_inner(prefix, data)

    async def _feed_inner(self, prefix: bytes, data: bytes) -> Progress:
        """Converts the part that is samples, steps over the trailer."""
        inner = self._inner
        if inner is None:
            raise RuntimeError("the header of a WAV was not read")
        if isinstance(inner, RawSource):
            prefix = b""
        if self._data_left is None:
            pcm, _ = await inner.feed(prefix + data)
            self._any_pcm |= bool(pcm)
            return Progress(pcm)
        body, behind = data[: self._data_left], data[self._data_left :]
        self._data_left -= len(body)
        pcm = (await inner.feed(prefix + body)).pcm if prefix or body else b""
        self._any_pcm |= bool(pcm)
        if self._data_left:
            return Progress(pcm)
        over, behind = behind[: self._trailer_left], behind[self._trailer_left :]
        self._trailer_left -= len(over)
        if self._trailer_left:
            return Progress(pcm)
        return Progress(pcm + await self.flush(end=True), behind)

    def _begin(self, header: WavHeader) -> None:
        self._data_left, self._trailer_left = header.data_bytes, header.trailer_bytes
        if header.form is None:
            self._inner = self._open_other()
        else:
            self._inner = RawSource(header.form, header.sample_rate, header.channels, self._limits)

    async def flush(self, *, end: bool) -> bytes:
        """Returns what is held back; an ended file without a sample is an error."""
        pcm = b"" if self._inner is None else await self._inner.flush(end=end)
        self._any_pcm |= bool(pcm)
        if end and not self._any_pcm:
            raise AudioError("the wav data holds no audio")
        return pcm

    def expects(self, message: bytes) -> bool:
        """Whether a message that looks like a new file is not one: never."""
        return False

    def abort(self) -> None:
        """Gives up."""
        if self._inner is not None:
            self._inner.abort()

    async def close(self) -> None:
        """Frees what the inner source has."""
        if self._inner is not None:
            await self._inner.close()
