"""MPEG audio layer III frames: reading a header, cutting a byte stream into frames.

Frames are cut here and not by a demuxer because a demuxer reads ahead in blocks and would keep
the last words of an upload until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError

HEADER_BYTES: Constant = 4
_MAX_JUNK: Constant = 64 * 1024
_DECODER_DELAY: Constant = 529
_RATES: Constant = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS_1: Constant = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2: Constant = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SIDE_INFO: Constant = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the four bytes before a frame say.

    Attributes:
        version: The two version bits (3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5).
        sample_rate: In Hz.
        mono: One channel, not two.
        frame_bytes: Size of the frame with its header.
    """

    version: int
    sample_rate: int
    mono: bool
    frame_bytes: int

    def alike(self, other: FrameHeader) -> bool:
        """Whether both can be frames of one stream."""
        return self.version == other.version and self.sample_rate == other.sample_rate


def read_header(data: bytes | bytearray, at: int = 0) -> FrameHeader | None:
    """Returns the layer III header at an offset, or ``None`` if there is none.

    Free-format streams (no bit rate in the header) count as none.
    """
    if len(data) < at + HEADER_BYTES or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version = data[at + 1] >> 3 & 3
    kbps_index, rate_index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or rate_index == 3 or not 0 < kbps_index < 15:
        return None
    rate = _RATES[version][rate_index]
    kbps, bytes_per_kbit = (_KBPS_1, 144_000) if version == 3 else (_KBPS_2, 72_000)
    size = bytes_per_kbit * kbps[kbps_index] // rate + (data[at + 2] >> 1 & 1)
    return FrameHeader(version, rate, data[at + 3] >> 6 == 3, size)


def could_be_header(data: bytes) -> bool:
    """Whether these bytes, of which there may be few, begin like a frame."""
    if len(data) >= HEADER_BYTES:
        return read_header(data) is not None
    return data[:1] == b"\xff" and (len(data) < 2 or data[1] & 0xE6 == 0xE2)


def tag_bytes(data: bytes | bytearray) -> int | None:
    """Returns the size of the tag that the data begins with, 0 if with none.

    ``None`` stands for too few bytes to tell.
    """
    if data.startswith(b"ID3"):
        if len(data) < 10:
            return None
        size = (data[6] & 127) << 21 | (data[7] & 127) << 14 | (data[8] & 127) << 7 | data[9] & 127
        return 10 + size + (10 if data[5] & 16 else 0)
    if data.startswith(b"TAG"):
        return 128
    if data.startswith(b"APETAGEX"):
        return None if len(data) < 32 else 32 + int.from_bytes(data[12:16], "little")
    short = bytes(data[:8])
    return None if any(tag.startswith(short) for tag in (b"ID3", b"TAG", b"APETAGEX")) else 0


def encoder_delay(frame: bytes, header: FrameHeader) -> int | None:
    """Returns the samples to drop at the start if the frame is an encoder's information frame.

    ``None`` for a frame of audio.
    """
    at = HEADER_BYTES + _SIDE_INFO[header.version == 3, header.mono]
    if frame[at : at + 4] not in (b"Xing", b"Info") or len(frame) < at + 8:
        return None
    flags = frame[at + 7]
    lame = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1)
    lame += 4 * (flags >> 3 & 1)
    known = frame[lame : lame + 4] in (b"LAME", b"Lavf", b"Lavc")
    if not known or len(frame) < lame + 23:
        return 0
    return (frame[lame + 21] << 4 | frame[lame + 22] >> 4) + _DECODER_DELAY


class FrameCutter:
    """Cuts a byte stream into frames; steps over tags and looks for sync after damage."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skip = 0
        self._junk = 0
        self._last: FrameHeader | None = None

    @property
    def at_rest(self) -> bool:
        """Whether the bytes so far ended with a frame or a tag."""
        return not self._held and not self._skip

    @property
    def in_tag(self) -> bool:
        """Whether a tag of known size is still arriving."""
        return self._skip > 0

    def push(self, data: bytes) -> list[tuple[FrameHeader, bytes]]:
        """Returns the frames that these bytes complete.

        Raises:
            AudioError: There was no frame in 64 KiB.
        """
        self._held += data
        frames: list[tuple[FrameHeader, bytes]] = []
        at = 0
        while (step := self._step(at, frames)) > 0:
            at += step
        del self._held[:at]
        return frames

    def _step(self, at: int, frames: list[tuple[FrameHeader, bytes]]) -> int:
        """Takes one frame, tag or stretch of junk; returns its bytes, 0 if more are needed."""
        if at >= len(self._held):
            return 0
        if self._skip:
            step = min(self._skip, len(self._held) - at)
            self._skip -= step
            return step
        header = read_header(self._held, at)
        if header is None or not self._trusted(at, header):
            return self._step_over(at)
        if len(self._held) < at + header.frame_bytes:
            return 0
        frames.append((header, bytes(self._held[at : at + header.frame_bytes])))
        self._last, self._junk = header, 0
        return header.frame_bytes

    def _trusted(self, at: int, header: FrameHeader) -> bool:
        """Whether a header found after junk is followed by another one, as far as is known."""
        if not self._junk or (self._last is not None and self._last.alike(header)):
            return True
        following = at + header.frame_bytes
        if len(self._held) < following + HEADER_BYTES:
            return True
        follower = read_header(self._held, following)
        return follower is not None and follower.alike(header)

    def _step_over(self, at: int) -> int:
        head = self._held[at : at + 32]
        size = tag_bytes(head)
        if size:
            self._skip = size
            return self._step(at, [])
        if len(head) < HEADER_BYTES or size is None:
            return 0
        sync = self._held.find(b"\xff", at + 1)
        step = (sync if sync >= 0 else len(self._held)) - at
        self._junk += step
        if self._junk > _MAX_JUNK:
            raise AudioError("the mp3 data is damaged")
        return step
