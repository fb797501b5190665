"""Mends MP4 in fragments before a demuxer reads it. Pure.

A demuxer that meets damage between two fragments hears nothing of what follows. Here a fragment
is given when it is whole, and after damage the next one is looked for. Its own times tell how
much is missing. All that is no fragment is given as it comes.
"""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.bounds import MAX_DAMAGED_BYTES

_HEAD: Constant = 8
_MOOF, _MDAT, _MFHD = b"moof", b"mdat", b"mfhd"
_BETWEEN: Constant = frozenset(
    (_MOOF, b"styp", b"sidx", b"ssix", b"emsg", b"prft", b"free", b"skip", b"uuid", b"mfra")
)
"""What may follow a fragment, besides a new file."""
_BEGINS: Constant = frozenset((b"ftyp", b"moov", _MDAT))
_MOST_HELD: Constant = 1 << 20
"""Larger fragments have pictures; they are given as they come."""


class FragmentMender:
    """Gives the whole fragments of a stream, and goes on behind damage.

    Args:
        name: The stream's name in messages to clients.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held = bytearray()
        # Bytes to come of a box that is given as it comes.
        self._through = 0
        self._in_fragments = False
        self._damaged = False

    def push(self, data: bytes) -> bytes:
        """Returns what the bytes complete.

        Raises:
            AudioError: There was no fragment for too long.
        """
        self._held += data
        given = bytearray()
        at = 0
        while at < len(self._held):
            if self._through:
                step = min(self._through, len(self._held) - at)
                given += self._held[at : at + step]
                self._through -= step
            else:
                step = 0 if self._damaged else self._take(at, given)
                step = step or (self._search(at) if self._damaged else 0)
            if not step:
                break
            at += step
        del self._held[:at]
        if self._damaged and len(self._held) > MAX_DAMAGED_BYTES:
            raise AudioError(f"the {self._name} data is damaged")
        return bytes(given)

    def _take(self, at: int, given: bytearray) -> int:
        """Takes a fragment, or the start of another box; returns its bytes.

        None are taken if more are needed, or if there is damage.
        """
        box = self._box(at)
        if box is None:
            return 0
        size, name = box
        if name != _MOOF:
            self._damaged = self._in_fragments and name not in _BETWEEN | _BEGINS
            # A box without a size goes on to the end of the stream.
            self._through = 0 if self._damaged else size or 1 << 62
            return 0 if self._damaged else self._pass(at, given)
        self._in_fragments = True
        media = self._box(at + size) if size <= _MOST_HELD else (0, b"")
        if media is None:
            return 0
        end = at + size + media[0]
        if media[1] == _MDAT and media[0] > _MOST_HELD:
            self._through = end - at
            return self._pass(at, given)
        if media[1] != _MDAT or self._next_fragment(at + _HEAD, end) >= 0:
            self._damaged = True
            return 0
        if end > len(self._held):
            return 0
        follows = self._box(end)
        if follows is not None and follows[1] not in _BETWEEN | _BEGINS:
            self._damaged = True
            return 0
        given += self._held[at:end]
        return end - at

    def _pass(self, at: int, given: bytearray) -> int:
        """Gives what is there of a box that is given as it comes."""
        step = min(self._through, len(self._held) - at)
        given += self._held[at : at + step]
        self._through -= step
        return step

    def _box(self, at: int) -> tuple[int, bytes] | None:
        """Returns size and name of the box at an offset, ``None`` if more bytes are needed."""
        if len(self._held) < at + 2 * _HEAD:
            return None
        size = int.from_bytes(self._held[at : at + 4], "big")
        name = bytes(self._held[at + 4 : at + _HEAD])
        if size == 1:
            size = int.from_bytes(self._held[at + _HEAD : at + 2 * _HEAD], "big")
        return size, name

    def _next_fragment(self, start: int, end: int) -> int:
        """Returns where a fragment begins between two offsets, -1 if none does."""
        at = start
        while (at := self._held.find(_MOOF, at + 4, end)) >= 0:
            if self._held[at + _HEAD : at + _HEAD + 4] == _MFHD:
                return at - 4
        return -1

    def _search(self, at: int) -> int:
        """Returns the bytes up to the next fragment, 0 if it has not come."""
        place = self._next_fragment(at + 1, len(self._held))
        self._damaged = place < 0
        return max(0, place - at)
