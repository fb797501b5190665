"""Finds where a container ends, by its outer structure alone.

A demuxer that waits for bytes can not tell a pause from the end. These walkers follow page and
box headers as the bytes pass, whatever the split, and keep nothing but an unfinished header.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final as Constant


class Extent(ABC):
    """Walks a container's elements."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skip = 0
        self._lost = False

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the container ends with the element that was entered last."""

    @abstractmethod
    def _head_bytes(self, head: bytes) -> int:
        """Returns how long the element's header is, as far as its first bytes tell."""

    @abstractmethod
    def _enter(self, head: bytes) -> int | None:
        """Takes note of an element; returns the bytes to skip, ``None`` if that is unknown."""

    def take(self, data: bytes) -> int | None:
        """Walks over the data; returns the offset just past the container if it ends here."""
        at = 0
        while not self._lost:
            step = min(self._skip, len(data) - at)
            self._skip -= step
            at += step
            if self._skip:
                return None
            if not self._head and self.complete:
                return at
            if at == len(data):
                return None
            missing = self._head_bytes(bytes(self._head)) - len(self._head)
            self._head += data[at : at + missing]
            at = min(at + missing, len(data))
            if len(self._head) == self._head_bytes(bytes(self._head)):
                skip = self._enter(bytes(self._head))
                self._head.clear()
                self._skip, self._lost = skip or 0, skip is None
        return None

    def expects_another_beginning(self) -> bool:
        """Whether the next element may look like the start of a file and is not one."""
        return False


_OGG_HEAD: Constant = 27
_OGG_BEGIN, _OGG_END = 2, 4


class OggExtent(Extent):
    """Ends with the last page of the last stream that is open."""

    def __init__(self) -> None:
        super().__init__()
        self._open: set[bytes] = set()
        self._all_begun = False
        self._complete = False

    @property
    def complete(self) -> bool:
        """Whether no stream is open any more."""
        return self._complete

    def _head_bytes(self, head: bytes) -> int:
        return _OGG_HEAD if len(head) < _OGG_HEAD else _OGG_HEAD + head[_OGG_HEAD - 1]

    def _enter(self, head: bytes) -> int | None:
        if not head.startswith(b"OggS"):
            return None
        flags, serial = head[5], head[14:18]
        if flags & _OGG_BEGIN:
            self._open.add(serial)
        else:
            self._all_begun = True
        if flags & _OGG_END:
            self._open.discard(serial)
            self._complete = not self._open
        return sum(head[_OGG_HEAD:])

    def expects_another_beginning(self) -> bool:
        """Whether so far there were only first pages, and the last one is whole."""
        return bool(self._open) and not (self._all_begun or self._skip or self._head)


_EBML: Constant = b"\x1a\x45\xdf\xa3"
_SEGMENT: Constant = b"\x18\x53\x80\x67"


def _leading_zeros(byte: int) -> int:
    return 8 - byte.bit_length()


class EbmlExtent(Extent):
    """Ends with the segment, if that has a known size (what a browser records has none)."""

    def __init__(self) -> None:
        super().__init__()
        self._complete = False

    @property
    def complete(self) -> bool:
        """Whether the segment was entered and its size is known."""
        return self._complete

    def _head_bytes(self, head: bytes) -> int:
        if not head:
            return 1
        id_bytes = min(_leading_zeros(head[0]) + 1, 4)
        if len(head) <= id_bytes:
            return id_bytes + 1
        return id_bytes + min(_leading_zeros(head[id_bytes]) + 1, 8)

    def _enter(self, head: bytes) -> int | None:
        id_bytes = min(_leading_zeros(head[0]) + 1, 4)
        size_bytes = len(head) - id_bytes
        unknown = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(head[id_bytes:], "big") & unknown
        if size == unknown:
            return None
        self._complete = head[:id_bytes] == _SEGMENT
        return size


_CAF_HEAD, _CAF_CHUNK_HEAD = 8, 12
_CAF_DESCRIPTION: Constant = 32


class CafExtent(Extent):
    """Ends when the samples are there and, if packets vary in size, the table of their sizes.

    Attributes:
        varies: Whether packets vary in size; ``None`` until that is known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.varies: bool | None = None
        self._begun = False
        self._has_data = False
        self._has_table = False

    @property
    def complete(self) -> bool:
        """Whether all that is needed was entered."""
        return self._has_data and (self._has_table or self.varies is False)

    def _head_bytes(self, head: bytes) -> int:
        if not self._begun:
            return _CAF_HEAD
        # The description is taken with its head: it is small, and comes first.
        return _CAF_CHUNK_HEAD + (_CAF_DESCRIPTION if head[:4] == b"desc" else 0)

    def _enter(self, head: bytes) -> int | None:
        if not self._begun:
            self._begun = True
            return 0
        size = int.from_bytes(head[4:12], "big", signed=True)
        if head[:4] == b"desc":
            bytes_a_packet, frames_a_packet = head[28:32], head[32:36]
            self.varies = not (any(bytes_a_packet) and any(frames_a_packet))
            size -= _CAF_DESCRIPTION
        self._has_data |= head[:4] == b"data"
        self._has_table |= head[:4] == b"pakt"
        return size if size >= 0 else None


_BOX_HEAD: Constant = 8
_FIRST_BOXES: Constant = frozenset(
    (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"styp", b"sidx")
)


class Mp4Extent(Extent):
    """Ends when index and media are there, unless the file is fragmented (a live stream).

    Attributes:
        media_first: Whether the media comes before its index; ``None`` until one of them came.
        joined: Whether it is a stream in pieces of which the first, with the index, did not come.
    """

    def __init__(self) -> None:
        super().__init__()
        self.media_first: bool | None = None
        self.joined = False
        self._first = True
        self._index_left = 0
        self._in_index = False
        self._has_index = False
        self._has_media = False
        self._fragmented = False

    @property
    def complete(self) -> bool:
        """Whether index and media were entered."""
        done = self._has_index and self._has_media and not self._fragmented
        return done and self._index_left <= 0

    @property
    def index_complete(self) -> bool:
        """Whether all of the index has passed."""
        unfinished = self._index_left > 0 or (self._in_index and self._skip > 0)
        return self._has_index and not unfinished

    def _head_bytes(self, head: bytes) -> int:
        long = len(head) >= _BOX_HEAD and int.from_bytes(head[:4], "big") == 1
        return 2 * _BOX_HEAD if long else _BOX_HEAD

    def _enter(self, head: bytes) -> int | None:
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:], "big")
        first, self._first = self._first, False
        self.joined |= name == b"moof" and not self._has_index
        self.joined |= first and name not in _FIRST_BOXES
        inside = self._in_index = self._index_left > 0
        if inside:
            self._index_left -= size
            self._fragmented |= name == b"mvex"
        if name == b"mdat" and size != len(head) and self.media_first is None:
            self.media_first = True
        if size < len(head):
            return None
        if name == b"moov" and not inside:
            self._has_index, self._index_left = True, size - len(head)
            self.media_first = bool(self.media_first)
            return 0
        self._has_media |= name == b"mdat" and size > len(head)
        return size - len(head)
