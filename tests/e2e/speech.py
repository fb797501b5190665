"""What live sessions say: stretches of the recordings that ship with the default model.

A voice is said again and again until its session is told to stop, and stops only at its end.
The silence there is longer than what ends a segment, so that the finals of *n* rounds are the
first finals of more rounds: one long undisturbed run is the measure for runs of any length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from scripta_client.media import decode
from scripta_local.demo import find_sample

from .inside.takes import CHUNK_BYTES

BYTES_PER_SECOND = 32_000
_BEFORE = 0.5
_AFTER = 1.5
_TWO_CITIES = "two_cities.wav"
_BECKETT = "beckett.wav"


@dataclass(frozen=True, slots=True)
class Voice:
    """A stretch of speech between silences.

    Attributes:
        name: Its name.
        text: What is said.
        pcm: Mono s16le at 16 kHz; a whole number of chunks.
    """

    name: str
    text: str
    pcm: bytes

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.pcm) / BYTES_PER_SECOND


@cache
def voices() -> tuple[Voice, ...]:
    """Returns the voices; their cuts lie in pauses of the recordings."""
    return (
        Voice(
            "cities-1",
            "It was the best of times, it was the worst of times, it was the age of wisdom, it "
            "was the age of foolishness, it was the epoch of belief, it was the epoch of "
            "incredulity, it was the season of light, it was the season of darkness",
            _between_silences(_recording(_TWO_CITIES), 0.0, 16.9),
        ),
        Voice(
            "cities-2",
            "it was the spring of hope, it was the winter of despair, we had everything before "
            "us, we had nothing before us, we were all going direct to heaven, we were all going "
            "direct the other way",
            _between_silences(_recording(_TWO_CITIES), 16.9, 28.7),
        ),
        Voice(
            "beckett",
            "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
            _between_silences(_recording(_BECKETT), 0.0, 10.0),
        ),
    )


@cache
def _recording(name: str) -> bytes:
    return b"".join(decode(find_sample().path.with_name(name), CHUNK_BYTES))


def _between_silences(pcm: bytes, start: float, end: float) -> bytes:
    speech = pcm[_bytes(start) : _bytes(end)]
    whole = bytes(_bytes(_BEFORE)) + speech + bytes(_bytes(_AFTER))
    return whole + bytes(-len(whole) % CHUNK_BYTES)


def _bytes(seconds: float) -> int:
    return 2 * round(seconds * BYTES_PER_SECOND / 2)
