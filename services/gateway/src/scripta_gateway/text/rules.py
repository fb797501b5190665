"""The rules that a client may ask for, in the order in which they act. Pure.

Hiding comes first and last: no other rule can take a number apart before it is hidden, and none can
bring one in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from scripta_common.wire import Word
from scripta_gateway.text.amounts import with_amounts
from scripta_gateway.text.groups import Reach
from scripta_gateway.text.numerals import with_numerals
from scripta_gateway.text.pieces import Piece, share, split, timed
from scripta_gateway.text.plain import plain, plain_text
from scripta_gateway.text.profanity import masked
from scripta_gateway.text.redaction import Hiding, Tail
from scripta_gateway.text.vocabulary import FILLERS

_NOTHING_BEFORE: Final = Tail()


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said.

    Attributes:
        text: The words with spaces between them.
        words: The words with times; empty where there are none.
        plain: Each of these words as plain text.
        tail: What it leaves to what is said next.
    """

    text: str
    words: tuple[Word, ...] = ()
    plain: tuple[str, ...] = ()
    tail: Tail = _NOTHING_BEFORE


@dataclass(frozen=True, slots=True)
class TextRules:
    """What is done to the text of every result.

    Attributes:
        punctuated: Whether capitals and punctuation stay.
        numerals: Whether English number words become digits.
        amounts: Whether, in English, signs of currencies and "%" stand with numbers in digits.
        masks_profanity: Whether profane English words keep their first letter only.
        fillers: Whether English "uh" and the like stay.
        replaced: Phrases and what stands in their place; an empty one takes the phrase away.
        redacted: Kinds of numbers that are hidden: ``numbers``, ``ssn``, ``pci``.
    """

    punctuated: bool = True
    numerals: bool = False
    amounts: bool = False
    masks_profanity: bool = False
    fillers: bool = True
    replaced: tuple[tuple[str, str], ...] = ()
    redacted: frozenset[str] = frozenset()

    def spoken_in(self, language: str | None) -> TextRules:
        """Returns the rules for text in a language, by its BCP-47 tag; ``None``: not known.

        Rules that know English words only leave text in other languages alone: German "er" is no
        filler, French "six" is no English number. Numbers stay hidden wherever they are found.
        """
        if (language or "en").partition("-")[0].lower() == "en":
            return self
        return _without_english(self)

    def apply(
        self,
        text: str,
        words: tuple[Word, ...] = (),
        *,
        before: Tail = _NOTHING_BEFORE,
        reach: Reach = Reach.WHOLE,
    ) -> Spoken:
        """Returns the text, and the words if there are any, as these rules have them.

        Args:
            text: What was said.
            words: The same in words with times.
            before: What the text before it left, if they belong together.
            reach: What may follow it.
        """
        if self == _NOTHING:
            plain_words = map(plain_text, split([word.text for word in words]))
            return Spoken(text, words, tuple(plain_words))
        tokens = text.split()
        pieces, tail = self._changed(tokens, before, reach)
        changed = " ".join(piece.text for piece in pieces)
        if not words:
            return Spoken(changed, tail=tail)
        own = [word.text for word in words]
        if own != tokens:
            pieces, _ = self._changed(own, before, reach)
        spoken = tuple(timed(piece, words) for piece in pieces)
        texts = (plain_text(piece) if self.punctuated else piece.text for piece in pieces)
        return Spoken(changed, spoken, tuple(texts), tail)

    def _changed(
        self, tokens: Sequence[str], before: Tail, reach: Reach
    ) -> tuple[list[Piece], Tail]:
        hiding = Hiding(self.redacted, before, reach)
        pieces, tail = split(tokens), before
        if self.redacted:
            pieces, tail = hiding.hide(pieces)
        if not self.fillers:
            pieces = _without_fillers(pieces)
        if self.replaced:
            pieces = _with_replaced(pieces, self.replaced)
        if self.numerals:
            pieces = with_numerals(pieces)
        if self.amounts:
            pieces = with_amounts(pieces)
        if self.masks_profanity:
            pieces = [masked(piece) for piece in pieces]
        if self.redacted and (self.replaced or self.numerals):
            pieces, _ = hiding.hide(pieces)
        if not self.punctuated:
            pieces = [bare for piece in pieces for bare in plain(piece)]
        return pieces, tail


_NOTHING: Final = TextRules()


@lru_cache(maxsize=256)
def _without_english(rules: TextRules) -> TextRules:
    """Returns rules that act on any language; the same for each result of a call."""
    return replace(rules, numerals=False, amounts=False, masks_profanity=False, fillers=True)


def _without_fillers(pieces: Sequence[Piece]) -> list[Piece]:
    kept: list[Piece] = []
    capital = False
    for piece in pieces:
        if piece.bare in FILLERS:
            capital = capital or piece.core[:1].isupper()
            if kept and piece.trail[:1] in (".", "?", "!"):
                kept[-1] = replace(kept[-1], trail=piece.trail)
            continue
        if capital:
            piece = replace(piece, core=piece.core[:1].upper() + piece.core[1:])
            capital = False
        kept.append(piece)
    return kept


def _with_replaced(pieces: list[Piece], replaced: Sequence[tuple[str, str]]) -> list[Piece]:
    """Returns the pieces with phrases replaced; what stands in their place is not replaced again.

    Otherwise a few phrases that double each other would grow without end.
    """
    said = {piece.bare for piece in pieces}
    for phrase, instead in replaced:
        wanted = _wanted(phrase)
        if wanted and said.issuperset(wanted):
            pieces = _with_one_replaced(pieces, wanted, instead.split())
    return pieces


@lru_cache(maxsize=4096)
def _wanted(phrase: str) -> tuple[str, ...]:
    """Returns what the pieces of a phrase are; it is the same for each result of a call."""
    return tuple(piece.bare for piece in split(phrase.split()))


def _with_one_replaced(
    pieces: Sequence[Piece], wanted: tuple[str, ...], words: Sequence[str]
) -> list[Piece]:
    found: list[Piece] = []
    at = 0
    while at < len(pieces):
        here = pieces[at : at + len(wanted)]
        if any(piece.fixed for piece in here) or tuple(piece.bare for piece in here) != wanted:
            found.append(pieces[at])
            at += 1
            continue
        if words:
            found += share(here, words, fixed=True)
        at += len(wanted)
    return found
