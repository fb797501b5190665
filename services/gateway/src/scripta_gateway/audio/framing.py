"""Streams of frames that each carry a header: what all of these kinds have in common. Pure.

A header alone is common in any bytes. Headers that line up, each where the one before says that
its frame ends, are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Bytes = bytes | bytearray


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the bytes before a frame say.

    Attributes:
        codec: The decoder, by libavcodec's name.
        family: What all frames of a stream have in common.
        frame_bytes: Size of the frame with its header.
        samples: In the frame, of each channel.
        sample_rate: In Hz.
    """

    codec: str
    family: tuple[int, ...]
    frame_bytes: int
    samples: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Audio in the frame."""
        return self.samples / self.sample_rate

    def alike(self, other: FrameHeader) -> bool:
        """Returns whether both can be frames of one stream."""
        return self.codec == other.codec and self.family == other.family


@dataclass(frozen=True, slots=True)
class Framing:
    """A kind of frames.

    Attributes:
        name: Its name in messages to clients.
        head_bytes: Bytes that a header has to be read from.
        sync: Mask and value of each of the bytes that every header begins with.
        least: Headers that have to line up at the start of a stream.
        begins: Finds where a frame may begin.
        read: Reads the header at an offset where the sync was found; ``None`` if it is none.
    """

    name: str
    head_bytes: int
    sync: tuple[tuple[int, int], ...]
    least: int
    begins: re.Pattern[bytes]
    read: Callable[[Bytes, int], FrameHeader | None]

    def could_begin(self, data: Bytes, at: int = 0) -> bool:
        """Returns whether the bytes, of which there may be few, begin like a frame."""
        if len(data) >= at + self.head_bytes:
            return self.header(data, at) is not None
        known = zip(data[at : at + len(self.sync)], self.sync, strict=False)
        return all(byte & mask == want for byte, (mask, want) in known)

    def header(self, data: Bytes, at: int) -> FrameHeader | None:
        """Returns the header at an offset, ``None`` if there is none or not all of it."""
        if len(data) < at + self.head_bytes:
            return None
        for offset, (mask, want) in enumerate(self.sync):
            if data[at + offset] & mask != want:
                return None
        return self.read(data, at)

    def lines_up(self, data: Bytes, at: int, least: int) -> bool | None:
        """Returns whether so many headers line up; ``None`` if the data ends before that."""
        first: FrameHeader | None = None
        for _ in range(least):
            if len(data) < at + self.head_bytes:
                return None if self.could_begin(data, at) else False
            header = self.header(data, at)
            if header is None or (first is not None and not first.alike(header)):
                return False
            first = first or header
            at += header.frame_bytes
        return True
