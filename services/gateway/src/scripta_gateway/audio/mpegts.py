"""MPEG transport streams, as radio, television and HLS have them: the audio track and its times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final as Constant

from scripta_gateway.audio.errors import AudioError

_PACKET: Constant = 188
_SYNC: Constant = 0x47
_ROW: Constant = 8
_FEW: Constant = 3
_STARTS: Constant = (0, 4)
"""Where the first packet stands in a file, plain and with a time before it."""
STRIDES: Constant = (188, 192, 204)
"""Bytes from packet to packet: plain, on camcorders' cards, and with what corrects errors."""

_PROGRAMS_PID: Constant = 0
_STUFFING_PID: Constant = 0x1FFF
_AUDIO: Constant = {0x03, 0x04, 0x0F, 0x11, 0x81, 0x87}
"""MPEG layers I to III, AAC in ADTS and in LOAS, AC-3, E-AC-3."""
_PRIVATE: Constant = 0x06
_AC3_DESCRIPTORS: Constant = {0x6A, 0x7A}

_PES_HEAD: Constant = 9
_TIME_END: Constant = _PES_HEAD + 5
_TIME_HZ: Constant = 90_000
_TIME_WRAPS: Constant = 1 << 33


@dataclass(slots=True)
class Part:
    """A part of the audio track.

    Attributes:
        time: When the first frame that begins in it begins, in seconds, if that is known.
        joint: Whether packets before it were lost.
        data: Its bytes.
    """

    time: float | None = None
    joint: bool = False
    data: bytearray = field(default_factory=bytearray)


def synced(data: bytes, at: int, stride: int, few: int = _FEW) -> bool | None:
    """Returns whether packets stand in a row from an offset; ``None`` if the data is too short.

    Less than ``few`` of them are as good as none.

    Besides the sync bytes, the counters of a track's packets have to go up: a steady tone can
    have any byte at any distance again.
    """
    counters: dict[int, int] = {}
    compared = 0
    for place in range(at, at + _ROW * stride, stride):
        head = data[place : place + 4]
        if len(head) < 4:
            return None if place >= at + few * stride else False
        if head[0] != _SYNC or head[1] & 0x80 or head[3] & 0xC0 or not head[3] & 0x30:
            return False
        pid = (head[1] & 0x1F) << 8 | head[2]
        if pid == _STUFFING_PID or not head[3] & 0x10:
            continue
        if pid in counters:
            if head[3] & 15 != counters[pid] + 1 & 15:
                return False
            compared += 1
        counters[pid] = head[3] & 15
    return compared > 0


def find_packets(data: bytes) -> bool | None:
    """Returns whether packets stand in a row anywhere; ``None`` if more bytes may tell."""
    undecided = False
    start = data.find(_SYNC, 0, STRIDES[-1])
    while start >= 0:
        for stride in STRIDES:
            found = synced(data, start, stride, 1 if start in _STARTS else _FEW)
            if found:
                return True
            undecided |= found is None
        start = data.find(_SYNC, start + 1, STRIDES[-1])
    return None if undecided else False


class TransportStream:
    """Gives the bytes of the first audio track and their times. Damaged packets are left out.

    Args:
        name: The stream's name in messages to clients.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held = bytearray()
        self._stride = 0
        # Bytes of the next data that still belong to the last packet's stride.
        self._skip = 0
        self._tracks_pid: int | None = None
        self._audio_pid: int | None = None
        self._in_packet = False
        self._clock = _Clock()
        # The last packet of audio.
        self._last = b""

    def push(self, data: bytes) -> list[Part]:
        """Returns the audio that these bytes complete, a part for each time and each joint.

        Raises:
            AudioError: There is no audio track that can be heard.
        """
        self._held += data[self._skip :]
        self._skip = max(0, self._skip - len(data))
        parts: list[Part] = []
        at = 0
        while len(self._held) >= at + _PACKET:
            if not self._stride or self._held[at] != _SYNC:
                found = self._synchronise(at)
                if found is None:
                    # No row can begin in what lies farther back.
                    if len(self._held) - at > 2 * _ROW * STRIDES[-1]:
                        at = len(self._held) - _ROW * STRIDES[-1]
                    break
                at = found
                continue
            self._take(bytes(self._held[at : at + _PACKET]), parts)
            at += self._stride
        self._skip += max(0, at - len(self._held))
        del self._held[:at]
        return parts

    def _synchronise(self, at: int) -> int | None:
        """Returns where packets stand in a row again; ``None`` if they do not yet."""
        window = bytes(self._held[at:])
        for start in range(len(window)):
            for stride in STRIDES:
                if synced(window, start, stride):
                    self._stride = stride
                    return at + start
        return None

    def _take(self, packet: bytes, parts: list[Part]) -> None:
        """Adds the audio in a packet to the parts."""
        pid, begins = (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & 0x40)
        start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        if packet[1] & 0x80 or not packet[3] & 0x10 or start >= _PACKET:
            return
        body = packet[start:]
        if pid == _PROGRAMS_PID and begins:
            self._read_programs(body)
        elif pid == self._tracks_pid and begins and self._audio_pid is None:
            self._read_tracks(body)
        elif pid == self._audio_pid:
            last, self._last = self._last, packet
            step = packet[3] - last[3] & 15 if last else 1
            if step or packet[-len(body) :] != last[-len(body) :]:  # none sent a second time
                self._take_audio(body, parts, begins=begins, joint=step != 1)

    def _take_audio(self, body: bytes, parts: list[Part], *, begins: bool, joint: bool) -> None:
        time = None
        if begins:
            self._in_packet = body.startswith(b"\0\0\1") and len(body) >= _PES_HEAD
            if self._in_packet:
                time, body = self._clock.read(body), body[_PES_HEAD + body[8] :]
        if joint or time is not None or not parts:
            parts.append(Part(time, joint))
        if self._in_packet:
            parts[-1].data += body

    def _read_programs(self, body: bytes) -> None:
        section = _section(body, 0)
        for at in range(8, len(section) - 3, 4):
            if section[at] or section[at + 1]:
                self._tracks_pid = (section[at + 2] & 0x1F) << 8 | section[at + 3]
                return

    def _read_tracks(self, body: bytes) -> None:
        section = _section(body, 2)
        if len(section) < 12:
            return
        at = 12 + ((section[10] & 0x0F) << 8 | section[11])
        while at + 5 <= len(section):
            kind, pid = section[at], (section[at + 1] & 0x1F) << 8 | section[at + 2]
            end = at + 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
            if kind in _AUDIO or (kind == _PRIVATE and _is_ac3(section[at + 5 : end])):
                self._audio_pid = pid
                return
            at = end
        raise AudioError(f"the {self._name} data has no audio track that is supported")


class _Clock:
    """Makes seconds of the times in a track, which begin again at 0 once in 26 hours."""

    def __init__(self) -> None:
        self._ticks: int | None = None

    def read(self, head: bytes) -> float | None:
        """Returns the time in the head of a track's packet, ``None`` if there is none."""
        if not head[7] & 0x80 or len(head) < _TIME_END or not head[9] & head[11] & head[13] & 1:
            return None
        ticks = (head[9] >> 1 & 7) << 30 | head[10] << 22 | head[11] >> 1 << 15
        ticks |= head[12] << 7 | head[13] >> 1
        if self._ticks is not None:
            half = _TIME_WRAPS // 2
            ticks = self._ticks + (ticks - self._ticks + half) % _TIME_WRAPS - half
        self._ticks = ticks
        return ticks / _TIME_HZ


def _section(body: bytes, table: int) -> bytes:
    """Returns a table without its check sum; empty if it is another one, or goes on elsewhere."""
    start = 1 + body[0]
    if len(body) < start + 3 or body[start] != table:
        return b""
    size = 3 + ((body[start + 1] & 0x0F) << 8 | body[start + 2])
    return body[start : start + size - 4] if len(body) >= start + size else b""


def _is_ac3(descriptors: bytes) -> bool:
    at = 0
    while at + 2 <= len(descriptors):
        if descriptors[at] in _AC3_DESCRIPTORS:
            return True
        at += 2 + descriptors[at + 1]
    return False
