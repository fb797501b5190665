"""What the gateway and a decoder's process say to each other, and how it is written.

The gateway sends a command, the process answers it with one report. A report that has ``more`` is
asked for its next slice with ``NEXT``. So at any time one side works and the other waits, and
neither ever holds more than one piece of input and one slice of output.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final as Constant

PIECE_BYTES: Constant = 64 * 1024
"""Most bytes of a message in one command: bounds the time of a step."""

COMMAND_HEAD: Constant = struct.Struct("<BI")
"""Command, bytes of its payload."""

REPORT_HEAD: Constant = struct.Struct("<BBIIII")
"""Flags, voices, bytes of PCM, bytes of the error's text, where the container ended, bytes kept."""

_NO_END: Constant = 0xFFFF_FFFF


class Command(IntEnum):
    """What the gateway asks for."""

    OPEN = 0
    """Begin: the payload is an ``Opening``."""
    DATA = 1
    """Decode the payload."""
    NEXT = 2
    """Go on with the command before."""
    FLUSH = 3
    """Give what is held back; the stream may go on."""
    END = 4
    """Nothing more will come."""


class Flag(IntFlag):
    """What a report says besides."""

    MORE = 1
    ENDED = 2
    AT_REST = 4
    AT_END = 8
    BEGINNING = 16
    FAULT = 32
    HUNGRY = 64
    JUMPED = 128


@dataclass(frozen=True, slots=True)
class Opening:
    """How a process decodes its stream.

    Attributes:
        kind: The kind of audio, by its name.
        file_bytes: Bytes that it may keep of a file that has to be complete.
        fruitless_bytes: Bytes after which a stream without any audio is refused.
        memory_bytes: Memory that it may take.
        separate: Whether channels are kept apart.
    """

    kind: str
    file_bytes: int
    fruitless_bytes: int
    memory_bytes: int
    separate: bool = False

    def packed(self) -> bytes:
        """Returns it as bytes."""
        numbers = (self.file_bytes, self.fruitless_bytes, self.memory_bytes, self.separate)
        return _OPENING.pack(*numbers) + self.kind.encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Opening:
        """Returns what the bytes say."""
        return cls(data[_OPENING.size :].decode(), *_OPENING.unpack_from(data))


_OPENING: Constant = struct.Struct("<QQQ?")


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to a command.

    Attributes:
        pcm: A slice of what was decoded.
        more: Whether the command has more to give.
        ended: Whether the stream is over and the process ends.
        at_rest: Whether the bytes so far ended on a boundary where the stream may be over.
        at_end: Whether an error came only after all bytes of the stream.
        beginning: Whether the next message may look like a new file and is not one.
        end: Offset in the command's bytes just past the container, ``None`` if it goes on.
        kept: Bytes that the process keeps of a file that has to be complete.
        error: Why the stream ended, in words for the client, if not well.
        fault: Whether the error is ours.
        hungry: Whether the stream ended for want of memory.
        jumped: Whether the times in it jumped further than silence may fill.
        voices: Channels of the PCM.
    """

    pcm: bytes = b""
    more: bool = False
    ended: bool = False
    at_rest: bool = False
    at_end: bool = False
    beginning: bool = False
    end: int | None = None
    kept: int = 0
    error: str | None = None
    fault: bool = False
    hungry: bool = False
    jumped: bool = False
    voices: int = 1

    def packed(self) -> bytes:
        """Returns it as bytes."""
        flags = (
            Flag.MORE * self.more
            | Flag.ENDED * self.ended
            | Flag.AT_REST * self.at_rest
            | Flag.AT_END * self.at_end
            | Flag.BEGINNING * self.beginning
            | Flag.FAULT * self.fault
            | Flag.HUNGRY * self.hungry
            | Flag.JUMPED * self.jumped
        )
        error = (self.error or "").encode()
        end = _NO_END if self.end is None else self.end
        head = REPORT_HEAD.pack(flags, self.voices, len(self.pcm), len(error), end, self.kept)
        return head + self.pcm + error

    @classmethod
    def unpacked(cls, head: bytes, body: bytes) -> Report:
        """Returns what a head and the bytes behind it say."""
        flags, voices, pcm_bytes, _, end, kept = REPORT_HEAD.unpack(head)
        return cls(
            pcm=body[:pcm_bytes],
            more=bool(flags & Flag.MORE),
            ended=bool(flags & Flag.ENDED),
            at_rest=bool(flags & Flag.AT_REST),
            at_end=bool(flags & Flag.AT_END),
            beginning=bool(flags & Flag.BEGINNING),
            end=None if end == _NO_END else end,
            kept=kept,
            error=body[pcm_bytes:].decode(errors="replace") or None,
            fault=bool(flags & Flag.FAULT),
            hungry=bool(flags & Flag.HUNGRY),
            jumped=bool(flags & Flag.JUMPED),
            voices=voices,
        )


def body_bytes(head: bytes) -> int:
    """Returns how many bytes follow a report's head.

    Raises:
        ValueError: More than any report has: what sent it is not to be trusted any more.
    """
    _, _, pcm_bytes, error_bytes, _, _ = REPORT_HEAD.unpack(head)
    if pcm_bytes > _MAX_PCM or error_bytes > _MAX_ERROR:
        raise ValueError(f"a report of {pcm_bytes} and {error_bytes} bytes")
    return int(pcm_bytes + error_bytes)


_MAX_PCM: Constant = 256 * 1024
_MAX_ERROR: Constant = 4096
