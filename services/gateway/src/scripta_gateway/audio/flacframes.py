"""FLAC frames: cutting a byte stream where the next frame's header is.

libavcodec's parser keeps ten frames back, a second of speech, and loses bytes when it is made
to give them. Headers carry a running number and a check sum, so they can be found without it.
"""

from __future__ import annotations

from typing import Final as Constant

_LONGEST_HEADER: Constant = 16
_LEAST_SEARCH: Constant = 64 * 1024
_NUMBER_STEPS: Constant = 2
_MAX_BLOCK: Constant = 65_535


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


def frame_number(data: bytes | bytearray, at: int) -> int | None:
    """Returns the number in the frame header at an offset, ``None`` if there is no header.

    At least 16 bytes are needed there. The number counts frames, or samples if blocks vary.
    """
    head = data[at : at + _LONGEST_HEADER]
    if len(head) < _LONGEST_HEADER or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    block, rate = head[2] >> 4, head[2] & 15
    if block == 0 or rate == 15 or head[3] >> 4 > 10 or head[3] & 1:
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
    end += (block in (6, 7)) + (block == 7) + (rate in (12, 13, 14)) + (rate in (13, 14))
    check = 0
    for byte in head[:end]:
        check = _CRC8[check ^ byte]
    return number if check == head[end] else None


class FlacCutter:
    """Cuts a byte stream into frames.

    ``largest`` is the stream's largest frame in bytes, 0 if its header does not say.
    """

    def __init__(self, largest: int) -> None:
        self._held = bytearray()
        self._searched = 1
        self._check = self._checked = 0
        self._number: int | None = None
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
        number = frame_number(self._held, 0)
        self._number = self._number if number is None else number
        del self._held[:end]
        self._searched = 1
        self._check = self._checked = 0

    def _next_header(self) -> int | None:
        """Returns the offset of the header after the first one, ``None`` if it has not come."""
        own = frame_number(self._held, 0)
        last = self._number if own is None else own
        while (at := self._held.find(b"\xff", self._searched)) >= 0:
            if len(self._held) < at + _LONGEST_HEADER:
                self._searched = at
                return None
            number = frame_number(self._held, at)
            if number is not None and self._follows(number, last):
                return at
            self._searched = at + 1
        self._searched = max(1, len(self._held))
        return None

    def _follows(self, number: int, last: int | None) -> bool:
        """Whether a frame of this number comes next; after long damage any may."""
        if last is None or self._searched > self._search_limit:
            return True
        varies = bool(self._held[1] & 1)
        return 0 < number - last <= (_MAX_BLOCK if varies else _NUMBER_STEPS)
