"""Pieces: the words of a text, each with the place that it has in what was heard. Pure.

A place is counted in words that were heard: the third one lies between 2.0 and 3.0. So words that
came in the place of others share their time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scripta_common.wire import Word


@dataclass(frozen=True, slots=True)
class Piece:
    """One word of a text, or what several became.

    Attributes:
        lead: Punctuation before it.
        core: The word.
        trail: Punctuation behind it.
        first: Where it begins, counted in words that were heard.
        after: Where it ends.
        fixed: Whether later rules leave it alone; hiding does not.
        hidden: Whether it stands for something that is hidden.
    """

    lead: str
    core: str
    trail: str
    first: float
    after: float
    fixed: bool = False
    hidden: bool = False

    @property
    def text(self) -> str:
        """The word with its punctuation."""
        return f"{self.lead}{self.core}{self.trail}"

    @property
    def bare(self) -> str:
        """The word in lower case, to compare with."""
        return self.core.casefold()

    def says(self, core: str, *, fixed: bool = False) -> Piece:
        """Returns the piece with another word."""
        return replace(self, core=core, fixed=fixed)


def split(words: Sequence[str]) -> list[Piece]:
    """Returns the pieces of some words, each with its punctuation apart."""
    return [_piece(word, number) for number, word in enumerate(words)]


def join(pieces: Sequence[Piece], core: str, *, fixed: bool = False, hidden: bool = False) -> Piece:
    """Returns one piece in place of several that follow each other."""
    first, last = pieces[0], pieces[-1]
    return Piece(first.lead, core, last.trail, first.first, last.after, fixed, hidden)


def share(pieces: Sequence[Piece], words: Sequence[str], *, fixed: bool = False) -> list[Piece]:
    """Returns a piece for each of some words in place of those; they share their place equally."""
    first, after, number = pieces[0].first, pieces[-1].after, len(words)
    lead, trail = pieces[0].lead, pieces[-1].trail
    return [
        Piece(
            lead if at == 0 else "",
            word,
            trail if at == number - 1 else "",
            first + (after - first) * at / number,
            first + (after - first) * (at + 1) / number,
            fixed,
        )
        for at, word in enumerate(words)
    ]


def ends_here(piece: Piece) -> bool:
    """Returns whether punctuation stands behind a piece, so that nothing goes on with it."""
    return bool(piece.trail)


def timed(piece: Piece, words: Sequence[Word]) -> Word:
    """Returns a piece with the time of its place; it is as sure as the least sure word there."""
    first = min(math.floor(piece.first), len(words) - 1)
    if piece.first == first and piece.after == first + 1:
        word = words[first]
        return Word(piece.text, word.start, word.end, word.confidence)
    last = max(first, min(math.ceil(piece.after) - 1, len(words) - 1))
    start = _within(words[first], piece.first - first)
    end = _within(words[last], piece.after - last)
    made_of = words[first : last + 1]
    sure = [word.confidence for word in made_of if word.confidence is not None]
    return Word(piece.text, start, end, min(sure, default=None))


def _within(word: Word, part: float) -> float:
    """Returns the time at a part of a word; its ends exactly."""
    return word.end if part >= 1 else word.start + part * (word.end - word.start)


def _piece(word: str, number: int) -> Piece:
    start, end = 0, len(word)
    while start < end and not word[start].isalnum():
        start += 1
    while end > start and not word[end - 1].isalnum():
        end -= 1
    if start == end:  # nothing but marks
        return Piece("", word, "", number, number + 1)
    return Piece(word[:start], word[start:end], word[end:], number, number + 1)
