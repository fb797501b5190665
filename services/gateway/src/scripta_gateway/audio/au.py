"""AU (SND): reading the header."""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.layouts import check_layout
from scripta_gateway.audio.pcmfile import PcmHeader
from scripta_gateway.audio.raw import SampleFormat
from scripta_gateway.bounds import MAX_METADATA_BYTES

_HEAD_BYTES: Constant = 24
_FORMATS: Constant = {
    1: SampleFormat.MULAW,
    2: SampleFormat.S8,
    3: SampleFormat.S16BE,
    4: SampleFormat.S24BE,
    5: SampleFormat.S32BE,
    6: SampleFormat.F32BE,
    7: SampleFormat.F64BE,
    27: SampleFormat.ALAW,
}
_UNKNOWN: Constant = 0xFFFFFFFF


class AuHeaderReader:
    """Reads a header as it comes, every byte once.

    Attributes:
        head: Nothing: no compressed samples are taken.
    """

    def __init__(self) -> None:
        self.head = b""
        self._held = b""
        self._note_left = 0
        self._header: PcmHeader | None = None

    def take(self, data: memoryview) -> tuple[PcmHeader | None, int]:
        """Returns the header, once it is complete, and how many of the bytes belong to it.

        Raises:
            AudioError: The header makes no sense.
        """
        at = 0
        if self._header is None:
            at = min(_HEAD_BYTES - len(self._held), len(data))
            self._held += data[:at]
            if len(self._held) < _HEAD_BYTES:
                return None, at
            self._read()
        step = min(self._note_left, len(data) - at)
        self._note_left -= step
        return (None if self._note_left else self._header), at + step

    def _read(self) -> None:
        start, size, code, rate, channels = (
            int.from_bytes(self._held[at : at + 4], "big") for at in range(4, _HEAD_BYTES, 4)
        )
        if not _HEAD_BYTES <= start <= MAX_METADATA_BYTES:
            raise AudioError("the au header is damaged")
        if code not in _FORMATS:
            raise AudioError(
                f"au with the encoding {code} is not supported; send 16-bit PCM inside"
            )
        check_layout(channels, rate, "au")
        known = 0 < size < _UNKNOWN
        self._note_left = start - _HEAD_BYTES
        self._header = PcmHeader(_FORMATS[code], rate, channels, size if known else None)
