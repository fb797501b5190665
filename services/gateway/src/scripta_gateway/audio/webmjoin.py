"""Joins a WebM stream of Opus in the middle: its blocks lack the head, which can be made up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final as Constant

from scripta_gateway.audio.errors import middle_of
from scripta_gateway.audio.opus import RATE, packet_samples, stream_head

CLUSTER: Constant = b"\x1f\x43\xb6\x75"
_BLOCK: Constant = 0xA3
_BLOCK_HEAD: Constant = 4
_LACED: Constant = 6
_OWN_FLAGS: Constant = 0x80 | _LACED | 8 | 1
_LONGEST_HEAD: Constant = 12
_LEAST_BLOCKS: Constant = 3
"""Blocks that have to stand in a row: one alone is common in any bytes."""
_ENOUGH_BLOCKS: Constant = 8
"""After so many it is certain that they are not Opus."""
_ROUNDED_MS: Constant = 1
UNKNOWN: Constant = b"\x01" + b"\xff" * 7


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of one packet.

    Attributes:
        at: Its offset.
        end: The offset just past it.
        track: The number of its track.
        time: Milliseconds since its cluster began.
        packet: The packet.
    """

    at: int
    end: int
    track: int
    time: int
    packet: bytes


def element_size(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Returns the size of an element that stands at an offset, and how many bytes say it."""
    if at >= len(data) or data[at] == 0:
        return None
    count = 9 - data[at].bit_length()
    if len(data) < at + count:
        return None
    return int.from_bytes(data[at : at + count], "big") & (1 << 7 * count) - 1, count


def _block(data: bytes, at: int) -> _Block | None:
    """Returns the block at an offset, ``None`` if there is none that is whole."""
    if at >= len(data) or data[at] != _BLOCK or (sized := element_size(data, at + 1)) is None:
        return None
    size, count = sized
    body = at + 1 + count
    end = body + size
    if size <= _BLOCK_HEAD or end > len(data) or not data[body] & 0x80:
        return None
    if data[body + 3] & ~_OWN_FLAGS or data[body + 3] & _LACED:
        return None
    time = int.from_bytes(data[body + 1 : body + 3], "big", signed=True)
    return _Block(at, end, data[body], time, data[body + _BLOCK_HEAD : end])


def _row(data: bytes, at: int) -> list[_Block]:
    """Returns the blocks of one track that stand in a row from an offset on."""
    row: list[_Block] = []
    while len(row) < _ENOUGH_BLOCKS and (block := _block(data, at)) is not None:
        if row and (block.track != row[-1].track or block.time < row[-1].time):
            break
        row.append(block)
        at = block.end
    return row


def find_blocks(data: bytes, most: int | None = None) -> tuple[int, list[_Block]] | None:
    """Returns where blocks stand in a row first, or the cluster that they begin, and the blocks.

    Args:
        data: The bytes.
        most: Places that are looked at; all of them by default.
    """
    at = looked = 0
    while (at := data.find(_BLOCK, at)) >= 0 and looked != most:
        looked += 1
        row = _row(data, at)
        if len(row) >= _LEAST_BLOCKS:
            cluster = data.rfind(CLUSTER, max(0, at - 2 * _LONGEST_HEAD), at)
            return (cluster if cluster >= 0 else at), row
        at += 1
    return None


def join_webm(data: bytes) -> tuple[bytes, bool] | None:
    """Returns a stream's bytes from the first block that can be heard, with a head before it.

    And whether the times in it are true: blocks count from the start of their cluster, which did
    not come if they are the middle of one. ``None`` if more bytes are needed.

    Raises:
        AudioError: It is not Opus, which is the only codec whose packets describe themselves.
    """
    found = find_blocks(data)
    if found is None:
        return None
    at, row = found
    ms = [packet_samples(block.packet) * 1000 // RATE for block in row]
    steps = [
        abs(after.time - before.time - long)
        for (before, after), long in zip(pairwise(row), ms, strict=False)
    ]
    if all(ms) and sum(step <= _ROUNDED_MS for step in steps) > len(steps) / 2:
        whole = data.startswith(CLUSTER, at)
        start = b"" if whole else _element(CLUSTER, None) + b"\xe7\x81\0"
        return _head(row[0]) + start + data[at:], whole
    if len(row) < _ENOUGH_BLOCKS:
        return None
    raise middle_of("webm")


def _element(name: bytes, data: bytes | None) -> bytes:
    """Returns an element; one without data has no end."""
    if data is None:
        return name + UNKNOWN
    return name + b"\x01" + len(data).to_bytes(7, "big") + data


def _head(block: _Block) -> bytes:
    head = stream_head(block.packet)
    audio = _element(b"\x9f", head[9:10])
    track = (
        _element(b"\xd7", bytes((block.track & 0x7F,)))
        + _element(b"\x73\xc5", b"\1")
        + _element(b"\x83", b"\2")
        + _element(b"\x86", b"A_OPUS")
        + _element(b"\x63\xa2", head)
        + _element(b"\xe1", audio)
    )
    kind = _element(b"\x1a\x45\xdf\xa3", _element(b"\x42\x82", b"webm"))
    tracks = _element(b"\x16\x54\xae\x6b", _element(b"\xae", track))
    return kind + _element(b"\x18\x53\x80\x67", None) + tracks
