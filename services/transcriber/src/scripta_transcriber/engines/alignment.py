"""From pieces of words, aligned to the audio, to words. Pure.

An alignment leaves no gaps: the silence before a word counts as its beginning. That is mended where
a pause is likely, at the start and behind punctuation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from scripta_common.wire import SAMPLE_RATE, Word
from scripta_transcriber.engines.base import Segment

_LONG_WORD: Final = 0.7
"""Seconds that half of the words stay under even in slow speech."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a word, or a word.

    Attributes:
        text: With the space before it, if it has one.
        start: Seconds from the start of the segment.
        end: Seconds from the start of the segment.
        probability: How sure the model is of it; ``None`` if it does not tell.
    """

    text: str
    start: float
    end: float
    probability: float | None


def words_of(segment: Segment, pieces: Iterable[Piece], *, spaced: bool) -> tuple[Word, ...]:
    """Returns the words of a segment with their times on the session's audio clock.

    Args:
        segment: What they were said in.
        pieces: In the order of their time.
        spaced: Whether the language puts spaces between words; if not, every piece is one, and
            punctuation belongs to the one before it.
    """
    words: list[Piece] = []
    for piece in pieces:
        begins = piece.text.startswith(" ") if spaced else any(map(str.isalnum, piece.text))
        if words and not begins:
            words[-1] = _joined(words[-1], piece)
        elif piece.text.strip():
            words.append(piece)
    first, last = segment.start / SAMPLE_RATE, segment.end / SAMPLE_RATE
    return tuple(
        Word(
            text=word.text.strip(),
            start=round(min(last, first + word.start), 3),
            end=round(min(last, first + word.end), 3),
            confidence=None if word.probability is None else round(word.probability, 3),
        )
        for word in _without_pauses(words)
    )


def _joined(word: Piece, rest: Piece) -> Piece:
    least = min(
        (each for each in (word.probability, rest.probability) if each is not None), default=None
    )
    # What a sign behind a word lasts is silence.
    end = rest.end if any(map(str.isalnum, rest.text)) else word.end
    return Piece(word.text + rest.text, word.start, end, least)


def _without_pauses(words: list[Piece]) -> list[Piece]:
    lengths = [word.end - word.start for word in words if word.end > word.start]
    if not lengths:
        return words
    longest = 2 * min(_LONG_WORD, median(lengths))
    after_pause = [True, *(not word.text[-1].isalnum() for word in words)]
    return [
        replace(word, start=max(word.start, word.end - longest)) if paused else word
        for word, paused in zip(words, after_pause, strict=False)
    ]
