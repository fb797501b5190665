"""Looks at the beginning of a stream and makes samples of it, where that can be done here."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from scripta_client.media import decodable, decode_live
from scripta_client.sources import MESSAGE_BYTES
from scripta_client.wire import DECODED, SNIFFED, AudioFormat, Encoding

BLOCK_BYTES = 3200
"""Least bytes of a message of decoded samples, a tenth of a second, while more are to come."""

_MAGICS = {
    "flac": (0, b"fLaC"),
    "ogg": (0, b"OggS\0"),
    "matroska": (0, b"\x1a\x45\xdf\xa3"),
    "mp3": (0, b"ID3"),
}
_HEAD_BYTES = 12
_WAV_TAGS: dict[tuple[int, int], Encoding] = {
    (1, 16): "linear16",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
_EXTENSIBLE = 0xFFFE
_ENDLESS_BYTES = 0x7FFF_0000
"""From here on the length in a WAV header means that its writer did not know it."""

_MAX_WAV_HEADER = 65_536


class Input:
    """A file descriptor of which the beginning can be looked at."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._head = b""
        self._left: int | None = None

    def peek(self, size: int) -> bytes:
        """Returns the next ``size`` bytes, fewer only at the end, and leaves them there."""
        while len(self._head) < size and (data := os.read(self._descriptor, MESSAGE_BYTES)):
            self._head += data
        return self._head[:size]

    def read(self, size: int) -> bytes:
        """Returns up to ``size`` bytes as soon as there are any; none at the end."""
        if self._left is not None:
            size = min(size, self._left)
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = os.read(self._descriptor, size) if size else b""
        if self._left is not None:
            self._left -= len(data)
        return data

    def end_after(self, size: int) -> None:
        """Makes it end after so many bytes."""
        self._left = size


@dataclass(frozen=True, slots=True)
class Intake:
    """Pieces of audio, and how they are encoded."""

    format: AudioFormat
    pieces: Iterator[bytes]


def take_in(input: Input, name: str, raw: AudioFormat = SNIFFED, *, as_is: bool = False) -> Intake:
    """Returns the audio of a stream, as samples at 16 kHz where it can be decoded here.

    It is left to the gateway if it is MP4 or MP3 without a tag, has more than two channels, or
    if that is asked for.

    Args:
        input: The stream; is waited for.
        name: What it is called in errors.
        raw: How it is encoded if it is raw samples. Without an encoding it is a container, or
            else samples such as the gateway takes.
        as_is: Whether to leave it as it is.

    Raises:
        OSError: If it can not be read.
    """
    if not as_is and raw.encoding is None:
        head = input.peek(_HEAD_BYTES)
        if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
            wav = _enter_wav(input)
            if wav is None:
                return Intake(DECODED, decode_live(input, name, BLOCK_BYTES, form="wav"))
            raw = wav
        elif form := _container(head):
            return Intake(DECODED, decode_live(input, name, BLOCK_BYTES, form=form))
        elif head[4:8] != b"ftyp" and not _may_be_mp3(head):
            raw = DECODED
    if as_is or raw.encoding is None or not decodable(raw):
        return Intake(raw, _whole_frames(input, raw.bytes_per_frame if raw.encoding else 1))
    if raw.bytes_per_second == DECODED.bytes_per_second and raw.encoding == DECODED.encoding:
        return Intake(DECODED, _whole_frames(input, DECODED.bytes_per_frame))
    return Intake(DECODED, decode_live(input, name, BLOCK_BYTES, raw=raw))


def _container(head: bytes) -> str:
    found = (form for form, (at, magic) in _MAGICS.items() if head[at:].startswith(magic))
    return next(found, "")


def _may_be_mp3(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2


def _enter_wav(input: Input) -> AudioFormat | None:
    """Moves to a WAV's samples and returns their format; ``None`` if a library has to.

    libavformat would hold a live WAV back until two seconds of it are there.
    """
    form: AudioFormat | None = None
    at = 12
    while at < _MAX_WAV_HEADER:
        chunk = input.peek(at + 8)[at:]
        if len(chunk) < 8:
            return None
        size = struct.unpack("<I", chunk[4:])[0]
        if chunk[:4] == b"data":
            if form is not None:
                input.read(at + 8)
                if 0 < size < _ENDLESS_BYTES:
                    input.end_after(size)
            return form
        if chunk[:4] == b"fmt ":
            form = _wav_format(input.peek(at + 8 + min(size, 40))[at + 8 :])
        at += 8 + size + size % 2
    return None


def _wav_format(chunk: bytes) -> AudioFormat | None:
    if len(chunk) < 16:
        return None
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack("<H", chunk[24:26])
    encoding = _WAV_TAGS.get((tag, bits))
    form = AudioFormat(encoding, rate, channels)
    return form if encoding is not None and decodable(form) else None


def _whole_frames(input: Input, frame: int) -> Iterator[bytes]:
    """Yields what is there as soon as it is there, cut between samples."""
    rest = b""
    while data := input.read(MESSAGE_BYTES):
        data = rest + data
        whole = len(data) - len(data) % frame
        rest = data[whole:]
        if whole:
            yield data[:whole]
