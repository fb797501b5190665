"""WebSocket frames as they arrive: bytes in, events out (RFC 6455, the server's side). Pure.

Always holds: no more is kept of a message than its limit; a larger one is reported when that shows,
and skipped as it arrives. Every call of ``next`` handles at most one frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from websockets.frames import EXTERNAL_CLOSE_CODES
from websockets.speedups import apply_mask

from scripta_gateway.bounds import (
    FRAGMENTS,
    FRAME_COSTS,
    SKIPPED_BYTES_OF_A_FRAME,
    SMALL_MESSAGE_BYTES,
)
from scripta_gateway.transports.events import (
    Close,
    Event,
    Limits,
    Message,
    NeedsRoom,
    Nothing,
    Opcode,
    Oversized,
    Ping,
    Violation,
)

HARD_FACTOR: Final = 4
"""A message that is so many times larger than allowed ends the connection."""
_NO_STATUS: Final = 1005
_LONGEST_REASON: Final = 123
_NOTHING: Final = Nothing()


@dataclass(slots=True)
class _Head:
    opcode: int
    fin: bool
    left: int
    mask: bytes


class FrameReader:
    """Reads frames.

    Args:
        limits: How large messages may be.

    Attributes:
        has_room: Set by the owner once there is room for a large message; unset with its end.
        cost: What the frames since the last look have cost, in small frames.
        discarding: Whether no message is wanted any more.
    """

    def __init__(self, limits: Limits) -> None:
        self.has_room = False
        self.cost = 0.0
        self.discarding = False
        self._limits = limits
        self._data = b""
        self._at = 0
        self._head: _Head | None = None
        self._kind: int | None = None  # opcode of the message that is not complete
        self._size = 0  # of its frames so far, as their heads say
        self._fragments = 0
        self._first = b""
        self._more: bytearray | None = None
        self._skips = False
        self._report: Oversized | None = None

    def discard(self) -> None:
        """Skips the message that is under way, and all that follow."""
        self.discarding = True
        self._skip()

    def allow_text(self, size: int) -> None:
        """Delivers text messages of up to ``size`` bytes from now on."""
        hard = max(self._limits.hard, HARD_FACTOR * size)
        self._limits = replace(self._limits, text=size, hard=hard)

    def close(self) -> None:
        """Frees all that it holds: nothing will be read any more."""
        self.discard()
        self._data, self._at, self._head = b"", 0, None

    def feed(self, data: bytes) -> None:
        """Adds bytes that have arrived."""
        rest = self._data[self._at :]
        self._data = rest + data if rest else data
        self._at = 0

    def next(self) -> Event | None:
        """Returns what comes next, or ``None`` if more bytes are needed; raises ``Violation``."""
        if self._head is None:
            self._head = self._read_head()
        head = self._head
        if head is None:
            return None
        if head.opcode >= Opcode.CLOSE:
            return self._read_control(head)
        if self._report is not None:
            report, self._report = self._report, None
            return report
        if self._size > SMALL_MESSAGE_BYTES and not self.has_room and not self._skips:
            whole = head.fin and head.opcode != Opcode.CONTINUATION
            return NeedsRoom(self._size if whole else self._limit())
        self._read_payload(head)
        if head.left:
            return None
        self._head = None
        return self._finish() if head.fin else _NOTHING

    def _read_head(self) -> _Head | None:
        data, at = self._data, self._at
        arrived = len(data) - at
        if arrived < 2:
            return None
        first, second = data[at], data[at + 1]
        length = second & 0x7F
        extra = 2 if length == 126 else 8 if length == 127 else 0
        if not second & 0x80:
            raise Violation(1002, "Frames of a client have to be masked")
        if first & 0x70:
            raise Violation(1002, "Reserved bits have to be 0; no extension was agreed on")
        if arrived < 6 + extra:
            return None
        if extra:
            length = int.from_bytes(data[at + 2 : at + 2 + extra], "big")
        end = at + 6 + extra
        self._at = end
        self.cost += next((cost for below, cost in FRAME_COSTS if length < below), 0.0)
        head = _Head(first & 0x0F, bool(first & 0x80), length, data[end - 4 : end])
        self._check(head)
        return head

    def _check(self, head: _Head) -> None:
        opcode, length = head.opcode, head.left
        if opcode >= Opcode.CLOSE:
            if opcode > Opcode.PONG:
                raise Violation(1002, "Unknown kind of frame")
            if length > 125 or not head.fin:
                raise Violation(1002, "Control frames have at most 125 bytes and no fragments")
            return
        if opcode == Opcode.CONTINUATION:
            if self._kind is None:
                raise Violation(1002, "A continuation without a message")
        elif opcode > Opcode.BINARY:
            raise Violation(1002, "Unknown kind of frame")
        elif self._kind is not None:
            raise Violation(1002, "A new message before the last one's end")
        else:
            self._kind = opcode
        self._size += length
        self._fragments += 1
        if self._size > self._limits.hard:
            raise Violation(1009, f"Message too large (max {self._limit()} bytes)")
        if self._fragments > FRAGMENTS:
            raise Violation(1008, f"Too many fragments of one message (max {FRAGMENTS})")
        if self._size > self._limit() or self.discarding:
            if not self._skips and not self.discarding:
                self._report = Oversized(self._kind == Opcode.TEXT, self._limit())
            self._skip()

    def _skip(self) -> None:
        self._skips = self._kind is not None
        self._first, self._more = b"", None

    def _limit(self) -> int:
        return self._limits.text if self._kind == Opcode.TEXT else self._limits.binary

    def _read_payload(self, head: _Head) -> None:
        at = self._at
        count = min(head.left, len(self._data) - at)
        if not count:
            return
        self._at = at + count
        head.left -= count
        if self._skips:
            self.cost += count / SKIPPED_BYTES_OF_A_FRAME
            return
        piece = apply_mask(memoryview(self._data)[at : at + count], head.mask)
        if (turn := count % 4) and head.left:
            head.mask = head.mask[turn:] + head.mask[:turn]
        # The first piece is mostly the whole. More are not kept one by one: an object for each
        # would cost twenty times what a client sends that sends two bytes at a time.
        if self._more is not None:
            self._more += piece
        elif self._first:
            self._more = bytearray(self._first)
            self._more += piece
            self._first = b""
        else:
            self._first = piece

    def _finish(self) -> Message | Nothing:
        event: Message | Nothing = _NOTHING
        if not self._skips:
            data = self._first if self._more is None else bytes(self._more)
            event = Message(self._kind == Opcode.TEXT, data)
        self._kind, self._more, self._first = None, None, b""
        self._size = self._fragments = 0
        self._skips = self.has_room = False
        return event

    def _read_control(self, head: _Head) -> Event | None:
        end = self._at + head.left
        if end > len(self._data):
            return None
        data = apply_mask(self._data[self._at : end], head.mask)
        self._at = end
        self._head = None
        match head.opcode:
            case Opcode.CLOSE:
                return _read_close(data)
            case Opcode.PING:
                return Ping(data)
            case _:
                return _NOTHING


def _read_close(data: bytes) -> Close:
    if not data:
        return Close(_NO_STATUS, "", data)
    code = int.from_bytes(data[:2], "big")
    if len(data) < 2 or not (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000):
        raise Violation(1002, "Bad close code")
    try:
        return Close(code, data[2:].decode(), data)
    except UnicodeDecodeError:
        raise Violation(1007, "The reason of a close has to be UTF-8") from None


def frame(opcode: Opcode, data: bytes) -> bytes:
    """Returns a frame of the server's."""
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, size)) + data
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + data
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + data


def close_frame(code: int, reason: str) -> bytes:
    """Returns a closing frame; a reason that is too long for one is cut."""
    words = reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + words)
