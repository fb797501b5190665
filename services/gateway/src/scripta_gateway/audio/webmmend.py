"""Mends WebM before a demuxer reads it. Pure.

A demuxer follows the sizes of elements. Where bytes are missing or wrong it leaves out all up to
the next cluster, which can be half a minute away, or the rest of the stream. So elements are
followed here, and after damage the next cluster, or the next row of blocks, is looked for. The
demuxer is given whole elements only, in clusters and a segment without a size.
"""

from __future__ import annotations

from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.webmjoin import CLUSTER, UNKNOWN, element_size, find_blocks
from scripta_gateway.bounds import MAX_DAMAGED_BYTES

_EBML: Constant = b"\x1a\x45\xdf\xa3"
_SEGMENT: Constant = b"\x18\x53\x80\x67"
_INFO: Constant = b"\x15\x49\xa9\x66"
_TRACKS: Constant = b"\x16\x54\xae\x6b"
_TIME: Constant = b"\xe7"
_BLOCK: Constant = b"\xa3"
_GROUP: Constant = b"\xa0"
_GIVEN: Constant = (_EBML, _INFO, _TRACKS, _TIME, _BLOCK, _GROUP)
_OPENED: Constant = (_SEGMENT, CLUSTER)
"""What holds others; they are given without their size."""
_LEFT_OUT: Constant = (
    *(b"\xa7", b"\xab", b"\xec", b"\xbf", b"\x58\x54", b"\x11\x4d\x9b\x74", b"\x1c\x53\xbb\x6b"),
    *(b"\x12\x54\xc3\x67", b"\x10\x43\xa7\x70", b"\x19\x41\xa4\x69"),
)
"""Positions, sizes, padding, check sums, indexes, tags, chapters, attachments: nothing of it is
audio, and positions are wrong where others are left out."""
_KNOWN: Constant = frozenset((*_GIVEN, *_OPENED, *_LEFT_OUT))
_LONGEST_ID: Constant = 4
_LONGEST_HEAD: Constant = 12
_MOST_GIVEN: Constant = 1 << 20
_MOST_LEFT_OUT: Constant = 1 << 26
_MOST_BLOCK: Constant = ((b"A_OPUS", 1 << 13), (b"A_PCM", 1 << 20), (b"", 1 << 16))
"""Bytes of a block by what its tracks name: damaged sizes are larger, mostly."""
_LEAST_BLOCK: Constant = 5
_VIDEO: Constant = b"\x83\x81\x01"
_MOST_VIDEO: Constant = 1 << 24


class WebmMender:
    """Gives the whole elements of a stream, and goes on behind damage.

    Args:
        name: The stream's name in messages to clients.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held = bytearray()
        # Bytes to come of an element that is left out.
        self._skip = 0
        self._most_block = _MOST_GIVEN
        self._tracks = False
        self._damaged = False

    def push(self, data: bytes) -> bytes:
        """Returns what the bytes complete.

        Raises:
            AudioError: Nothing of WebM was found for too long.
        """
        self._held += data
        given = bytearray()
        at = 0
        while at < len(self._held):
            if self._skip:
                step = min(self._skip, len(self._held) - at)
                self._skip -= step
            else:
                step = self._search(at) if self._damaged else self._take(at, given)
                if not step and not self._damaged:
                    break
                if not step and not (step := self._search(at)):
                    break
            at += step
        del self._held[:at]
        # Without tracks nothing that follows can be decoded.
        most = MAX_DAMAGED_BYTES if self._tracks else 0
        if self._damaged and len(self._held) > most:
            raise AudioError(f"the {self._name} data is damaged")
        return bytes(given)

    def _take(self, at: int, given: bytearray) -> int:
        """Takes an element, or the head of one; returns its bytes.

        None are taken if more are needed, or if there is damage.
        """
        found = self._element(at)
        if found is None:
            return 0
        if not found:
            self._damaged = True
            return 0
        name, size, head = found
        if name in _OPENED:
            given += name + UNKNOWN
            return head
        if name in _LEFT_OUT:
            self._skip = size
            return head
        end = at + head + size
        if end > len(self._held):
            return 0
        if end < len(self._held) and self._element(end) == ():
            # What follows is no element, so that bytes in this one are missing or wrong.
            self._damaged = True
            return 0
        element = self._held[at:end]
        if name == _TRACKS:
            self._tracks = True
            self._most_block = _most_block(element)
        given += element
        return head + size

    def _element(self, at: int) -> tuple[bytes, int, int] | tuple[()] | None:
        """Returns an element's name, size and the bytes that say both.

        Nothing if there is none, and ``None`` if more bytes are needed to tell.
        """
        first = self._held[at]
        length = 9 - first.bit_length()
        name = bytes(self._held[at : at + length])
        if length > _LONGEST_ID or not any(known.startswith(name) for known in _KNOWN):
            return ()
        if len(name) < length:
            return None
        sized = element_size(self._held, at + length)
        if sized is None:
            return None if len(self._held) < at + _LONGEST_HEAD else ()
        size, count = sized
        head = length + count
        if name in _OPENED:
            return name, 0, head
        if name == _BLOCK and not _is_block(self._held[at + head : at + head + 1], size):
            return ()
        return (name, size, head) if size <= self._most(name) else ()

    def _most(self, name: bytes) -> int:
        """Returns how large an element can be."""
        if name in (_BLOCK, _GROUP):
            return self._most_block
        if name == _TIME:
            return 8
        return _MOST_LEFT_OUT if name in _LEFT_OUT else _MOST_GIVEN

    def _search(self, at: int) -> int:
        """Returns the bytes up to where elements begin again, 0 if that has not come."""
        start = at + 1
        found = [self._held.find(name, start) for name in (_EBML, CLUSTER)]
        places = [place for place in found if place >= 0]
        until = min(places, default=len(self._held))
        row = find_blocks(bytes(self._held[start:until]))
        if row is not None:
            until = start + row[0]
        elif not places:
            return 0
        self._damaged = False
        return until - at


def _is_block(head: bytearray, size: int) -> bool:
    """Returns whether a block can have this size, and its first byte, if that is there."""
    return size >= _LEAST_BLOCK and (not head or head[0] & 0x80 != 0)


def _most_block(tracks: bytearray) -> int:
    """Returns how many bytes a block of these tracks has at most."""
    if _VIDEO in tracks:
        return _MOST_VIDEO
    return next(most for name, most in _MOST_BLOCK if name in tracks)
