"""WAV and its relatives RF64, BW64 and RIFX: reading the header."""

from __future__ import annotations

import struct
from typing import Final as Constant
from typing import Literal

from scripta_gateway.audio.chunks import ChunkReader
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.layouts import check_layout
from scripta_gateway.audio.pcmfile import PcmHeader
from scripta_gateway.audio.raw import SampleFormat
from scripta_gateway.bounds import MAX_METADATA_BYTES

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
_BIG_ENDIAN: Constant = {
    SampleFormat.S16: SampleFormat.S16BE,
    SampleFormat.S24: SampleFormat.S24BE,
    SampleFormat.S32: SampleFormat.S32BE,
    SampleFormat.F32: SampleFormat.F32BE,
    SampleFormat.F64: SampleFormat.F64BE,
}
_COMPRESSED: Constant = {0x02, 0x11, 0x31, 0x45, 0x50, 0x55, 0x64, 0x28F}
"""MS and IMA ADPCM, GSM, G.726, MP2, MP3, G.726 again, G.722."""
_NAMES: Constant = {
    0x22: "truespeech", 0x42: "g.723.1", 0x83: "g.729", 0xFF: "aac", 0x130: "sipro", 0x160: "wma",
    0x161: "wma", 0x162: "wma", 0x163: "wma", 0x2000: "ac-3", 0x2001: "dts", 0x674F: "vorbis",
    0x704F: "opus", 0xA109: "speex", 0xF1AC: "flac",
}  # fmt: skip
"""Of formats that are not heard inside WAV."""
_GUID_TAILS: Constant = (
    bytes.fromhex("000000001000800000aa00389b71"),
    bytes.fromhex("00002107d31186 44c8c1ca000000"),
)
"""What follows the format's number where it is given as a GUID: Microsoft's, and ambisonic."""
_GUID: Constant = slice(24, 40)
_OPEN_END: Constant = 0x7FFF0000
_FORM_BYTES, _CHUNK_HEAD = 12, 8
_FORMAT_BYTES: Constant = range(14, 4097)
_SIZES_BYTES: Constant = range(16, 4097)

Layout = tuple[SampleFormat | None, int, int]
"""How samples are written (``None``: compressed), their rate, and their channels."""


class WavHeaderReader(ChunkReader):
    """Reads a header as it comes."""

    def __init__(self) -> None:
        super().__init__("wav", _FORM_BYTES, _CHUNK_HEAD)
        self._padded = False
        self._layout: Layout | None = None
        self._order: Literal["little", "big"] = "little"
        self._long_data: int | None = None

    def _parse(self, held: bytes) -> PcmHeader | None:
        if not self.head:
            self._order = "big" if held[:4] == b"RIFX" else "little"
            self.head = held
            self._go_on()
            return None
        if self._padded:
            # Some writers leave the byte out that pads a chunk of odd size.
            self._padded = False
            if held[0] == 0 or held[1:5] == b"data":
                self._passed += 1
                del self._held[0]
                return None
        name, size = held[:4], int.from_bytes(held[4:8], self._order)
        if name == b"data":
            return self._end(held, size)
        if name == b"fmt ":
            self._take_format(held, size)
        elif name == b"ds64" and size in _SIZES_BYTES:
            self._take_sizes(held, size)
        else:
            self._padded = bool(size & 1)
            self._go_on(size)
        return None

    def _end(self, held: bytes, size: int) -> PcmHeader:
        if self._layout is None:
            raise AudioError("the wav header does not say what the samples are")
        riff = int.from_bytes(self.head[4:8], self._order)
        header = _header(self._layout, riff, self._passed + _CHUNK_HEAD, size, self._long_data)
        self.head += held
        return header

    def _take_format(self, held: bytes, size: int) -> None:
        if size not in _FORMAT_BYTES:
            raise self._damaged()
        self._wanted = _CHUNK_HEAD + size
        if len(held) == self._wanted:
            self._layout = layout_of(held[_CHUNK_HEAD:], self._order)
            self._padded = bool(size & 1)
            self.head += held + bytes(size & 1)
            self._go_on()

    def _take_sizes(self, held: bytes, size: int) -> None:
        """Takes the size of the samples from where it has 64 bits."""
        self._wanted = _CHUNK_HEAD + size
        if len(held) == self._wanted:
            self._long_data = int.from_bytes(held[16:24], self._order)
            self._padded = bool(size & 1)
            self._go_on()


def layout_of(fmt: bytes, order: Literal["little", "big"], kind: str = "wav") -> Layout:
    """Returns what a format chunk says of the samples in a file of this kind.

    Raises:
        AudioError: It is not supported.
    """
    fields = "<HHIIH" if order == "little" else ">HHIIH"
    tag, channels, rate, _, block = struct.unpack_from(fields, fmt)
    bits = int.from_bytes(fmt[14:16], order)
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = int.from_bytes(fmt[24:26], order)
        if fmt[26:40] not in _GUID_TAILS and len(fmt) >= _GUID.stop and order == "little":
            raise AudioError(f"{kind} with the format {fmt[_GUID].hex()} is not supported")
    check_layout(channels, rate, kind)
    if tag in (_PCM, _FLOAT) and block % channels == 0 and 8 * block // channels >= bits:
        bits = 8 * block // channels  # samples of 12 or 20 bits fill whole bytes from the left
    form = _FORMATS.get((tag, bits))
    if form is None and tag in (_PCM, _FLOAT, _EXTENSIBLE):
        raise AudioError(f"{kind} with {bits} bits a sample is not supported")
    if form is None and (tag not in _COMPRESSED or order == "big"):
        name = _NAMES.get(tag, f"the format 0x{tag:04x}")
        raise AudioError(f"{kind} with {name} inside is not supported; send 16-bit PCM inside")
    if form is not None and order == "big":
        form = _BIG_ENDIAN.get(form, form)
    return form, rate, channels


def _header(layout: Layout, riff: int, at: int, size: int, long_size: int | None) -> PcmHeader:
    if long_size:
        return PcmHeader(*layout, long_size, long_size & 1)
    known = 0 < size < _OPEN_END or (size == 0 and at - 8 < riff < _OPEN_END)
    after = riff + 8 - at - size
    trailer = after if known and riff < _OPEN_END and 0 < after < MAX_METADATA_BYTES else size & 1
    return PcmHeader(*layout, size if known else None, trailer)
