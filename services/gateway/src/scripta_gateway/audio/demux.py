"""Pumps for containers, by libavformat."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from typing import Final as Constant

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError
from av.packet import Packet

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.extent import Mp4Extent
from scripta_gateway.audio.inlet import Inlet

# The format is known and the headers say the rest: probing would only delay the first words.
_OPTIONS: Constant = {"probesize": "32", "analyzeduration": "0"}
_BUFFER_BYTES: Constant = 4096
_BAD_IN_A_ROW: Constant = 50
_MP4_INDEX_FACTOR: Constant = 8


class PacketDecoder:
    """Decodes packets into an inlet's sink; forgives some damage."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._bad = 0

    def decode(self, codec: AudioCodecContext, packet: Packet[Any] | None, skip: int = 0) -> bool:
        """Decodes a packet (``None``: the last one was); whether it was well.

        Raises:
            AudioError: Too many packets in a row were damaged.
        """
        self._inlet.check()
        try:
            frames = codec.decode(packet)
        except FFmpegError as error:
            self._bad += 1
            if self._bad >= _BAD_IN_A_ROW:
                raise AudioError(f"the {self._inlet.name} data is damaged") from error
            return False
        for frame in frames:
            self._bad = 0
            self._inlet.sink.add(frame, skip)
        return True


class _Streamed:
    """A file without seek: all of an inlet that libavformat is to see."""

    def __init__(self, inlet: Inlet, prefix: bytes = b"") -> None:
        self._inlet = inlet
        self._prefix = prefix

    def read(self, size: int) -> bytes:
        if self._prefix:
            part, self._prefix = self._prefix[:size], self._prefix[size:]
            return part
        return self._inlet.read(size)


def _demux(inlet: Inlet, file: _Streamed | io.BytesIO, form: str) -> None:
    decoder = PacketDecoder(inlet)
    with av.open(
        file, mode="r", format=form, options=dict(_OPTIONS), buffer_size=_BUFFER_BYTES
    ) as container:
        if not container.streams.audio:
            raise AudioError(f"the {inlet.name} data has no audio track")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        codec.thread_count = 1
        for packet in container.demux(stream):
            decoder.decode(codec, packet)


def demux_stream(form: str) -> Callable[[Inlet], None]:
    """Returns a pump for a libavformat format that can be read as it comes."""

    def pump(inlet: Inlet) -> None:
        _demux(inlet, _Streamed(inlet), form)
        if not inlet.ended:
            raise AudioError(f"the {inlet.name} data is damaged")

    return pump


def demux_mp4(inlet: Inlet) -> None:
    """Pump for MP4: as it comes if its index comes first, else when all has arrived."""
    inlet.fruitless_limit *= _MP4_INDEX_FACTOR
    inlet.excused = True
    layout, head = Mp4Extent(), b""
    while layout.media_first is None:
        part = inlet.read(_BUFFER_BYTES)
        if not part:
            raise AudioError("the mp4 data holds no audio")
        layout.take(part)
        head += part
        if len(head) > inlet.limits.fruitless_bytes:
            raise AudioError("no audio was found in the mp4 data")
    if not layout.media_first:
        inlet.excused = False
        _demux(inlet, _Streamed(inlet, head), "mov")
    else:
        _demux_whole(inlet, head)
    if not inlet.ended:
        raise AudioError("the mp4 data is damaged")


def _demux_whole(inlet: Inlet, head: bytes) -> None:
    """Keeps the file until its index, the last part, is there."""
    file = io.BytesIO(head)
    file.seek(0, io.SEEK_END)
    taken = 0
    try:
        while part := inlet.read(64 * 1024):
            if file.tell() + len(part) > inlet.limits.file_bytes:
                raise AudioError(
                    f"an mp4 file with its index at the end may have at most "
                    f"{inlet.limits.file_bytes} bytes; put the index first (faststart)"
                )
            inlet.budget.buffer(len(part))
            taken += len(part)
            file.write(part)
        file.seek(0)
        _demux(inlet, file, "mov")
    finally:
        inlet.budget.unbuffer(taken)
