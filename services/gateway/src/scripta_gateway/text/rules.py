"""The rules that a client may ask for, in the order in which they act. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripta_common.wire import Word
from scripta_gateway.text.numbers import find_runs, find_stretches
from scripta_gateway.text.pieces import Piece, ends_here, join, split

FILLERS: Final = frozenset(
    (
        *("uh", "um", "uhm", "er", "erm", "hm", "hmm", "mm", "mhm", "mhmm"),
        *("mm-mm", "mm-hmm", "uh-uh", "uh-huh", "nuh-uh"),
    )
)
_PROFANE: Final = re.compile(
    r"(mother)?fuck\w*|(bull|horse|dip)?shit(s|ty|ting|heads?)?|bitch(es|y|ing)?|bastards?|cunts?|"
    r"assholes?|dickheads?|pricks?|twats?|wank(ers?|ing)?|bollocks|goddamn(ed)?|slut(s|ty)?|whores?|"
    r"shite|crap(py)?|arse(holes?)?|ass(es)?"
)
_SIGNS: Final = frozenset("$€£¥%°")
"""Signs that are said, and so are no punctuation."""
_WIDE_MARKS: Final = frozenset("。，、！？；：「」")
_ABBREVIATION: Final = re.compile(r"(\w\.)+\w")
_SSN_DIGITS: Final = 9
_CARD_DIGITS: Final = 13


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said.

    Attributes:
        text: The words with spaces between them.
        words: The words with times; empty where there are none.
    """

    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class TextRules:
    """What is done to the text of every result.

    Attributes:
        punctuated: Whether capitals and punctuation stay.
        numerals: Whether English number words become digits.
        masks_profanity: Whether profane words keep their first letter only.
        fillers: Whether "uh" and the like stay.
        replaced: Phrases and what stands in their place; an empty one takes the phrase away.
        redacted: Kinds of numbers that are hidden: ``numbers``, ``ssn``, ``pci``.
    """

    punctuated: bool = True
    numerals: bool = False
    masks_profanity: bool = False
    fillers: bool = True
    replaced: tuple[tuple[str, str], ...] = ()
    redacted: frozenset[str] = frozenset()

    def apply(self, text: str, words: tuple[Word, ...] = ()) -> Spoken:
        """Returns the text, and the words if there are any, as these rules have them."""
        if self == _NOTHING:
            return Spoken(text, words)
        tokens = text.split()
        pieces = self._changed(tokens)
        changed = " ".join(piece.text for piece in pieces)
        if not words:
            return Spoken(changed)
        own = [word.text for word in words]
        if own != tokens:
            pieces = self._changed(own)
        return Spoken(changed, tuple(_timed(piece, words) for piece in pieces))

    def _changed(self, tokens: Sequence[str]) -> list[Piece]:
        pieces = split(tokens)
        if not self.fillers:
            pieces = _without_fillers(pieces)
        for phrase, instead in self.replaced:
            pieces = _with_replaced(pieces, phrase, instead)
        if self.redacted:
            pieces = _redacted(pieces, self.redacted)
        if self.numerals:
            pieces = _with_numerals(pieces)
        if self.masks_profanity:
            pieces = [_masked(piece) for piece in pieces]
        if not self.punctuated:
            pieces = [bare for piece in pieces if (bare := _plain(piece)).text]
        return pieces


_NOTHING: Final = TextRules()


def _timed(piece: Piece, words: Sequence[Word]) -> Word:
    made_of = words[piece.first : piece.after]
    sure = [word.confidence for word in made_of if word.confidence is not None]
    return Word(piece.text, made_of[0].start, made_of[-1].end, min(sure, default=None))


def _without_fillers(pieces: Sequence[Piece]) -> list[Piece]:
    kept: list[Piece] = []
    capital = False
    for piece in pieces:
        if piece.bare in FILLERS:
            capital = capital or piece.core[:1].isupper()
            if kept and piece.trail[:1] in (".", "?", "!"):
                last = kept[-1]
                kept[-1] = Piece(last.lead, last.core, piece.trail, last.first, last.after)
            continue
        if capital:
            piece = piece.says(piece.core[:1].upper() + piece.core[1:])
            capital = False
        kept.append(piece)
    return kept


def _with_replaced(pieces: Sequence[Piece], phrase: str, instead: str) -> list[Piece]:
    wanted = [piece.bare for piece in split(phrase.split())]
    found: list[Piece] = []
    at = 0
    while at < len(pieces):
        here = pieces[at : at + len(wanted)]
        if not wanted or [piece.bare for piece in here] != wanted:
            found.append(pieces[at])
            at += 1
            continue
        if instead:
            found.append(join(here, instead, fixed=True))
        at += len(wanted)
    return found


def _with_numerals(pieces: Sequence[Piece]) -> list[Piece]:
    changed: list[Piece] = []
    at = 0
    for run in find_runs(_open(pieces), [ends_here(piece) for piece in pieces]):
        changed += pieces[at : run.first]
        changed.append(join(pieces[run.first : run.after], run.digits, fixed=True))
        at = run.after
    return [*changed, *pieces[at:]]


def _redacted(pieces: Sequence[Piece], kinds: frozenset[str]) -> list[Piece]:
    """Hides numbers, in words or in digits; those that follow each other count as one.

    Punctuation between them is no end: who dictates a number makes pauses.
    """
    found: list[Piece] = []
    counts: dict[str, int] = {}
    at = 0
    for stretch in find_stretches(_open(pieces)):
        kind = _kind(stretch.digits, kinds)
        if kind is None:
            continue
        counts[kind] = counts.get(kind, 0) + 1
        hidden = pieces[stretch.first : stretch.after]
        found += pieces[at : stretch.first]
        found.append(join(hidden, f"[{kind}_{counts[kind]}]", fixed=True))
        at = stretch.after
    return [*found, *pieces[at:]]


def _kind(digits: int, kinds: frozenset[str]) -> str | None:
    """Returns what so many digits are, if that is to be hidden; with more beside them, too."""
    if "pci" in kinds and digits >= _CARD_DIGITS:
        return "CREDIT_CARD"
    if "ssn" in kinds and digits >= _SSN_DIGITS:
        return "SSN"
    return "NUMBER" if "numbers" in kinds and digits else None


def _masked(piece: Piece) -> Piece:
    if piece.fixed or not _PROFANE.fullmatch(piece.bare):
        return piece
    return piece.says(piece.core[:1] + "*" * (len(piece.core) - 1), fixed=True)


def _plain(piece: Piece) -> Piece:
    core = piece.core
    if not piece.fixed:
        core = core.lower() if any(map(str.isalnum, core)) else ""  # a dash or the like
        core = "".join(char for char in core if char not in _WIDE_MARKS)
    if core and core[:1] != "[":
        if _ABBREVIATION.fullmatch(core) and piece.trail[:1] == ".":
            core += "."
        before = "".join(char for char in piece.lead if char in _SIGNS)
        behind = "".join(char for char in piece.trail if char in _SIGNS)
        core = f"{before}{core}{behind}"
    return Piece("", core, "", piece.first, piece.after, piece.fixed)


def _open(pieces: Sequence[Piece]) -> list[str]:
    return ["" if piece.fixed else piece.bare for piece in pieces]
