"""Pumps for containers, by libavformat."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from typing import Final as Constant

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.packet import Packet

from scripta_gateway.audio.errors import AudioError, middle_of
from scripta_gateway.audio.extent import CafExtent, Mp4Extent
from scripta_gateway.audio.flacframes import read_flac_header
from scripta_gateway.audio.inlet import Inlet
from scripta_gateway.audio.layouts import check_layout
from scripta_gateway.audio.mp4mend import FragmentMender
from scripta_gateway.audio.oggjoin import join_ogg
from scripta_gateway.audio.packets import PacketDecoder
from scripta_gateway.audio.webmjoin import join_webm
from scripta_gateway.audio.webmmend import WebmMender

_CODECS: Constant = (
    "opus", "libopus", "vorbis", "speex", "flac", "alac", "aac", "aac_latm",
    "mp3", "mp3float", "mp2", "mp2float", "ac3", "eac3", "amrnb", "amrwb", "g722", "g726", "gsm",
    "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le",
    "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw",
    "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "gsm_ms",
)  # fmt: skip
"""What recorders, phones, radios and browsers make. Each one is more C code that is exposed."""

_OPTIONS: Constant = {
    # The format is known and the headers say the rest: probing would only delay the first words.
    "probesize": "32",
    "analyzeduration": "0",
    # No decoder of pictures or subtitles, and nothing that a file names elsewhere.
    "codec_whitelist": ",".join(_CODECS),
    "format_whitelist": "ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,wav,caf",
    "protocol_whitelist": "",
}
_TIMED: Constant = ("ogg", "matroska", "mov")
"""Formats in which packets carry times. Those of others are counted from what was decoded."""
_BUFFER_BYTES: Constant = 4096
_MAX_BUFFER_BYTES: Constant = 256 * 1024
_MP4_INDEX_FACTOR: Constant = 8
_FASTSTART: Constant = "; put the index first (faststart)"


class _Streamed:
    """A file without seek: all of an inlet that libavformat is to see.

    What the inlet raises must not unwind through libavformat, which drops it with a complaint
    on stderr: it reads as the end of the file, and ``check`` raises it afterwards.
    """

    def __init__(self, read: Callable[[int], bytes], prefix: bytes = b"") -> None:
        self._read = read
        self._ahead = memoryview(prefix)
        self._cause: AudioError | None = None

    def read(self, size: int) -> bytes:
        if not self._ahead and self._cause is None:
            try:
                self._ahead = memoryview(self._read(size))
            except AudioError as cause:
                self._cause = cause
        # More than was asked for would be written past libavformat's buffer.
        part, self._ahead = self._ahead[:size], self._ahead[size:]
        return bytes(part)

    def check(self) -> None:
        """Raises what the inlet raised."""
        if self._cause is not None:
            raise self._cause


def demux(
    inlet: Inlet,
    form: str,
    prefix: bytes = b"",
    *,
    timed: bool = True,
    read: Callable[[int], bytes] | None = None,
) -> None:
    """Decodes the first audio track of a prefix and what the inlet brings, as it comes.

    Within the prefix (up to 256 KiB) the demuxer may go back.

    Args:
        inlet: Brings the stream, and takes its audio.
        form: The format, by libavformat's name.
        prefix: What comes first.
        timed: Whether the times of packets are true, if the format has any.
        read: Brings the stream instead of the inlet.
    """
    file = _Streamed(read or inlet.read, prefix)
    try:
        buffer_bytes = min(max(_BUFFER_BYTES, len(prefix)), _MAX_BUFFER_BYTES)
        _demux(inlet, file, form, buffer_bytes, timed=timed)
    finally:
        file.check()


def _demux(
    inlet: Inlet,
    file: _Streamed | io.BytesIO,
    form: str,
    buffer_bytes: int = _BUFFER_BYTES,
    *,
    timed: bool = True,
) -> None:
    decoder = PacketDecoder(inlet, timed=timed and form in _TIMED)
    with av.open(
        file, mode="r", format=form, options=dict(_OPTIONS), buffer_size=buffer_bytes
    ) as container:
        if not container.streams.audio:
            raise AudioError(f"the {inlet.name} data has no audio track")
        stream = container.streams.audio[0]
        codec = _codec_of(stream)
        for packet in container.demux(stream):
            if form == "ogg" and codec.name == "flac":
                packet.pts = _flac_position(packet)
            decoder.decode(codec, packet)


def _flac_position(packet: Packet[Any]) -> int | None:
    """Returns the first sample of a packet of Ogg/FLAC, by its own header.

    Ogg says where pages end. Libavformat takes the first page for the start of the stream, and
    finds out about lost ones a page late.
    """
    header = read_flac_header(bytes(packet), 0)
    if header is None:
        return None
    return header.number if header.varies else header.number * header.samples


def _codec_of(stream: AudioStream) -> AudioCodecContext:
    """Returns a decoder for a track."""
    codec: AudioCodecContext | None = stream.codec_context
    if codec is None or codec.name not in _CODECS:
        raise AudioError("the audio's codec is not supported")
    if codec.layout.nb_channels and codec.sample_rate:
        check_layout(codec.layout.nb_channels, codec.sample_rate)
    if codec.name == "opus" and "libopus" in av.codecs_available:
        # A quarter of the memory of libavcodec's own decoder: 50 kB a stream.
        slim = CodecContext.create("libopus", "r")
        if isinstance(slim, AudioCodecContext):
            slim.extradata = codec.extradata
            slim.sample_rate = 48_000
            slim.layout = codec.layout
            codec = slim
    codec.thread_count = 1
    return codec


def demux_stream(form: str) -> Callable[[Inlet], None]:
    """Returns a pump for a libavformat format that can be read as it comes."""

    def pump(inlet: Inlet) -> None:
        _demux_stream(inlet, form)

    return pump


def _demux_stream(inlet: Inlet, form: str, prefix: bytes = b"", timed: bool = True) -> None:
    demux(inlet, form, prefix, timed=timed)
    if not inlet.ended:
        raise AudioError(f"the {inlet.name} data is damaged")


def demux_ogg(inlet: Inlet) -> None:
    """Pump for Ogg, from the start or from a later page on."""
    _demux_stream(inlet, "ogg", *_joined(inlet, b"OggS\0\2", join_ogg))


def _mended(inlet: Inlet, mend: Callable[[bytes], bytes]) -> Callable[[int], bytes]:
    """Returns what reads the inlet's bytes as they are once they are mended."""

    def read(size: int) -> bytes:
        mended = b""
        while not mended and (part := inlet.read(size)):
            mended = mend(part)
        return mended

    return read


def demux_webm(inlet: Inlet) -> None:
    """Pump for WebM and Matroska, from the start or from a later block on."""
    prefix, timed = _joined(inlet, b"\x1a\x45\xdf\xa3", join_webm)
    mend = WebmMender(inlet.name).push
    demux(inlet, "matroska", mend(prefix), timed=timed, read=_mended(inlet, mend))
    if not inlet.ended:
        raise AudioError(f"the {inlet.name} data is damaged")


_Join = Callable[[bytes], tuple[bytes, bool] | None]


def _joined(inlet: Inlet, start: bytes, join: _Join) -> tuple[bytes, bool]:
    """Returns the first bytes of a stream, with a head if it was joined in the middle.

    And whether the times in it are true.

    Args:
        inlet: Brings the stream.
        start: What it begins with if it was not.
        join: Makes a head for the bytes so far; returns ``None`` if they are too few for that.
    """
    data = b""
    while start.startswith(data[: len(start)]) and len(data) < len(start):
        part = inlet.read(_BUFFER_BYTES)
        if not part:
            break
        data += part
    if data.startswith(start):
        return data, True
    while (joined := join(data)) is None:
        part = inlet.read(_BUFFER_BYTES)
        if not part:
            raise middle_of(inlet.name)
        data += part
    return joined


def demux_mp4(inlet: Inlet) -> None:
    """Pump for MP4: as it comes if its index comes first, else when all has arrived."""
    inlet.fruitless_limit *= _MP4_INDEX_FACTOR
    inlet.excused = True
    layout, head = Mp4Extent(), bytearray()
    while layout.media_first is None or not (layout.media_first or layout.index_complete):
        part = inlet.read(_BUFFER_BYTES)
        if not part:
            raise AudioError("the mp4 data holds no audio")
        layout.take(part)
        head += part
        if layout.joined:
            raise middle_of("mp4")
        if len(head) > inlet.fruitless_limit:
            raise AudioError("no audio was found in the mp4 data")
    if layout.media_first:
        _demux_whole(inlet, bytes(head), "mov", "with its index at the end ", _FASTSTART)
    else:
        inlet.excused = False
        mend = FragmentMender(inlet.name).push
        demux(inlet, "mov", mend(bytes(head)), read=_mended(inlet, mend))
    if not inlet.ended:
        raise AudioError("the mp4 data is damaged")


def demux_caf(inlet: Inlet) -> None:
    """Pump for CAF: as it comes if packets have one size, else when all has arrived."""
    layout, head = CafExtent(), bytearray()
    while layout.varies is None:
        part = inlet.read(_BUFFER_BYTES)
        if not part:
            raise AudioError("the caf data holds no audio")
        layout.take(part)
        head += part
    if layout.varies:
        inlet.excused = True
        _demux_whole(inlet, bytes(head), "caf")
    else:
        demux(inlet, "caf", bytes(head))
    while inlet.read(_BUFFER_BYTES):
        pass  # what lies behind the samples


def _demux_whole(inlet: Inlet, head: bytes, form: str, which: str = "", advice: str = "") -> None:
    """Keeps the file until its index, the last part, is there."""
    file = io.BytesIO(head)
    file.seek(0, io.SEEK_END)
    while part := inlet.read(64 * 1024):
        if file.tell() + len(part) > inlet.file_bytes:
            raise AudioError(
                f"an {inlet.name} file {which}may have at most {inlet.file_bytes} bytes{advice}"
            )
        file.write(part)
        inlet.kept = file.tell()
    file.seek(0)
    _demux(inlet, file, form)
