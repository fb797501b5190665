"""Sony Wave64: WAV whose chunks are named by GUIDs and have sizes of 64 bits."""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.audio.chunks import ChunkReader
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.pcmfile import PcmHeader
from scripta_gateway.audio.wav import Layout, layout_of

_FORM_BYTES, _CHUNK_HEAD = 40, 24
_FORMAT_BYTES: Constant = range(14, 4097)
_FORMAT: Constant = b"fmt \xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_DATA: Constant = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_OPEN_END: Constant = 1 << 62
_ALIGNED: Constant = 8


class Wave64HeaderReader(ChunkReader):
    """Reads a header as it comes."""

    def __init__(self) -> None:
        super().__init__("wave64", _FORM_BYTES, _CHUNK_HEAD)
        self._layout: Layout | None = None

    def _parse(self, held: bytes) -> PcmHeader | None:
        if not self._chunks:
            self._go_on()
            return None
        name, size = held[:16], int.from_bytes(held[16:24], "little") - _CHUNK_HEAD
        if name == _DATA:
            return self._header(size)
        if size < 0:
            raise self._damaged()
        if name == _FORMAT:
            self._take_format(held, size)
        else:
            self._go_on(size + -size % _ALIGNED)
        return None

    def _take_format(self, held: bytes, size: int) -> None:
        if size not in _FORMAT_BYTES:
            raise self._damaged()
        self._wanted = _CHUNK_HEAD + size + -size % _ALIGNED
        if len(held) == self._wanted:
            self._layout = layout_of(held[_CHUNK_HEAD : _CHUNK_HEAD + size], "little", "wave64")
            self._go_on()

    def _header(self, size: int) -> PcmHeader:
        if self._layout is None:
            raise AudioError("the wave64 header does not say what the samples are")
        if self._layout[0] is None:
            raise AudioError("wave64 with compressed samples is not supported; send WAV")
        if not 0 < size < _OPEN_END:
            return PcmHeader(*self._layout, None)
        return PcmHeader(*self._layout, size, -size % _ALIGNED)
