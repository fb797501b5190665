"""Which pump decodes a kind of compressed audio, and what finds the end of its bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final as Constant

from scripta_gateway.audio.demux import demux_caf, demux_mp4, demux_ogg, demux_stream, demux_webm
from scripta_gateway.audio.elementary import (
    decode_amr,
    decode_flac,
    decode_frames,
    decode_transport_stream,
)
from scripta_gateway.audio.extent import CafExtent, EbmlExtent, Extent, Mp4Extent, OggExtent
from scripta_gateway.audio.inlet import Inlet
from scripta_gateway.audio.sniff import Kind

Pump = Callable[[Inlet], None]
"""Decodes from an inlet into its sink until the inlet ends."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How a kind is decoded.

    Attributes:
        pump: Decodes it.
        extent: Makes what finds its end; ``None`` where only the pump can tell.
    """

    pump: Pump
    extent: Callable[[], Extent] | None = None


CODINGS: Constant = {
    Kind.OGG: Coding(demux_ogg, OggExtent),
    Kind.WEBM: Coding(demux_webm, EbmlExtent),
    Kind.MP4: Coding(demux_mp4, Mp4Extent),
    Kind.MP3: Coding(decode_frames),
    Kind.AAC: Coding(decode_frames),
    Kind.MP2: Coding(decode_frames),
    Kind.MP1: Coding(decode_frames),
    Kind.AC3: Coding(decode_frames),
    Kind.MPEGTS: Coding(decode_transport_stream),
    Kind.AMR: Coding(decode_amr),
    Kind.CAF: Coding(demux_caf, CafExtent),
    Kind.LOAS: Coding(decode_frames),
    Kind.FLAC: Coding(decode_flac),
    Kind.WAV: Coding(demux_stream("wav")),
}
