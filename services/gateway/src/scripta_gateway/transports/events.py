"""What a client's frames come to: messages, pings, the end, and what breaks the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of messages in bytes.

    Attributes:
        binary: Largest binary message that is delivered.
        text: Largest text message that is delivered.
        hard: A message that is larger than this ends the connection.
    """

    binary: int
    text: int
    hard: int


@dataclass(slots=True)
class Message:
    """A complete message."""

    is_text: bool
    data: bytes


@dataclass(slots=True)
class Oversized:
    """A message that turns out to be larger than its limit; the rest of it is skipped."""

    is_text: bool
    limit: int


@dataclass(slots=True)
class Ping:
    """A ping, with what its pong has to carry."""

    data: bytes


@dataclass(slots=True)
class Close:
    """The peer's closing frame."""

    code: int
    reason: str
    data: bytes


@dataclass(slots=True)
class NeedsRoom:
    """The message is going to be large: reading stops until ``has_room`` is set."""

    size: int


@dataclass(slots=True)
class Nothing:
    """A frame that is of no interest by itself: a fragment or a pong."""


Event = Message | Oversized | Ping | Close | NeedsRoom | Nothing


class Violation(Exception):
    """The peer broke the protocol; nothing more can be read.

    Attributes:
        code: Close code that says so.
        reason: The same in plain words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
