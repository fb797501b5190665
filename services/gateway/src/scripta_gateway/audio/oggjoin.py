"""Joins an Ogg stream of Opus in the middle: its pages lack the head, which can be made up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final as Constant

from scripta_gateway.audio.errors import middle_of
from scripta_gateway.audio.opus import packet_samples, stream_head

_HEAD_BYTES: Constant = 27
_CONTINUED, _BEGIN = 1, 2
_ENOUGH_PAGES: Constant = 4
"""After so many it is certain that they are not Opus."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        rest = value << 24
        for _ in range(8):
            rest = rest << 1 ^ (0x04C11DB7 if rest >> 31 else 0)
            rest &= 0xFFFFFFFF
        table.append(rest)
    return tuple(table)


_CRC: Constant = _crc_table()


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, as far as it matters here.

    Attributes:
        at: Its offset.
        end: The offset just past it.
        serial: Whose it is.
        flags: How it begins.
        granule: Samples of the stream up to its end.
        packets: Its packets; empty unless they begin and end within it.
    """

    at: int
    end: int
    serial: bytes
    flags: int
    granule: int
    packets: tuple[bytes, ...]


def _pages(data: bytes) -> list[_Page]:
    """Returns the whole pages in the data."""
    pages: list[_Page] = []
    at = data.find(b"OggS\0")
    while at >= 0 and len(data) >= at + _HEAD_BYTES:
        page = _page(data, at)
        if page is None:
            break
        pages.append(page)
        at = data.find(b"OggS\0", page.end)
    return pages


def _page(data: bytes, at: int) -> _Page | None:
    body = at + _HEAD_BYTES + data[at + _HEAD_BYTES - 1]
    sizes = data[at + _HEAD_BYTES : body]
    end = body + sum(sizes)
    if len(data) < max(body, end):
        return None
    packets: list[bytes] = []
    packet = b""
    for size in sizes:
        packet += data[body : body + size]
        body += size
        if size < 255:
            packets.append(packet)
            packet = b""
    flags, granule = data[at + 5], int.from_bytes(data[at + 6 : at + 14], "little")
    whole = not packet and not flags & _CONTINUED
    return _Page(at, end, data[at + 14 : at + 18], flags, granule, tuple(packets) * whole)


def join_ogg(data: bytes) -> tuple[bytes, bool] | None:
    """Returns a stream's bytes from the first page that can be heard, with a head before it.

    And that the times in it are true. ``None`` if more bytes are needed.

    Raises:
        AudioError: It is not Opus, which is the only codec whose packets describe themselves.
    """
    pages = _pages(data)
    for page in pages:
        if page.flags & _BEGIN:
            return data[page.at :], True
    for one, two in pairwise(pages):
        samples = sum(map(packet_samples, two.packets))
        if one.serial == two.serial and 0 < samples == two.granule - one.granule:
            first = one if one.packets else two
            return _heads(first.serial, first.packets[0]) + data[first.at :], True
    if len(pages) >= _ENOUGH_PAGES:
        raise middle_of("ogg")
    return None


def _heads(serial: bytes, packet: bytes) -> bytes:
    tags = b"OpusTags" + bytes(8)
    return _made(serial, 0, _BEGIN, stream_head(packet)) + _made(serial, 1, 0, tags)


def _made(serial: bytes, number: int, flags: int, packet: bytes) -> bytes:
    """Returns a page with one short packet."""
    before = b"OggS\0" + bytes((flags,)) + bytes(8) + serial + number.to_bytes(4, "little")
    after = bytes((1, len(packet))) + packet
    check = 0
    for byte in before + bytes(4) + after:
        check = (check << 8 & 0xFFFFFFFF) ^ _CRC[check >> 24 ^ byte]
    return before + check.to_bytes(4, "little") + after
