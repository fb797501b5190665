"""Compressed streams as sources: which pump decodes a kind, and where its bytes end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio import mpeg
from scripta_gateway.audio.demux import demux_mp4, demux_stream
from scripta_gateway.audio.elementary import decode_flac, decode_mp3
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.extent import EbmlExtent, Extent, Mp4Extent, OggExtent
from scripta_gateway.audio.inlet import Report, Signal
from scripta_gateway.audio.limits import DecoderLimits, StreamBudget
from scripta_gateway.audio.pump import Pump, PumpThread
from scripta_gateway.audio.sniff import Kind, begins_ogg_stream
from scripta_gateway.audio.source import Progress


def _goes_on_mp3(message: bytes) -> bool:
    return mpeg.could_be_header(message) or mpeg.tag_bytes(message[:32]) != 0


def _goes_on_flac(message: bytes) -> bool:
    return message[:1] == b"\xff" and (len(message) < 2 or message[1] & 0xFE == 0xF8)


@dataclass(frozen=True, slots=True)
class Coding:
    """How a kind is decoded.

    Attributes:
        pump: Decodes it, on the thread.
        extent: Makes what finds its end.
        goes_on: Whether a message can continue the stream where it may be over.
    """

    pump: Pump
    extent: Callable[[], Extent] | None = None
    goes_on: Callable[[bytes], bool] = lambda _: True


CODINGS: Constant = {
    Kind.OGG: Coding(demux_stream("ogg"), OggExtent),
    Kind.WEBM: Coding(demux_stream("matroska"), EbmlExtent),
    Kind.MP4: Coding(demux_mp4, Mp4Extent),
    Kind.MP3: Coding(decode_mp3, goes_on=_goes_on_mp3),
    Kind.FLAC: Coding(decode_flac, goes_on=_goes_on_flac),
    Kind.WAV: Coding(demux_stream("wav")),
}


class CodedSource:
    """A compressed file or stream, decoded on a thread of its own.

    An error that comes with audio before it is raised by the next call, so that no audio is
    lost by it.
    """

    def __init__(self, kind: Kind, limits: DecoderLimits, budget: StreamBudget) -> None:
        coding = CODINGS[kind]
        self._kind = kind
        self._goes_on = coding.goes_on
        self._extent = coding.extent() if coding.extent is not None else None
        self._thread = PumpThread(coding.pump, kind.value, limits, budget)
        self._failure: AudioError | None = None
        self._any_pcm = False
        self._may_be_over = False
        self._ended = False

    @property
    def at_rest(self) -> bool:
        """Never: the middle of a file means nothing without its start."""
        return False

    async def feed(self, data: bytes) -> Progress:
        """Returns the PCM that these bytes complete."""
        if self._failure is not None:
            raise self._failure
        if self._ended or (self._may_be_over and not self._goes_on(data)):
            return Progress(await self.flush(end=True), data)
        end = self._extent.take(data) if self._extent is not None else None
        pcm = self._pcm_of(await self._thread.send(data[:end]))
        if end is None:
            return Progress(pcm, b"" if self._ended and self._failure is None else None)
        if self._failure is not None:
            return Progress(pcm)
        return Progress(pcm + await self._finish(), data[end:])

    async def flush(self, *, end: bool) -> bytes:
        """Returns what is held back; raises what the stream failed with."""
        if self._failure is not None:
            raise self._failure
        if end:
            return await self._finish()
        return self._pcm_of(await self._thread.send(Signal.FLUSH))

    async def _finish(self) -> bytes:
        """Ends the stream; an end that is cut off is no error where there was audio before."""
        report = await self._thread.send(Signal.END)
        self._ended = True
        if report.error is not None and not (report.pcm or self._any_pcm):
            raise report.error
        return report.pcm

    def _pcm_of(self, report: Report) -> bytes:
        self._may_be_over, self._ended = report.at_rest, report.ended
        self._any_pcm |= bool(report.pcm)
        if report.error is not None:
            self._failure = report.error
            if not report.pcm:
                raise report.error
        return report.pcm

    def expects(self, message: bytes) -> bool:
        """Whether the message is one more stream of an Ogg file that is only beginning."""
        return (
            self._kind is Kind.OGG
            and self._extent is not None
            and begins_ogg_stream(message)
            and self._extent.expects_another_beginning()
        )

    def abort(self) -> None:
        """Gives the stream up at once."""
        self._thread.abort()

    async def close(self) -> None:
        """Ends the thread."""
        await self._thread.stop()
