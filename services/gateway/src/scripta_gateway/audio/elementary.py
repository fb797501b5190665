"""Pumps for MP3 and FLAC, which are frames in a row: no demuxer stands between."""

from __future__ import annotations

from typing import Any
from typing import Final as Constant

from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.packet import Packet

from scripta_gateway.audio.demux import PacketDecoder
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.inlet import Inlet
from scripta_gateway.audio.mpeg import FrameCutter, FrameHeader, encoder_delay

_READ_BYTES: Constant = 16 * 1024
_FLAC_BLOCK_HEAD: Constant = 4
_STREAMINFO_BYTES: Constant = 34
_PARSER_DEPTH: Constant = 12
"""Frames that the FLAC parser may hold back to tell headers from chance."""


def _codec(name: str) -> AudioCodecContext:
    codec = CodecContext.create(name, "r")
    if not isinstance(codec, AudioCodecContext):
        raise TypeError(f"{name} is not an audio codec")
    codec.thread_count = 1
    return codec


def decode_mp3(inlet: Inlet) -> None:
    """Pump for MP3: every frame as soon as it is complete."""
    codec, decoder, cutter = _codec("mp3float"), PacketDecoder(inlet), FrameCutter()
    skip, first = 0, True
    while data := inlet.read(_READ_BYTES):
        for header, frame in cutter.push(data):
            delay = encoder_delay(frame, header) if first else None
            first = False
            if delay is not None:
                skip = delay
                continue
            decoder.decode(codec, Packet(frame), skip)
            skip = max(0, skip - _samples(header))
        inlet.at_rest, inlet.excused = cutter.at_rest, cutter.in_tag


def _samples(header: FrameHeader) -> int:
    return 1152 if header.version == 3 else 576


class _FlacFrames:
    """Finds FLAC frames; gives all that are complete on request."""

    def __init__(self, extradata: bytes) -> None:
        self._extradata = extradata
        self._parser = self._fresh()
        self.fed = False

    def _fresh(self) -> AudioCodecContext:
        parser = _codec("flac")
        parser.extradata = self._extradata
        return parser

    def push(self, data: bytes) -> list[Packet[Any]]:
        """Returns frames; the last few are held back."""
        self.fed = self.fed or bool(data)
        return self._parser.parse(data)

    def release(self) -> list[Packet[Any]]:
        """Returns all that is held back; the last one may lack its end."""
        packets: list[Packet[Any]] = []
        # One flush gives one frame.
        while self.fed and (more := self._parser.parse(None)):
            packets += more
        self._parser, self.fed = self._fresh(), False
        return packets


class FlacPump:
    """Decodes one FLAC stream."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._decoder = PacketDecoder(inlet)
        self._codec = _codec("flac")
        self._codec.options = {"err_detect": "crccheck"}
        self._total = 0
        self._block = 0

    def run(self) -> None:
        """Decodes until the stream ends: where its header says, or the inlet does."""
        inlet = self._inlet
        inlet.excused = True
        info, rest = self._read_head()
        self._block = int.from_bytes(info[2:4], "big")
        self._total = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
        self._codec.extradata = info
        frames = _FlacFrames(info)
        inlet.excused = False
        inlet.on_flush = lambda: self._release(frames)
        while data := rest or inlet.read(_READ_BYTES):
            rest = b""
            inlet.at_rest = False
            for packet in frames.push(data):
                self._decoder.decode(self._codec, packet)
            if self._total and self._missing() <= _PARSER_DEPTH * self._block:
                self._release(frames)
                if self._missing() <= 0:
                    return
        self._release(frames)

    def _missing(self) -> int:
        return self._total - self._inlet.sink.samples

    def _release(self, frames: _FlacFrames) -> None:
        """Decodes the frames held back; an incomplete last one goes on waiting."""
        packets = frames.release()
        for packet in packets[:-1]:
            self._decoder.decode(self._codec, packet)
        self._inlet.at_rest = True
        if packets and not self._decoder.decode(self._codec, packets[-1]):
            self._inlet.at_rest = False
            frames.push(bytes(packets[-1]))

    def _read_head(self) -> tuple[bytes, bytes]:
        """Returns STREAMINFO and the bytes behind all metadata, which may be large."""
        head = bytearray()
        info, last = b"", False
        self._fill(head, _FLAC_BLOCK_HEAD)
        del head[:_FLAC_BLOCK_HEAD]
        while not last:
            self._fill(head, _FLAC_BLOCK_HEAD)
            last, kind = bool(head[0] & 128), head[0] & 127
            size = int.from_bytes(head[1:4], "big")
            del head[:_FLAC_BLOCK_HEAD]
            if not info:
                if kind != 0 or size != _STREAMINFO_BYTES:
                    raise AudioError("the flac header is damaged")
                self._fill(head, size)
                info = bytes(head[:size])
            while size > len(head):
                size -= len(head)
                head.clear()
                self._fill(head, 1)
            del head[:size]
        return info, bytes(head)

    def _fill(self, head: bytearray, size: int) -> None:
        while len(head) < size:
            part = self._inlet.read(_READ_BYTES)
            if not part:
                raise AudioError("the flac data ends within its header")
            head += part


def decode_flac(inlet: Inlet) -> None:
    """Pump for FLAC."""
    FlacPump(inlet).run()
