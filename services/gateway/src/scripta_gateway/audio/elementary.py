"""Pumps for MP3 and FLAC, which are frames in a row: no demuxer stands between."""

from __future__ import annotations

from typing import Final as Constant

from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.packet import Packet

from scripta_gateway.audio.demux import PacketDecoder
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.flacframes import FlacCutter
from scripta_gateway.audio.inlet import Inlet
from scripta_gateway.audio.mpeg import FrameCutter, FrameHeader, encoder_delay

_READ_BYTES: Constant = 16 * 1024
_FLAC_BLOCK_HEAD: Constant = 4
_STREAMINFO_BYTES: Constant = 34


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


class FlacPump:
    """Decodes one FLAC stream."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._decoder = PacketDecoder(inlet)
        self._codec = _codec("flac")
        self._codec.options = {"err_detect": "crccheck+explode"}
        self._total = 0

    def run(self) -> None:
        """Decodes until the stream ends: where its header says, or the inlet does."""
        inlet = self._inlet
        inlet.excused = True
        info, rest = self._read_head()
        self._total = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
        self._codec.extradata = info
        inlet.excused = False
        frames = FlacCutter(int.from_bytes(info[7:10], "big"))
        while data := rest or inlet.read(_READ_BYTES):
            rest = b""
            for frame in frames.push(data):
                self._decoder.decode(self._codec, Packet(frame))
            if not inlet.pending:
                self._try_tail(frames)
                if 0 < self._total <= inlet.sink.samples:
                    return

    def _try_tail(self, frames: FlacCutter) -> None:
        """Decodes what may be the last frame before a pause; if not whole, it goes on waiting."""
        self._inlet.at_rest = not frames.tail_bytes
        if not frames.tail_is_whole():
            return
        last = self._decoder.frames_of(self._codec, Packet(frames.tail))
        if last:
            for frame in last:
                self._inlet.sink.add(frame)
            frames.take_tail()
            self._inlet.at_rest = True

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
