"""Number words become digits. Pure.

What a number is stands in ``numbers``; here is which of its readings fits between its neighbours.
A lone "one" stays a word unless something beside it says that it is counted: it is mostly a
pronoun. So do "first", "second" and "third" except in dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripta_gateway.text import numbers
from scripta_gateway.text.pieces import Piece, ends_here, join
from scripta_gateway.text.vocabulary import (
    FRACTIONS,
    MONTHS,
    ORDINALS,
    SCALES,
    TEENS,
    TENS,
    UNIT_ORDINALS,
    UNITS,
)

_HALF_DAYS: Final = frozenset({"am", "pm", "a.m", "p.m"})
_BEFORE_YEARS: Final = frozenset(
    (
        *("in", "since", "of", "year", "by", "until", "till", "before", "after", "from", "around"),
        *("circa", "spring", "summer", "autumn", "fall", "winter", *MONTHS),
    )
)
_BEFORE_ONE: Final = frozenset(
    (
        *("number", "room", "chapter", "page", "line", "press", "option", "step", "level", "gate"),
        *("dial", "minus", "plus", "times", "equals", "channel", "version", "zero", "code", "past"),
    )
)
_PARTS: Final = frozenset(
    {"halves", "quarters", *(f"{word}s" for word in UNIT_ORDINALS)} - {"seconds"}
)
"""What is counted in fractions, which stay words: "two thirds"."""
_LINKS: Final = frozenset({"or", "to", "in", "and", "by", "of"})
"""Words between "one" and another number: "one or two"."""
_BEHIND_ONE: Final = frozenset(
    (
        *("percent", "dollar", "pound", "euro", "cent", "hour", "minute", "second", "week"),
        *("month", "year", "mile", "meter", "metre", "kilometer", "kilometre", "inch", "foot"),
        *(
            "degree",
            "gram",
            "kilo",
            "liter",
            "litre",
            "plus",
            "minus",
            "times",
            "o'clock",
            *_HALF_DAYS,
        ),
    )
)
_BEFORE_A: Final = frozenset({*FRACTIONS, "of"})
"""Words behind which "a million" is part of a fraction that is written in words."""
_BEHIND_FRACTIONS: Final = frozenset(
    (
        *("percent", "dollars", "miles", "meters", "metres", "inches", "seconds", "degrees"),
        *("kilometers", "kilometres", "liters", "litres", "grams", *SCALES),
    )
)


@dataclass(frozen=True, slots=True)
class _Run:
    """Pieces that say one number.

    Attributes:
        used: How many there are.
        written: The number in digits.
    """

    used: int
    written: str


def with_numerals(pieces: Sequence[Piece]) -> list[Piece]:
    """Returns the pieces with numbers in digits."""
    changed: list[Piece] = []
    at = 0
    while at < len(pieces):
        run = _run_at(pieces, at)
        if run is None:
            changed.append(pieces[at])
            at += 1
        else:
            changed.append(join(pieces[at : at + run.used], run.written, fixed=True))
            at += run.used
    return changed


def is_number(pieces: Sequence[Piece], at: int) -> bool:
    """Returns whether a number begins at a piece, by what stands beside it."""
    return _run_at(pieces, at) is not None


def count_digits(words: Sequence[str]) -> int:
    """Returns how many digits some number words come to; each other word counts as one."""
    pieces = [Piece("", word, "", at, at + 1) for at, word in enumerate(words)]
    written = [piece.core for piece in with_numerals(pieces)]
    return sum(sum(map(str.isdigit, core)) or 1 for core in written)


def _run_at(pieces: Sequence[Piece], at: int) -> _Run | None:
    parts, spans = _parts(pieces, at)
    if not parts:
        return None
    before = pieces[at - 1].bare if at else ""
    if parts[0] == "a" and before in _BEFORE_A:
        return None
    if _counts_seconds(pieces, at, before):
        return _Run(1, str(TENS[pieces[at].bare]))
    for used, written in _readings(parts, before, _behind(pieces, at + len(spans), spans)):
        if used in spans and written:
            whole = spans.index(used) + 1
            if used > 1 or _is_counted(pieces, at, before):
                return _Run(whole, written)
            return None
    return None


def _counts_seconds(pieces: Sequence[Piece], at: int, before: str) -> bool:
    """Returns whether "second" is a time: "a thirty second break", not "the thirty second"."""
    following = pieces[at + 1 : at + 3]
    times = len(following) == 2 and following[0].bare == "second" and not ends_here(following[0])
    return times and pieces[at].bare in TENS and before in ("", "a", "every", "another")


def _parts(pieces: Sequence[Piece], at: int) -> tuple[list[str], list[int]]:
    """Returns the words that may say a number, hyphens taken apart, and where each piece ends."""
    parts: list[str] = []
    spans: list[int] = []
    for piece in pieces[at:]:
        here = piece.bare.split("-")
        if piece.fixed or not all(map(numbers.may_be, here)):
            break
        parts += here
        spans.append(len(parts))
        if ends_here(piece):
            break
    return parts, spans


def _behind(pieces: Sequence[Piece], after: int, spans: Sequence[int]) -> str:
    """Returns the word that the words of a number go on with; none behind punctuation."""
    if ends_here(pieces[after - 1]):
        return ""
    behind = [piece.bare for piece in pieces[after : after + 2]]
    if behind[:1] == ["p"] and behind[1:] == ["m"]:
        return "pm"
    return behind[0] if behind else ""


def _readings(parts: Sequence[str], before: str, behind: str) -> list[numbers.Read]:
    """Returns what the words may be, the likeliest first."""
    expected = before in _BEFORE_YEARS
    found = [numbers.one_by_one(parts), numbers.year(parts, expected=expected)]
    timed = numbers.time_of_day(parts)
    if before == "at" or (timed[0] == len(parts) and behind in _HALF_DAYS):
        found.insert(0, timed)
    found += [numbers.decade(parts), numbers.cardinal(parts)]
    decimal = numbers.fraction(parts)
    if decimal[0] > 2 or (decimal[0] == len(parts) and behind in _BEHIND_FRACTIONS):
        found.append(decimal)
    return found


def _is_counted(pieces: Sequence[Piece], at: int, before: str) -> bool:
    """Returns whether a word that may be no number is one, by what stands beside it."""
    word = pieces[at].bare
    behind = [piece.bare for piece in pieces[at + 1 : at + 3]] + ["", ""]
    if behind[0] in _PARTS:
        return False
    if word == "one":
        earlier = pieces[at - 2].bare if at > 1 else ""
        linked = (behind[0] in _LINKS and _is_other(behind[1])) or (
            before in _LINKS and _is_other(earlier)
        )
        listed = _is_other(behind[0]) or _is_other(before) or linked
        return listed or before in _BEFORE_ONE or behind[0] in _BEHIND_ONE
    if numbers.is_small_ordinal(word):
        dated = before in MONTHS or (behind[0] == "of" and behind[1] in MONTHS)
        return dated or (ORDINALS[word] > 3 and before not in UNITS)
    return True


def _is_other(word: str) -> bool:
    """Returns whether a word is a number that is no pronoun."""
    return word != "one" and (word in UNITS or word in TEENS or word in TENS)
