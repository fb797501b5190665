"""What the neighbours say: raw samples, and live streams in a container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from .containers import encode

CHUNK_SECONDS: Final = 0.1
RATE: Final = 16_000
_RAW_CHUNK: Final = bytes(round(RATE * CHUNK_SECONDS) * 2)


@dataclass(frozen=True, slots=True)
class Voice:
    """A kind of neighbour.

    Attributes:
        name: How the table calls it.
        chunks: Returns its messages for so many seconds, one every 100 ms.
        query: What it asks for.
    """

    name: str
    chunks: Callable[[float], list[bytes]]
    query: str = ""


def raw(seconds: float) -> list[bytes]:
    """Returns silence as raw samples."""
    return [_RAW_CHUNK] * round(seconds / CHUNK_SECONDS)


@cache
def encoded(container: str, codec: str, seconds: float) -> list[bytes]:
    """Returns a live stream of noise in a container, in messages of equal size."""
    rate = {"libmp3lame": 44_100, "libopus": 48_000}.get(codec, RATE)
    options = {"page_duration": "100000"} if container == "ogg" else {}
    if container == "webm":
        options = {"live": "1", "cluster_time_limit": "100"}
    data = encode(container, codec, seconds, rate=rate, bit_rate=32_000, noise=500, options=options)
    count = round(seconds / CHUNK_SECONDS)
    edges = [len(data) * n // count for n in range(count + 1)]
    return [data[start:end] for start, end in pairwise(edges)]


VOICES: Final = (
    Voice("raw", raw),
    Voice("raw", raw),
    Voice("raw with events", raw, "events=true"),
    Voice("Ogg/Opus", lambda seconds: encoded("ogg", "libopus", seconds)),
    Voice("WebM", lambda seconds: encoded("webm", "libopus", seconds)),
    Voice("MP3", lambda seconds: encoded("mp3", "libmp3lame", seconds)),
    Voice("FLAC", lambda seconds: encoded("flac", "flac", seconds)),
)
"""The neighbours of every attack."""
