"""Pumps for MP3, AAC, FLAC and their like, frames in a row: no demuxer stands between."""

from __future__ import annotations

from collections import deque
from typing import Final as Constant

from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.packet import Packet

from scripta_gateway.audio.amr import BY_MAGIC, LONGEST_MAGIC
from scripta_gateway.audio.cutter import Frame, FrameCutter
from scripta_gateway.audio.errors import AudioError, middle_of
from scripta_gateway.audio.flacframes import (
    FlacCutter,
    FlacHeader,
    find_flac_frame,
    frame_end,
    read_flac_header,
    stream_info,
)
from scripta_gateway.audio.framing import Framing
from scripta_gateway.audio.inlet import Inlet
from scripta_gateway.audio.mpeg import MP3_CODEC, encoder_delay
from scripta_gateway.audio.mpegts import TransportStream
from scripta_gateway.audio.packets import PacketDecoder
from scripta_gateway.audio.timeline import JITTER_SECONDS
from scripta_gateway.bounds import MAX_LOST_SECONDS

_READ_BYTES: Constant = 16 * 1024
_FLAC_BLOCK_HEAD: Constant = 4
_STREAMINFO_BYTES: Constant = 34


def _codec(name: str) -> AudioCodecContext:
    codec = CodecContext.create(name, "r")
    if not isinstance(codec, AudioCodecContext):
        raise TypeError(f"{name} is not an audio codec")
    codec.thread_count = 1
    return codec


class _FramedPump:
    """Decodes frames that each carry a header, whatever kind they are of."""

    def __init__(self, inlet: Inlet, framing: Framing | None = None) -> None:
        self._inlet = inlet
        self._decoder = PacketDecoder(inlet)
        self._cutter = FrameCutter(inlet.name, framing)
        self._codec: AudioCodecContext | None = None
        self._skip = 0
        # How long the last frame was.
        self._seconds = 0.0
        # Times of the first frames that begin at or behind an offset.
        self._times: deque[tuple[int, float]] = deque()
        # When the next frame begins if none is missing.
        self._due: float | None = None
        # Whether something is missing before the next frame, however short.
        self._broken = False

    def run(self, data: bytes = b"") -> None:
        """Decodes every frame of the data and the inlet as soon as it is complete."""
        inlet, cutter = self._inlet, self._cutter
        while data := data or inlet.read(_READ_BYTES):
            self.push(data)
            data = b""
            if cutter.framing is None and cutter.held.startswith(b"fLaC"):
                FlacPump(inlet, cutter.held).run()
                return
            inlet.at_rest, inlet.excused = cutter.at_rest, cutter.in_tag
        self.finish()

    def break_off(self) -> None:
        """Gives up the frame that is not complete: what comes next is not its rest."""
        self._cutter.break_off()
        self._broken = True

    def finish(self) -> None:
        """Decodes what only the end of the stream makes certain."""
        for frame in self._cutter.settle():
            self._take(frame)

    def push(self, data: bytes, time: float | None = None) -> None:
        """Decodes the frames that these bytes complete.

        Args:
            data: The bytes.
            time: When the first frame that begins in them begins, in seconds, if it is known.
        """
        if time is not None:
            at = self._cutter.came
            if self._times and self._times[-1][0] == at:
                self._times.pop()  # nothing came behind it
            self._times.append((at, time))
        for frame in self._cutter.push(data):
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        header = frame.header
        if self._codec is None:
            self._codec = _codec(header.codec)
            delay = encoder_delay(frame.data) if header.codec == MP3_CODEC else None
            if delay is not None:
                self._skip = delay
                return
        elif self._codec.name != header.codec:  # AC-3 and E-AC-3 may follow each other
            self._codec = _codec(header.codec)
        time = self._time_of(frame)
        if frame.lost or self._broken or self._is_late(time):
            # What the last frame left for the next one to overlap with would be a click.
            self._codec.flush_buffers()
        self._broken = False
        if frame.lost:
            self._inlet.sink.silence(min(frame.lost * self._seconds, MAX_LOST_SECONDS))
        usual = self._seconds or header.seconds
        took = self._decoder.decode(self._codec, Packet(frame.data), self._skip, usual, time)
        begins = self._due if time is None else time
        self._due = None if begins is None else begins + took
        # The header may not know: AAC may have twice the rate that it says.
        self._seconds = took or self._seconds
        self._skip = max(0, self._skip - header.samples)

    def _is_late(self, time: float | None) -> bool:
        """Returns whether frames are missing before one that begins at a time."""
        if time is None or self._due is None:
            return False
        return abs(time - self._due) > JITTER_SECONDS

    def _time_of(self, frame: Frame) -> float | None:
        """Returns when a frame begins, if that is known."""
        time = None
        while self._times and self._times[0][0] <= frame.at:
            time = self._times.popleft()[1]
        return time


def decode_frames(inlet: Inlet) -> None:
    """Pump for MP3, AAC and whatever else comes in frames that each carry a header."""
    _FramedPump(inlet).run()


def decode_amr(inlet: Inlet) -> None:
    """Pump for AMR."""
    head = b""
    while len(head) < LONGEST_MAGIC and (part := inlet.read(_READ_BYTES)):
        head += part
    for magic, framing in BY_MAGIC.items():
        if head.startswith(magic):
            _FramedPump(inlet, framing).run(head[len(magic) :])


def decode_transport_stream(inlet: Inlet) -> None:
    """Pump for MPEG transport streams."""
    stream, frames = TransportStream(inlet.name), _FramedPump(inlet)
    while data := inlet.read(_READ_BYTES):
        for part in stream.push(data):
            if part.joint:
                frames.break_off()
            frames.push(bytes(part.data), part.time)
    frames.finish()


class FlacPump:
    """Decodes one FLAC stream."""

    def __init__(self, inlet: Inlet, begun: bytes = b"") -> None:
        self._inlet = inlet
        self._begun = bytearray(begun)
        self._decoder = PacketDecoder(inlet)
        self._codec = _codec("flac")
        self._codec.options = {"err_detect": "crccheck+explode"}
        self._total = 0
        self._next_number: int | None = None

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
                self._take(frame)
            if not inlet.pending:
                self._try_tail(frames)
                if 0 < self._total <= inlet.sink.samples:
                    return

    def _take(self, piece: bytes) -> None:
        """Decodes a frame, or what of it is whole if damage lies behind it."""
        header = read_flac_header(piece, 0)
        self._fill_gap(header)
        frames = self._decoder.frames_of(self._codec, Packet(piece))
        if frames is None:
            for end in frame_end(piece[:-1]):
                frames = self._decoder.frames_of(self._codec, Packet(piece[:end]))
                if frames is not None:
                    break
        self._decoder.count(damaged=frames is None)
        for frame in frames or ():
            self._inlet.sink.add(frame)
        if frames and header is not None:
            self._next_number = header.next_number

    def _fill_gap(self, header: FlacHeader | None) -> None:
        """Adds silence in place of the frames that are missing before one."""
        if header is None or self._next_number is None or not header.sample_rate:
            return
        missing = header.number - self._next_number
        if missing > 0:
            samples = missing if header.varies else missing * header.samples
            self._inlet.sink.silence(min(samples / header.sample_rate, MAX_LOST_SECONDS))
            self._next_number = header.number

    def _try_tail(self, frames: FlacCutter) -> None:
        """Decodes what may be the last frame before a pause; if not whole, it goes on waiting."""
        self._inlet.at_rest = not frames.tail_bytes
        if not frames.tail_is_whole():
            return
        last = self._decoder.frames_of(self._codec, Packet(frames.tail))
        if last:
            header = read_flac_header(frames.tail, 0)
            self._fill_gap(header)
            for frame in last:
                self._inlet.sink.add(frame)
            if header is not None:
                self._next_number = header.next_number
            frames.take_tail()
            self._inlet.at_rest = True

    def _read_head(self) -> tuple[bytes, bytes]:
        """Returns STREAMINFO and the bytes behind all metadata, which may be large."""
        head = self._begun
        info, last = b"", False
        self._fill(head, _FLAC_BLOCK_HEAD)
        if not head.startswith(b"fLaC"):
            return self._join(head)
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

    def _join(self, head: bytearray) -> tuple[bytes, bytes]:
        """Returns STREAMINFO as a frame tells it, and the bytes from that frame on."""
        self._inlet.excused = False
        while (found := find_flac_frame(head)) is None:
            self._fill(head, len(head) + 1)
        header, at = found
        if not header.sample_rate or not header.bits:
            raise middle_of("flac whose frames do not tell their format")
        return stream_info(header), bytes(head[at:])

    def _fill(self, head: bytearray, size: int) -> None:
        while len(head) < size:
            part = self._inlet.read(_READ_BYTES)
            if not part:
                raise AudioError("the flac data ends within its header")
            head += part


def decode_flac(inlet: Inlet) -> None:
    """Pump for FLAC."""
    FlacPump(inlet).run()
