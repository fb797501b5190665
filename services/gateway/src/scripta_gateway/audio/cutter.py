"""Cuts a byte stream into frames of whatever kind it has.

Frames are cut here and not by a demuxer because a demuxer reads ahead in blocks and would keep
the last words of an upload until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.aac import ADTS, LOAS
from scripta_gateway.audio.ac3 import AC3
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.framing import Bytes, FrameHeader, Framing
from scripta_gateway.audio.mpeg import MP1, MP2, MP3
from scripta_gateway.audio.tags import LONGEST_TAG_HEAD, tag_bytes
from scripta_gateway.bounds import MAX_DAMAGED_BYTES

FRAMINGS: Constant = (MP3, ADTS, MP2, AC3, LOAS, MP1)
LEAST_IN_THE_MIDDLE: Constant = 3
"""Headers that have to line up where a stream is joined: every offset of it is a guess."""

_MOST_CANDIDATES: Constant = 256
"""Places of each kind that are looked at in one search. In 32 KiB of audio a few dozen look like
the start of a frame; bytes made for it have one at every other place."""

_NEWEST_COUNTS: Constant = 0.2
"""Share of the newest frame in what a frame usually is long."""


def find_frames(data: Bytes, start: int = 0, begin: int = 0) -> tuple[Framing | None, int]:
    """Returns the kind of frames that line up first in the data, and where.

    If none do: ``None``, and the first offset where more bytes, or another search, might change
    that.

    Args:
        data: The bytes.
        start: Where the search begins.
        begin: Where the stream begins, unless it was joined in the middle.
    """
    found: tuple[Framing, int] | None = None
    undecided = max(start, len(data) - 2)
    for framing in FRAMINGS:
        for count, match in enumerate(framing.begins.finditer(data, start)):
            at = match.start()
            if count == _MOST_CANDIDATES:
                undecided = min(undecided, at)
                break
            least = framing.least if at == begin else max(framing.least, LEAST_IN_THE_MIDDLE)
            lines_up = framing.lines_up(data, at, least)
            if lines_up is None:
                undecided = min(undecided, at)
            elif lines_up and (found is None or at < found[1]):
                found = framing, at
            if lines_up:
                break
    return found or (None, undecided)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was cut out.

    Attributes:
        header: What its header says.
        data: Its bytes.
        at: Its offset in the stream.
        lost: Frames before it that were damaged.
    """

    header: FrameHeader
    data: bytes
    at: int
    lost: int = 0


class FrameCutter:
    """Cuts frames; steps over tags, and looks for the next frames after damage.

    Attributes:
        framing: The kind of frames; ``None`` until it is known.

    Args:
        name: The stream's name in messages to clients.
        framing: The kind of frames, if that is known.
    """

    def __init__(self, name: str, framing: Framing | None = None) -> None:
        self.framing = framing
        self._name = name
        self._held = bytearray()
        # Bytes of the stream before those that are held.
        self._before = 0
        self._skip = 0
        self._junk = 0
        self._searched = 0
        self._last: FrameHeader | None = None
        self._usual_bytes = 0.0
        self._ended = False

    @property
    def at_rest(self) -> bool:
        """Whether the bytes so far ended with a frame or a tag."""
        return not self._held and not self._skip

    @property
    def in_tag(self) -> bool:
        """Whether a tag of known size is still arriving."""
        return self._skip > 0

    @property
    def came(self) -> int:
        """Bytes that have come so far."""
        return self._before + len(self._held)

    @property
    def held(self) -> bytes:
        """The bytes that are not cut yet."""
        return bytes(self._held)

    def push(self, data: bytes) -> list[Frame]:
        """Returns the frames that these bytes complete.

        Raises:
            AudioError: There was no frame for too long.
        """
        self._held += data
        frames: list[Frame] = []
        at = 0
        while (step := self._step(at, frames)) > 0:
            at += step
        del self._held[:at]
        self._before += at
        self._searched = max(0, self._searched - at)
        return frames

    def break_off(self) -> None:
        """Counts what is held as damaged: bytes behind it are missing."""
        self._junk += len(self._held)
        self._before += len(self._held)
        self._skip = self._searched = 0
        self._held.clear()

    def settle(self) -> list[Frame]:
        """Returns the frames of an ended stream that were not certain without what follows."""
        self._ended = True
        for framing in FRAMINGS:
            if self.framing is None and framing.header(self._held, 0) is not None:
                self.framing = framing
        return self.push(b"") if self.framing is not None else []

    def _step(self, at: int, frames: list[Frame]) -> int:
        """Takes one frame, tag or stretch of junk; returns its bytes, 0 if more are needed."""
        if at >= len(self._held):
            return 0
        if self._skip:
            step = min(self._skip, len(self._held) - at)
            self._skip -= step
            return step
        if self.framing is None:
            return self._begin(at, frames)
        header = self.framing.header(self._held, at)
        trusted = header is not None and self._trusted(at, self.framing)
        if header is None or trusted is False:
            return self._step_over(at, self.framing)
        if trusted is None or len(self._held) < at + header.frame_bytes:
            return 0
        data = bytes(self._held[at : at + header.frame_bytes])
        frames.append(Frame(header, data, self._before + at, self._lost()))
        self._last, self._junk = header, 0
        usual = self._usual_bytes or header.frame_bytes
        self._usual_bytes = usual + (header.frame_bytes - usual) * _NEWEST_COUNTS
        return header.frame_bytes

    def _begin(self, at: int, frames: list[Frame]) -> int:
        """Finds out what the frames are; returns the bytes before the first, 0 if not known."""
        size = tag_bytes(self._held[at : at + LONGEST_TAG_HEAD])
        if size:
            self._skip = size
            return self._step(at, [])
        if size is None:
            return 0
        framing, where = find_frames(self._held, max(at, self._searched), at)
        if framing is not None:
            self.framing = framing
            return where - at or self._step(at, frames)
        self._searched = where
        if len(self._held) - at > MAX_DAMAGED_BYTES:
            raise AudioError(f"no audio was found in the {self._name} data")
        return 0

    def _lost(self) -> int:
        """Returns the frames that the damage before a frame has cost."""
        if self._last is None or not self._junk:
            return 0
        return max(1, round(self._junk / self._usual_bytes))

    def _trusted(self, at: int, framing: Framing) -> bool | None:
        """Returns whether a header behind junk is followed by another; ``None`` if not known."""
        if not self._junk:
            return True
        lines_up = framing.lines_up(self._held, at, 2)
        header = framing.header(self._held, at)
        if lines_up is None and self._ended and header is not None:
            return at + header.frame_bytes == len(self._held)
        return lines_up

    def _step_over(self, at: int, framing: Framing) -> int:
        head = self._held[at : at + LONGEST_TAG_HEAD]
        size = tag_bytes(head)
        if size:
            self._skip = size
            return self._step(at, [])
        if len(head) < framing.head_bytes or size is None:
            return 0
        sync = self._held.find(framing.sync[0][1], at + 1)
        step = (sync if sync >= 0 else len(self._held)) - at
        self._junk += step
        if self._junk > MAX_DAMAGED_BYTES:
            raise AudioError(f"the {self._name} data is damaged")
        return step
