"""FLAC frames: cutting a byte stream where the next frame's header is.

libavcodec's parser keeps ten frames back, a second of speech, and loses bytes when it is made
to give them. Headers carry a running number and a check sum, so they can be found without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final as Constant

_LONGEST_HEADER: Constant = 16
_LEAST_SEARCH: Constant = 64 * 1024
_NUMBER_STEPS: Constant = 2
_STEPS_OF_ALIKE: Constant = 200
"""Frames that may be missing between two that are alike: more than a minute is given up."""
_MAX_BLOCK: Constant = 65_535
_MOST_CANDIDATES: Constant = 8
_RATES: Constant = (
    *(0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000),
)
_BITS: Constant = (0, 8, 12, 0, 16, 20, 24, 32)


def _crc_table(bits: int, polynomial: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        rest = value << (bits - 8)
        for _ in range(8):
            rest = rest << 1 ^ (polynomial if rest >> (bits - 1) else 0)
            rest &= (1 << bits) - 1
        table.append(rest)
    return tuple(table)


_CRC8: Constant = _crc_table(8, 0x07)
_CRC16: Constant = _crc_table(16, 0x8005)


@dataclass(frozen=True, slots=True)
class FlacHeader:
    """What a frame's header says.

    Attributes:
        number: Of the frame or, if blocks vary, of its first sample.
        varies: Whether blocks vary.
        samples: In the frame, of each channel.
        sample_rate: In Hz; 0 if only the stream's header says it.
        channels: How many.
        bits: Of a sample; 0 if only the stream's header says it.
    """

    number: int
    varies: bool
    samples: int
    sample_rate: int
    channels: int
    bits: int

    def alike(self, other: FlacHeader) -> bool:
        """Returns whether both can be frames of one stream."""
        mine = (self.varies, self.sample_rate, self.channels, self.bits)
        return mine == (other.varies, other.sample_rate, other.channels, other.bits)

    @property
    def next_number(self) -> int:
        """The number of the frame that follows."""
        return self.number + (self.samples if self.varies else 1)


def read_flac_header(data: bytes | bytearray, at: int) -> FlacHeader | None:
    """Returns the frame header at an offset, ``None`` if there is none.

    At least 16 bytes are needed there.
    """
    head = data[at : at + _LONGEST_HEADER]
    if len(head) < _LONGEST_HEADER or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    block, rate, layout, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    if block == 0 or rate == 15 or layout > 10 or bits == 3 or head[3] & 1:
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    if ones in (1, 8):
        return None
    number = head[4] & (0x7F >> ones)
    end = 4 + max(1, ones)
    for byte in head[5:end]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 63
    block_at, rate_at = end, end + (block in (6, 7)) + (block == 7)
    end = rate_at + (rate in (12, 13, 14)) + (rate in (13, 14))
    check = 0
    for byte in head[:end]:
        check = _CRC8[check ^ byte]
    if check != head[end]:
        return None
    return FlacHeader(
        number,
        bool(head[1] & 1),
        _samples(block, int.from_bytes(head[block_at:rate_at], "big")),
        _rate(rate, int.from_bytes(head[rate_at:end], "big")),
        layout + 1 if layout < 8 else 2,
        _BITS[bits],
    )


def _samples(code: int, coded: int) -> int:
    if code == 1:
        return 192
    if code in (6, 7):
        return coded + 1
    return 576 << code - 2 if code < 6 else 256 << code - 8


def _rate(code: int, coded: int) -> int:
    return {12: 1000 * coded, 13: coded, 14: 10 * coded}.get(code) or _RATES[code % 12]


def frame_end(data: bytes | bytearray, start: int = 0) -> Iterator[int]:
    """Yields the offsets just past which the bytes from the start on may be a whole frame.

    A frame ends with a check sum, which is right by chance once in 65,536 bytes.
    """
    check = 0
    for at in range(start, len(data)):
        check = (check << 8 & 0xFFFF) ^ _CRC16[check >> 8 ^ data[at]]
        if check == 0:
            yield at + 1


def find_flac_frame(data: bytes | bytearray, start: int = 0) -> tuple[FlacHeader, int] | None:
    """Returns the first frame that is whole and has another behind it, and its offset."""
    heads: list[tuple[FlacHeader, int]] = []
    at = start - 1
    while (at := data.find(b"\xff", at + 1)) >= 0:
        header = read_flac_header(data, at)
        if header is None:
            continue
        for before, place in heads:
            follows = header.number == before.next_number and header.alike(before)
            if follows and any(end == at - place for end in frame_end(data[place:at])):
                return before, place
        heads = [*heads[-_MOST_CANDIDATES:], (header, at)]
    return None


def stream_info(header: FlacHeader) -> bytes:
    """Returns what a stream's header would have said to a decoder."""
    layout = header.sample_rate << 44 | header.channels - 1 << 41 | header.bits - 1 << 36
    sizes = (16).to_bytes(2, "big") + _MAX_BLOCK.to_bytes(2, "big") + bytes(6)
    return sizes + layout.to_bytes(8, "big") + bytes(16)


class FlacCutter:
    """Cuts a byte stream into frames.

    ``largest`` is the stream's largest frame in bytes, 0 if its header does not say.
    """

    def __init__(self, largest: int) -> None:
        self._held = bytearray()
        self._searched = 1
        self._check = self._checked = 0
        self._last: FlacHeader | None = None
        self._search_limit = max(2 * largest, _LEAST_SEARCH)

    @property
    def tail_bytes(self) -> int:
        """How long the tail is."""
        return len(self._held)

    def tail_is_whole(self) -> bool:
        """Whether the tail is whole frames, by the check sum that each ends with.

        Every byte is looked at once, however often this is asked.
        """
        check = self._check
        for byte in memoryview(self._held)[self._checked :]:
            check = (check << 8 & 0xFFFF) ^ _CRC16[check >> 8 ^ byte]
        self._check, self._checked = check, len(self._held)
        return check == 0 and bool(self._held)

    @property
    def tail(self) -> bytes:
        """The bytes that no header follows yet: a frame or part of one."""
        return bytes(self._held)

    def take_tail(self) -> None:
        """Drops the tail, which was a whole frame."""
        self._next(len(self._held))

    def push(self, data: bytes) -> list[bytes]:
        """Returns the frames that have another one behind them."""
        self._held += data
        frames = []
        while (end := self._next_header()) is not None:
            frames.append(bytes(self._held[:end]))
            self._next(end)
        return frames

    def _next(self, end: int) -> None:
        self._last = read_flac_header(self._held, 0) or self._last
        del self._held[:end]
        self._searched = 1
        self._check = self._checked = 0

    def _next_header(self) -> int | None:
        """Returns the offset of the header after the first one, ``None`` if it has not come."""
        last = read_flac_header(self._held, 0) or self._last
        while (at := self._held.find(b"\xff", self._searched)) >= 0:
            if len(self._held) < at + _LONGEST_HEADER:
                self._searched = at
                return None
            header = read_flac_header(self._held, at)
            if header is not None and self._follows(header, last):
                return at
            self._searched = at + 1
        self._searched = max(1, len(self._held))
        return None

    def _follows(self, header: FlacHeader, last: FlacHeader | None) -> bool:
        """Whether a frame comes behind another; after long damage any may."""
        if last is None or self._searched > self._search_limit:
            return True
        steps = _STEPS_OF_ALIKE if header.alike(last) else _NUMBER_STEPS
        most = _MAX_BLOCK * (steps - 1) if header.varies else steps
        return 0 < header.number - last.number <= most
