"""Recognises what is not heard, by its name: sound that is not supported, and what is no sound.

Only what raw samples practically never begin with counts: a magic of at least four bytes, or
hundreds of bytes that are all text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError

_WANTED: Constant = "send WebM, Ogg, MP4, MP3, AAC, FLAC, WAV or raw 16-bit PCM"


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something that is not heard.

    Attributes:
        name: As a person calls it.
        is_sound: Whether there is sound in it.
        is_whole: Whether the message holds all of it.
    """

    name: str
    is_sound: bool = False
    is_whole: bool = False

    def error(self) -> AudioError:
        """Returns the error for the client."""
        if self.is_sound:
            return AudioError(f"{self.name} audio is not supported; {_WANTED}")
        return AudioError(f"it is {self.name}, which is not audio; {_WANTED}")


@dataclass(frozen=True, slots=True)
class _Magic:
    """What a file begins with: bytes at offsets; each place may allow several."""

    what: Foreign
    at: dict[int, tuple[bytes, ...]]

    def matches(self, head: bytes) -> bool | None:
        """Returns whether the magic is there; ``None`` if the bytes end before that is decided."""
        undecided = False
        for offset, wanted in self.at.items():
            have = [head[offset : offset + len(want)] for want in wanted]
            if any(map(bytes.__eq__, have, wanted)):
                continue
            if not any(want.startswith(part) for part, want in zip(have, wanted, strict=True)):
                return False
            undecided = True
        return None if undecided else True

    @property
    def length(self) -> int:
        """How many bytes have to be right."""
        return sum(min(map(len, wanted)) for wanted in self.at.values())


def _sound(name: str, at: dict[int, tuple[bytes, ...]]) -> _Magic:
    return _Magic(Foreign(name, is_sound=True), at)


def _other(name: str, at: dict[int, tuple[bytes, ...]]) -> _Magic:
    return _Magic(Foreign(name), at)


_MAGICS: Constant = (
    _sound("wma", {0: (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),)}),
    _sound("wavpack", {0: (b"wvpk",), 9: (b"\x04",)}),
    _sound("tta", {0: (b"TTA1", b"TTA2")}),
    _sound("monkey's audio (ape)", {0: (b"MAC ",), 5: (b"\x0f", b"\x0e", b"\x0d")}),
    _sound("musepack", {0: (b"MPCKSH", b"MP+\x07", b"MP+\x17")}),
    _sound("dsf", {0: (b"DSD \x1c\0\0\0",)}),
    _sound("dsdiff", {0: (b"FRM8",), 12: (b"DSD ",)}),
    _sound("voc", {0: (b"Creative Voice File\x1a",)}),
    _sound("realmedia", {0: (b".RMF\0\0\0", b".ra\xfd\0")}),
    _sound("flv", {0: (b"FLV\x01",), 5: (b"\0\0\0\x09",)}),
    _sound("avi", {0: (b"RIFF",), 8: (b"AVI ",)}),
    _sound("aac in adif", {0: (b"ADIF",)}),
    _sound("amr with several channels", {0: (b"#!AMR_MC", b"#!AMR-WB_MC")}),
    _sound("evrc", {0: (b"#!EVRC",)}),
    _sound("qcelp", {0: (b"RIFF",), 8: (b"QLCM",)}),
    _sound("silk", {0: (b"#!SILK_V3", b"\x02#!SILK_V3")}),
    _sound("ilbc", {0: (b"#!iLBC",)}),
    _sound("dss", {0: (b"\x02dss", b"\x03dss", b"\x02ds2", b"\x03ds2", b"\x06ds2")}),
    _sound("nist sphere", {0: (b"NIST_1A\n",)}),
    _sound("iff 8svx", {0: (b"FORM",), 8: (b"8SVX",)}),
    _sound("mpeg program stream", {0: (b"\0\0\x01\xba",), 4: (b"\x44", b"\x45", b"\x46", b"\x21")}),
    _other("a midi file", {0: (b"MThd\0\0\0\x06",)}),
    _other("a pdf file", {0: (b"%PDF-",)}),
    _other("a zip file", {0: (b"PK\3\4",), 5: (b"\0",)}),
    _other("a png picture", {0: (b"\x89PNG\r\n\x1a\n",)}),
    _other("a jpeg picture", {0: (b"\xff\xd8\xff",), 6: (b"JFIF\0", b"Exif\0")}),
    _other("a gif picture", {0: (b"GIF87a", b"GIF89a")}),
    _other("a webp picture", {0: (b"RIFF",), 8: (b"WEBP",)}),
    _other(
        "a picture",
        {0: (b"\0\0\0",), 4: (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif", b"ftypmsf1")},
    ),
    _other("a tiff picture", {0: (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08")}),
    _other("gzip", {0: (b"\x1f\x8b\x08",), 8: (b"\0", b"\2", b"\4"), 9: (b"\0", b"\3", b"\xff")}),
    _other("bzip2", {0: (b"BZh",), 4: (b"1AY&SY",)}),
    _other("an xz file", {0: (b"\xfd7zXZ\0",)}),
    _other("a zstandard file", {0: (b"\x28\xb5\x2f\xfd",)}),
    _other("a 7-zip file", {0: (b"7z\xbc\xaf\x27\x1c",)}),
    _other("a rar file", {0: (b"Rar!\x1a\x07",)}),
    _other("a program", {0: (b"\x7fELF",), 4: (b"\1", b"\2"), 5: (b"\1", b"\2"), 6: (b"\1",)}),
    _other("a numpy file", {0: (b"\x93NUMPY",)}),
    _other("a sqlite file", {0: (b"SQLite format 3\0",)}),
)

_LEAST_INTERRUPTING: Constant = 8
_INTERRUPTING: Constant = {
    start[:2]: tuple(
        magic
        for magic in _MAGICS
        if magic.length >= _LEAST_INTERRUPTING
        and any(other.startswith(start[:2]) for other in magic.at[0])
    )
    for magic in _MAGICS
    for start in magic.at[0]
}
"""Magics that are long enough to be looked for in every message, by their first two bytes."""

_TEXTS: Constant = (
    ("html", re.compile(rb"\s*<(!doctype html|html|head|body|script)\b", re.I)),
    ("xml", re.compile(rb"\s*<\?xml\b", re.I)),
    ("an svg picture", re.compile(rb"\s*<svg\b", re.I)),
    ("a playlist", re.compile(rb"#EXTM3U|\[playlist\]", re.I)),
    ("an http message", re.compile(rb"(GET|POST|PUT|HEAD|OPTIONS) /\S* HTTP/1|HTTP/1\.[01] \d{3}")),
    ("an rtsp message", re.compile(rb"(OPTIONS|DESCRIBE|SETUP|PLAY|RECORD) rtsp://|RTSP/1\.0 \d")),
    ("a session description (sdp)", re.compile(rb"v=0\r?\no=")),
    ("a data url", re.compile(rb"data:audio/[\w.+-]+[;,]")),
)
_BEGINS_LIKE_TEXT: Constant = re.compile(rb"[\t\n\r -~]*\Z")
_LONGEST_START: Constant = 64
"""Bytes in which what begins like one of the above shows itself."""

_JSON_START: Constant = re.compile(rb"\s*[\[{]\s*[\"\[{]")
_LEAST_TEXT: Constant = 256
_BASE64: Constant = re.compile(rb"[A-Za-z0-9+/_=\r\n-]+\Z")
_CONTROL: Constant = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_LEAST_DIFFERENT: Constant = 12
_MOST_JSON: Constant = 64 * 1024


def name_of(head: bytes) -> Foreign | None:
    """Returns what the bytes begin if it is not heard, ``None`` if nothing that is known."""
    for magic in _MAGICS:
        if magic.matches(head):
            return magic.what
    for name, pattern in _TEXTS:
        if pattern.match(head):
            return Foreign(name)
    if is_json(head):
        return Foreign("json", is_whole=True)
    if len(head) >= _LEAST_TEXT and _JSON_START.match(head) and _BEGINS_LIKE_TEXT.match(head):
        return Foreign("json")
    return Foreign("text") if _is_text(head) else None


def could_be_foreign(head: bytes) -> bool:
    """Returns whether the bytes are the beginning of something foreign that is not complete."""
    if any(magic.matches(head) is None for magic in _MAGICS if len(head) >= 2):
        return True
    starts = head.lstrip()[:1] in b"<#[GPHODSRvd{" and len(head.lstrip()) > 1
    return starts and len(head) < _LONGEST_START and bool(_BEGINS_LIKE_TEXT.match(head))


def interrupts_raw(message: bytes) -> Foreign | None:
    """Returns what a later message of raw audio is if it can not be raw audio.

    Every message is looked at, so that more bytes have to be right than at the start.
    """
    if message[:1] in (b"{", b"[") and is_json(message):
        return Foreign("json", is_whole=True)
    for magic in _INTERRUPTING.get(message[:2], ()):
        if magic.matches(message):
            return magic.what
    return None


def is_json(message: bytes) -> bool:
    """Returns whether a message is a whole JSON object or list."""
    if not 2 <= len(message) <= _MOST_JSON or message.strip()[:1] not in (b"{", b"["):
        return False
    if message.strip()[-1:] not in (b"}", b"]"):
        return False
    try:
        json.loads(message)
    except (ValueError, RecursionError):
        return False
    return True


def _is_text(head: bytes) -> bool:
    """Returns whether the bytes are text.

    Samples can be all printable for a while (a loud half wave, or mu-law with an offset), but not
    for so long with small letters beside spaces, figures or capitals.
    """
    if len(head) < _LEAST_TEXT:
        return False
    try:
        text = head[: len(head) - _cut_short(head)].decode()
    except UnicodeDecodeError:
        return False
    if _CONTROL.search(text) or len(set(text)) < _LEAST_DIFFERENT:
        return False
    if not text.isascii():
        return sum(letter.isalpha() or letter.isspace() for letter in text) > len(text) / 2
    small = sum(letter.islower() for letter in text) / len(text)
    capitals = sum(letter.isupper() for letter in text) / len(text)
    spaces = sum(letter.isspace() for letter in text) / len(text)
    figures = sum(letter.isdigit() for letter in text) / len(text)
    if _BASE64.match(head):
        return small > 0.2 and capitals > 0.2 and figures > 0.03
    return small > 0.3 and spaces > 0.03 and small + capitals + spaces + figures > 0.7


def _cut_short(data: bytes) -> int:
    """Returns how many bytes at the end belong to a character that is not complete."""
    for count, longer in ((1, 0xC0), (2, 0xE0), (3, 0xF0)):
        if data[-count] >= 0xC0:
            return count if data[-count] >= longer else 0
    return 0
