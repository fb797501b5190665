"""AIFF and AIFF-C: reading the header."""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.audio.chunks import ChunkReader
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.layouts import check_layout
from scripta_gateway.audio.pcmfile import PcmHeader
from scripta_gateway.audio.raw import SampleFormat
from scripta_gateway.bounds import MAX_METADATA_BYTES

_FORM_BYTES, _CHUNK_HEAD, _SOUND_HEAD = 12, 8, 8
_OPEN_END: Constant = 0x7FFF0000
_COMMON_BYTES: Constant = range(18, 4097)
_BY_WIDTH: Constant = {
    1: SampleFormat.S8,
    2: SampleFormat.S16BE,
    3: SampleFormat.S24BE,
    4: SampleFormat.S32BE,
}
_LITTLE_BY_WIDTH: Constant = {
    1: SampleFormat.S8,
    2: SampleFormat.S16,
    3: SampleFormat.S24,
    4: SampleFormat.S32,
}
_BY_NAME: Constant = {
    b"raw ": SampleFormat.U8,
    b"in24": SampleFormat.S24BE,
    b"in32": SampleFormat.S32BE,
    b"42ni": SampleFormat.S24,
    b"23ni": SampleFormat.S32,
    b"fl32": SampleFormat.F32BE,
    b"FL32": SampleFormat.F32BE,
    b"fl64": SampleFormat.F64BE,
    b"FL64": SampleFormat.F64BE,
    b"ulaw": SampleFormat.MULAW,
    b"ULAW": SampleFormat.MULAW,
    b"alaw": SampleFormat.ALAW,
    b"ALAW": SampleFormat.ALAW,
}
_BIAS: Constant = 16_383 + 63


class AiffHeaderReader(ChunkReader):
    """Reads a header as it comes."""

    def __init__(self) -> None:
        super().__init__("aiff", _FORM_BYTES, _CHUNK_HEAD)
        self._form_bytes = 0
        self._layout: tuple[SampleFormat, int, int] | None = None

    def _parse(self, held: bytes) -> PcmHeader | None:
        size = int.from_bytes(held[4:8], "big")
        if not self._chunks:
            self._form_bytes = size
            self._go_on()
        elif held[:4] == b"SSND":
            self._wanted = _CHUNK_HEAD + _SOUND_HEAD
            if len(held) == self._wanted:
                return self._header(size, int.from_bytes(held[8:12], "big"))
        elif held[:4] == b"COMM":
            self._take_format(held, size)
        else:
            self._go_on(size + (size & 1))
        return None

    def _take_format(self, held: bytes, size: int) -> None:
        if size not in _COMMON_BYTES:
            raise self._damaged()
        self._wanted = _CHUNK_HEAD + size + (size & 1)
        if len(held) == self._wanted:
            self._layout = _layout(held[_CHUNK_HEAD:])
            self._go_on()

    def _header(self, size: int, offset: int) -> PcmHeader:
        if self._layout is None:
            raise AudioError("the aiff header does not say what the samples are")
        if offset:
            raise AudioError("aiff with samples that begin at an offset is not supported")
        after = self._form_bytes - (self._passed + size)
        known = _SOUND_HEAD < size < _OPEN_END
        trailer = after if known and 0 < after < MAX_METADATA_BYTES else size & 1
        return PcmHeader(*self._layout, size - _SOUND_HEAD if known else None, trailer)


def _layout(common: bytes) -> tuple[SampleFormat, int, int]:
    """Returns what a common chunk says.

    Raises:
        AudioError: It is not supported.
    """
    channels, bits = int.from_bytes(common[:2], "big"), int.from_bytes(common[6:8], "big")
    rate = _extended(common[8:18])
    check_layout(channels, rate, "aiff")
    name = common[18:22] if len(common) >= 22 else b"NONE"
    by_width = {b"NONE": _BY_WIDTH, b"twos": _BY_WIDTH, b"sowt": _LITTLE_BY_WIDTH}.get(name)
    if by_width is None:
        form = _BY_NAME.get(name)
    elif (form := by_width.get((bits + 7) // 8)) is None:
        raise AudioError(f"aiff with {bits} bits a sample is not supported")
    if form is None:
        said = name.decode("ascii", "replace").strip()
        raise AudioError(f"aiff with {said} inside is not supported; send 16-bit PCM inside")
    return form, rate, channels


def _extended(ten: bytes) -> int:
    """Returns a number of 80 bits, as the format has it, as a whole one."""
    exponent = int.from_bytes(ten[:2], "big") - _BIAS
    mantissa = int.from_bytes(ten[2:], "big")
    return mantissa >> -exponent if -64 < exponent <= 0 else 0
