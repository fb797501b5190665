"""Tells what kind of audio a message begins."""

from __future__ import annotations

from enum import StrEnum
from typing import Final as Constant

from scripta_gateway.audio.mpeg import HEADER_BYTES, read_header


class Kind(StrEnum):
    """A kind of audio; the value is its name in messages to clients."""

    RAW = "raw"
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"
    MP4 = "mp4"
    MP3 = "mp3"


_MAGICS: Constant[tuple[tuple[Kind, tuple[tuple[int, bytes], ...]], ...]] = (
    (Kind.WAV, ((0, b"RIFF"), (8, b"WAVE"))),
    (Kind.WAV, ((0, b"RF64"), (8, b"WAVE"))),
    (Kind.FLAC, ((0, b"fLaC"),)),
    (Kind.OGG, ((0, b"OggS\0"),)),
    (Kind.WEBM, ((0, b"\x1a\x45\xdf\xa3"),)),
    (Kind.MP4, ((0, b"\0\0"), (4, b"ftyp"))),
)
_OGG_FLAGS, _OGG_BEGIN = 5, 2


def _matches(head: bytes, magic: tuple[tuple[int, bytes], ...]) -> bool | None:
    """Whether the magic is there; ``None`` if the bytes end before that is decided."""
    for offset, want in magic:
        have = head[offset : offset + len(want)]
        if have != want:
            return None if want.startswith(have) else False
    return True


def _is_id3(head: bytes) -> bool | None:
    found = _matches(head, ((0, b"ID3"),))
    if found and len(head) < 10:
        return None
    return found and head[3] < 0x20 and max(head[6:10]) < 0x80


def _is_mp3(head: bytes) -> bool | None:
    """Whether two frame headers line up: one alone is common in raw audio."""
    if len(head) < HEADER_BYTES:
        sync = head[:1] == b"\xff" and (len(head) < 2 or head[1] & 0xE6 == 0xE2)
        return None if sync else False
    first = read_header(head)
    if first is None:
        return False
    if len(head) < first.frame_bytes + HEADER_BYTES:
        return None
    second = read_header(head, first.frame_bytes)
    return second is not None and second.alike(first)


def sniff(head: bytes) -> Kind | None:
    """Returns what the bytes begin; ``RAW`` if nothing else.

    ``None`` means that they are too few to tell and have to be kept until more have come: at
    most 12 bytes, or one frame (1.4 kB) of what may be MP3.
    """
    undecided = not head
    for kind, magic in _MAGICS:
        found = _matches(head, magic)
        if found:
            return kind
        undecided |= found is None
    for found in (_is_id3(head), _is_mp3(head)):
        if found:
            return Kind.MP3
        undecided |= found is None
    return None if undecided else Kind.RAW


def begins_file(message: bytes) -> Kind | None:
    """Returns the kind of file that a later message begins, ``None`` if none for certain.

    Bare MP3 frames do not count: they may go on with what came before.
    """
    for kind, magic in _MAGICS:
        if _matches(message, magic) and (kind is not Kind.OGG or begins_ogg_stream(message)):
            return kind
    return Kind.MP3 if _is_id3(message) else None


def begins_ogg_stream(page: bytes) -> bool:
    """Whether an Ogg page is the first one of a stream."""
    return len(page) > _OGG_FLAGS and bool(page[_OGG_FLAGS] & _OGG_BEGIN)


def half_a_magic(head: bytes) -> bool:
    """Whether the bytes are the beginning of a magic that is not complete."""
    return any(_matches(head, magic) is None for _, magic in _MAGICS) or _is_id3(head) is None
