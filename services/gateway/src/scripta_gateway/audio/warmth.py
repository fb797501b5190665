"""Decodes a little of every kind once, before the first decoder is forked.

Codecs fill tables and Python its caches when they are first used. What is there before the fork,
all decoders share; what comes after, each has for itself. It also loads whatever is loaded late:
a decoder can open no file any more.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Final as Constant

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError

from scripta_gateway.audio.inlet import Channel, Inlet
from scripta_gateway.audio.pumps import CODINGS
from scripta_gateway.audio.sniff import Kind
from scripta_gateway.audio.steps import Command, Opening, Report

_KINDS: Constant = (
    (Kind.OGG, "ogg", "libopus", 48_000),
    (Kind.WEBM, "webm", "libopus", 48_000),
    (Kind.MP3, "mp3", "libmp3lame", 44_100),
    (Kind.FLAC, "flac", "flac", 44_100),
    (Kind.MP4, "mp4", "aac", 48_000),
)
_ENOUGH: Constant = 64 * 1024 * 1024
_BLOCK: Constant = 960
_BLOCKS: Constant = 12


class _Played(Channel):
    """A gateway that sends a file, and then its end."""

    def __init__(self, data: bytes) -> None:
        self._left = [(Command.END, b""), (Command.FLUSH, b""), (Command.DATA, data)]

    def receive(self) -> tuple[Command, bytes]:
        """Returns what comes next."""
        return self._left.pop()

    def send(self, report: Report) -> None:
        """Writes a report, for nobody."""
        report.packed()


def warm_up() -> None:
    """Encodes and decodes a quarter of a second of every kind that this libavcodec can make."""
    for kind, form, codec, rate in _KINDS:
        with suppress(FFmpegError, ValueError):
            channel = _Played(_made(form, codec, rate))
            extent = CODINGS[kind].extent
            opening = Opening(kind, _ENOUGH, _ENOUGH, _ENOUGH)
            inlet = Inlet(channel, opening, extent() if extent is not None else None)
            CODINGS[kind].pump(inlet)
            inlet.sink.flush()
            inlet.finish(None)


def _made(form: str, codec: str, rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate)
        if not isinstance(stream, AudioStream):
            raise TypeError(f"{codec} is not an audio codec")
        stream.layout = "mono"
        context = stream.codec_context
        resampler = av.AudioResampler(context.format or "s16", "mono", rate, context.frame_size)
        tone = np.arange(_BLOCK * _BLOCKS, dtype=np.int16).reshape(_BLOCKS, 1, _BLOCK)
        for block in tone:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16", "mono")
            frame.sample_rate = rate
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()
