"""Tells what kind of audio a message begins."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final as Constant

from scripta_gateway.audio.cutter import FRAMINGS, find_frames
from scripta_gateway.audio.flacframes import find_flac_frame
from scripta_gateway.audio.foreign import Foreign, could_be_foreign, name_of
from scripta_gateway.audio.framing import Framing
from scripta_gateway.audio.mpegts import find_packets
from scripta_gateway.audio.plausible import could_be_compressed
from scripta_gateway.audio.webmjoin import find_blocks


class Kind(StrEnum):
    """A kind of audio; the value is its name in messages to clients."""

    RAW = "raw"
    WAV = "wav"
    AIFF = "aiff"
    AU = "au"
    WAVE64 = "wave64"
    CAF = "caf"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"
    MP4 = "mp4"
    MP3 = "mp3"
    MP2 = "mp2"
    MP1 = "mp1"
    AAC = "aac"
    LOAS = "aac in loas"
    AC3 = "ac-3"
    AMR = "amr"
    MPEGTS = "mpeg-ts"


_Magic = tuple[tuple[int, bytes], ...]

_MAGICS: Constant[tuple[tuple[Kind, _Magic], ...]] = (
    (Kind.WAV, ((0, b"RIFF"), (8, b"WAVE"))),
    (Kind.WAV, ((0, b"RF64"), (8, b"WAVE"))),
    (Kind.WAV, ((0, b"BW64"), (8, b"WAVE"))),
    (Kind.WAV, ((0, b"RIFX"), (8, b"WAVE"))),
    (Kind.AIFF, ((0, b"FORM"), (8, b"AIFF"))),
    (Kind.AIFF, ((0, b"FORM"), (8, b"AIFC"))),
    (Kind.AU, ((0, b".snd\0\0"),)),
    (Kind.WAVE64, ((0, b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"),)),
    (Kind.CAF, ((0, b"caff\0\x01"),)),
    (Kind.FLAC, ((0, b"fLaC"),)),
    (Kind.OGG, ((0, b"OggS\0"),)),
    (Kind.WEBM, ((0, b"\x1a\x45\xdf\xa3"),)),
    (Kind.MP4, ((0, b"\0\0"), (4, b"ftyp"))),
    (Kind.AMR, ((0, b"#!AMR\n"),)),
    (Kind.AMR, ((0, b"#!AMR-WB\n"),)),
)
_BOXES: Constant = (b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"sidx", b"moof", b"pnot")
"""What an MP4 file or a part of a stream may begin with if not with ``ftyp``."""
_LEAST_BOX: Constant = 8
_TYPE_BYTES: Constant = 12
_MOST_BOX: Constant = 1 << 26

_OGG_FLAGS, _OGG_BEGIN = 5, 2
_CLUSTER: Constant = b"\x1f\x43\xb6\x75"

HEAD_BYTES: Constant = 32 * 1024
"""What is looked at to recognise a file: more than two frames of FLAC are long at most rates."""
_MOST_UNDECIDED: Constant = 8 * 1024
"""Bytes that are kept at most until they are recognised, unless they may be FLAC."""
_MOST_BLOCKS: Constant = 256
"""Places where a block of WebM may begin that are looked at."""
_SEARCHED: Constant = 4 * 1024
"""Bytes in which frames are searched where the bytes may be samples as well."""


def _matches(head: bytes, magic: _Magic) -> bool | None:
    """Whether the magic is there; ``None`` if the bytes end before that is decided."""
    undecided = False
    for offset, want in magic:
        have = head[offset : offset + len(want)]
        if have == want:
            continue
        if not want.startswith(have):
            return False
        undecided = True
    return None if undecided else True


def _is_id3(head: bytes) -> bool | None:
    found = _matches(head, ((0, b"ID3"),))
    if found and len(head) < 10:
        return None
    return found and head[3] < 0x20 and max(head[6:10]) < 0x80


def _is_box(head: bytes) -> bool | None:
    """Whether it is MP4 or QuickTime that does not begin with its type."""
    if len(head) < _LEAST_BOX:
        begun = len(head) > 4 and any(name.startswith(head[4:]) for name in _BOXES)
        return None if begun else False
    size = int.from_bytes(head[:4], "big")
    return head[4:8] in _BOXES and (size == 1 or _LEAST_BOX <= size <= _MOST_BOX)


def _frames(head: bytes) -> tuple[Framing | None, bool]:
    """Returns the framing whose headers line up from the start, and whether more bytes may tell."""
    undecided = False
    for framing in FRAMINGS:
        found = framing.lines_up(head, 0, framing.least)
        if found:
            return framing, False
        undecided |= found is None
    return None, undecided


_LOOKS: Constant[tuple[tuple[Kind, Callable[[bytes], bool | None]], ...]] = (
    (Kind.MP3, _is_id3),
    (Kind.MP4, _is_box),
    (Kind.MPEGTS, find_packets),
)


def sniff(head: bytes) -> Kind | Foreign | None:
    """Returns what the bytes begin; ``RAW`` if nothing else.

    ``None`` means that they are too few to tell and have to be kept until more have come: some
    bytes of a magic, a frame or two, or what looks compressed and shows no frame yet.
    """
    if (foreign := name_of(head)) is not None:
        return foreign
    undecided = not head or could_be_foreign(head)
    for kind, magic in _MAGICS:
        found = _matches(head, magic)
        if found and kind is Kind.MP4 and len(head) < _TYPE_BYTES:
            return None  # it may be a picture
        if found:
            return kind
        undecided |= found is None
    for kind, look in _LOOKS:
        found = look(head)
        if found:
            return kind
        undecided |= found is None
    framing, may_be_frames = _frames(head)
    middle = Kind(framing.name) if framing is not None else joined(head)
    if middle is not None:
        return middle
    undecided |= may_be_frames or could_be_compressed(head)
    most = HEAD_BYTES if b"\xff\xf8" in head or b"\xff\xf9" in head else _MOST_UNDECIDED
    return None if undecided and len(head) < most else Kind.RAW


def joined(data: bytes) -> Kind | None:
    """Returns the kind of stream in the middle of which the data begins, if it shows."""
    dense = could_be_compressed(data)
    searched = data if dense else data[:_SEARCHED]
    page = searched.find(b"OggS\0")
    if page >= 0 and len(searched) > page + _OGG_FLAGS and searched[page + _OGG_FLAGS] < 8:
        return Kind.OGG
    if _is_cluster(searched) or find_blocks(searched, _MOST_BLOCKS) is not None:
        return Kind.WEBM
    if b"moof" in searched and b"mfhd" in searched:
        return Kind.MP4
    framing, _ = find_frames(searched)
    if framing is not None:
        return Kind(framing.name)
    return Kind.FLAC if dense and find_flac_frame(data) is not None else None


def _is_cluster(data: bytes) -> bool:
    """Whether a cluster of WebM begins in the data: its head, and the time that comes first."""
    at = data.find(_CLUSTER)
    if at < 0 or len(data) < at + 14:
        return False
    size_bytes = 9 - data[at + 4].bit_length()
    return data[at + 4 + size_bytes : at + 5 + size_bytes] == b"\xe7"


def begins_file(message: bytes) -> Kind | None:
    """Returns the kind of file that a later message begins, ``None`` if none for certain.

    Bare frames do not count: they may go on with what came before.
    """
    for kind, magic in _MAGICS:
        if _matches(message, magic) and (kind is not Kind.OGG or begins_ogg_stream(message)):
            return kind
    return Kind.MP3 if _is_id3(message) else None


def begins_ogg_stream(page: bytes) -> bool:
    """Whether an Ogg page is the first one of a stream."""
    return len(page) > _OGG_FLAGS and bool(page[_OGG_FLAGS] & _OGG_BEGIN)


def may_go_on(head: bytes) -> bool:
    """Returns whether the bytes may be the start of a file or of frames that is not complete."""
    return half_a_magic(head) or _frames(head)[1] or find_packets(head) is None


def half_a_magic(head: bytes) -> bool:
    """Whether the bytes are the beginning of a magic that is not complete."""
    return any(_matches(head, magic) is None for _, magic in _MAGICS) or _is_id3(head) is None
