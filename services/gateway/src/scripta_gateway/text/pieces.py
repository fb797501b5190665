"""Pieces: the words of a text, each with the place that it has in what was heard. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Piece:
    """One word of a text, or what several became.

    Attributes:
        lead: Punctuation before it.
        core: The word.
        trail: Punctuation behind it.
        first: Number of the first word that it was made of.
        after: Number just past the last one.
        fixed: Whether later rules leave it alone.
    """

    lead: str
    core: str
    trail: str
    first: int
    after: int
    fixed: bool = False

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


def join(pieces: Sequence[Piece], core: str, *, fixed: bool = False) -> Piece:
    """Returns one piece in place of several that follow each other."""
    first, last = pieces[0], pieces[-1]
    return Piece(first.lead, core, last.trail, first.first, last.after, fixed)


def ends_here(piece: Piece) -> bool:
    """Returns whether punctuation stands behind a piece, so that nothing goes on with it."""
    return bool(piece.trail)


def _piece(word: str, number: int) -> Piece:
    start, end = 0, len(word)
    while start < end and not word[start].isalnum():
        start += 1
    while end > start and not word[end - 1].isalnum():
        end -= 1
    if start == end:  # nothing but marks
        return Piece("", word, "", number, number + 1)
    return Piece(word[:start], word[start:end], word[end:], number, number + 1)
