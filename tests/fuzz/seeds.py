"""Small files of every container and codec that a gateway reads, made on the spot."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

_BLOCK = 480
_BLOCKS = 24
_GAP_SECONDS = 2
_PACKETS_TO_A_GAP = 6
_FORMS: tuple[tuple[str, str, int, str, dict[str, str]], ...] = (
    ("wav", "pcm_s16le", 16_000, "mono", {}),
    ("wav", "pcm_s24le", 44_100, "stereo", {}),
    ("wav", "pcm_u8", 8_000, "mono", {}),
    ("wav", "pcm_f32le", 48_000, "mono", {}),
    ("wav", "pcm_mulaw", 8_000, "mono", {}),
    ("wav", "adpcm_ms", 16_000, "mono", {}),
    ("wav", "adpcm_ima_wav", 16_000, "stereo", {}),
    ("flac", "flac", 16_000, "mono", {}),
    ("flac", "flac", 44_100, "stereo", {}),
    ("ogg", "libopus", 48_000, "mono", {"page_duration": "20000"}),
    ("ogg", "libopus", 48_000, "5.1", {}),
    ("ogg", "vorbis", 44_100, "stereo", {}),
    ("ogg", "flac", 16_000, "mono", {}),
    ("webm", "libopus", 48_000, "mono", {"live": "1", "cluster_time_limit": "100"}),
    ("webm", "libopus", 48_000, "stereo", {}),
    ("webm", "vorbis", 44_100, "stereo", {}),
    ("matroska", "aac", 48_000, "mono", {}),
    ("matroska", "flac", 48_000, "mono", {}),
    ("matroska", "pcm_s16le", 48_000, "5.1", {}),
    ("matroska", "libmp3lame", 44_100, "mono", {}),
    ("mp3", "libmp3lame", 44_100, "stereo", {}),
    ("mp3", "libmp3lame", 16_000, "mono", {"write_xing": "0"}),
    ("mp4", "aac", 16_000, "mono", {}),
    ("mp4", "aac", 48_000, "7.1", {}),
    ("mp4", "aac", 44_100, "stereo", {"movflags": "faststart"}),
    ("mp4", "aac", 16_000, "mono", {"movflags": "frag_every_frame+empty_moov+default_base_moof"}),
    ("mp4", "alac", 44_100, "stereo", {}),
    ("mov", "pcm_s16be", 16_000, "mono", {}),
    ("mov", "adpcm_ima_qt", 16_000, "mono", {}),
    ("wav", "pcm_s16le", 16_000, "mono", {"rf64": "always"}),
    ("wav", "libmp3lame", 16_000, "mono", {}),
    ("wav", "g722", 16_000, "mono", {}),
    ("wav", "g726", 8_000, "mono", {}),
    ("aiff", "pcm_s24be", 44_100, "stereo", {}),
    ("au", "pcm_mulaw", 8_000, "mono", {}),
    ("w64", "pcm_s16le", 16_000, "mono", {}),
    ("caf", "pcm_s16le", 16_000, "mono", {}),
    ("caf", "alac", 16_000, "mono", {}),
    ("adts", "aac", 16_000, "mono", {}),
    ("latm", "aac", 16_000, "mono", {}),
    ("mp2", "mp2", 16_000, "mono", {}),
    ("ac3", "ac3", 48_000, "5.1", {}),
    ("eac3", "eac3", 48_000, "stereo", {}),
    ("amr", "libopencore_amrnb", 8_000, "mono", {}),
    ("3gp", "libopencore_amrnb", 8_000, "mono", {}),
    ("mpegts", "aac", 48_000, "mono", {}),
    ("mpegts", "ac3", 48_000, "mono", {"mpegts_m2ts_mode": "1"}),
    ("matroska", "ac3", 48_000, "stereo", {}),
)
_JOINED = (7, 9, 13, 14, 20, 21, 38, 39, 41, 45)
"""Those of which the middle alone is a seed as well."""

_WITH_GAPS = ("libopus", "aac")
"""Codecs of which there is one more file of each kind, with gaps between the times of packets."""


@cache
def seeds() -> tuple[bytes, ...]:
    """Returns the files, a quarter of a second of noisy tone each; always the same."""
    whole = [_made(*form) for form in _FORMS]
    gaps = [_made(*form, gaps=True) for form in _FORMS if form[1] in _WITH_GAPS]
    return (*whole, *gaps, *(whole[place][len(whole[place]) // 3 :] for place in _JOINED))


def _made(
    form: str, codec: str, rate: int, layout: str, options: dict[str, str], *, gaps: bool = False
) -> bytes:
    # To a real file: a muxer that puts the index first opens it again.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        channels = av.AudioLayout(layout).nb_channels
        with av.open(str(path), "w", format=form, options=options) as out:
            stream = out.add_stream(codec, rate=rate, options={"strict": "experimental"})
            stream.layout = layout  # type: ignore[union-attr]
            context = stream.codec_context
            resampler = av.AudioResampler(context.format or "s16", layout, rate)  # type: ignore[union-attr]
            noise = np.random.default_rng(7).integers(-300, 300, (_BLOCKS, 1, _BLOCK * channels))
            tone = (np.sin(np.arange(_BLOCK * channels) / 9) * 8000)[None, None]
            packets = []
            for number, block in enumerate((noise + tone).astype(np.int16)):
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16", layout)
                frame.sample_rate, frame.pts = rate, number * _BLOCK
                for part in resampler.resample(frame):
                    packets += stream.encode(part)  # type: ignore[union-attr]
            packets += stream.encode(None)  # type: ignore[union-attr]
            for number, packet in enumerate(packets):
                if gaps:
                    late = number // _PACKETS_TO_A_GAP * _GAP_SECONDS
                    packet.pts = packet.dts = packet.pts + round(late / packet.time_base)
                out.mux(packet)
        return path.read_bytes()
