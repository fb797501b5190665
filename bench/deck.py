"""What the sessions of a bench say: recordings in messages, and what is to be heard of each.

A session ends every recording with a ``finalize``, behind which the segmenter starts afresh: so
the finals of a recording are the same wherever in a session it is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from recorded import DEFAULT_FOLDER, UNCLEAN_TAGS, Recording, read_manifest
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Reason
from speakers import sample_chunks

CHUNK_SECONDS = 0.1
CHUNK_SAMPLES = round(CHUNK_SECONDS * SAMPLE_RATE)
CHUNK_BYTES = CHUNK_SAMPLES * BYTES_PER_SAMPLE

_FALLBACK_SECONDS = 15


class Choice(StrEnum):
    """Which recordings."""

    READ = "read"
    """English that is read without long pauses: the dearest that people do."""
    ENGLISH = "english"
    """All English, the noisy too."""


@dataclass(frozen=True, slots=True)
class Due:
    """A final that a recording is owed, as the bare engine makes it.

    Attributes:
        start: First sample of its segment in the recording.
        end: Sample just past it.
        reason: Why it ends there.
        text: Its words.
        by: Place of the message that decides it; behind the last one: the ``finalize``.
        onset: Place of the message in which somebody begins to speak; ``None`` if that is not
            known, as where a long sentence goes on.
        interims: How many interims the bare engine made before.
        stable: Share of the words in these that were called stable, added up.
        key: Checksum of its audio.
    """

    start: int
    end: int
    reason: Reason
    text: str
    by: int
    onset: int | None
    interims: int
    stable: float
    key: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A recording to be said.

    Attributes:
        name: What it is called.
        chunks: Its messages, all of the same length.
        dues: The finals that are due, in order.
    """

    name: str
    chunks: Sequence[bytes]
    dues: Sequence[Due]


def recordings(choice: Choice) -> dict[str, list[bytes]]:
    """Returns the messages of each recording, the last one filled up with silence.

    Without the folder of recordings it is the one that comes with the model, in parts.
    """
    if not (DEFAULT_FOLDER / "manifest.jsonl").is_file():
        pcm = b"".join(sample_chunks())
        size = _FALLBACK_SECONDS * SAMPLE_RATE * BYTES_PER_SAMPLE
        return {
            f"sample {at // size}": chunks_of(pcm[at : at + size])
            for at in range(0, len(pcm), size)
        }
    chosen = (r for r in read_manifest(DEFAULT_FOLDER) if _fits(r, choice))
    return {recording.name: chunks_of(recording.pcm()) for recording in chosen}


def pieces(choice: Choice, dues: Mapping[str, Sequence[Due]]) -> list[Piece]:
    """Returns the recordings together with what they are owed."""
    return [Piece(name, chunks, dues[name]) for name, chunks in recordings(choice).items()]


def seconds_of(deck: Sequence[Piece]) -> float:
    """Returns how long some recordings take."""
    return sum(len(piece.chunks) for piece in deck) * CHUNK_SECONDS


def stable_share(text: str, stable: str) -> float:
    """Returns the share of an interim's words that are called stable."""
    return len(stable.split()) / max(1, len(text.split()))


def _fits(recording: Recording, choice: Choice) -> bool:
    if recording.language != "en":
        return False
    return choice is Choice.ENGLISH or (
        "read" in recording.tags and not recording.tags & UNCLEAN_TAGS
    )


def chunks_of(pcm: bytes) -> list[bytes]:
    """Returns audio in messages, the last one filled up with silence."""
    return [
        pcm[at : at + CHUNK_BYTES].ljust(CHUNK_BYTES, b"\0")
        for at in range(0, len(pcm), CHUNK_BYTES)
    ]
