"""Groups of words that say a number, whatever is said between their parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Final

from scripta_gateway.text.numerals import count_digits
from scripta_gateway.text.readings import NUMERIC, Kind, Reading
from scripta_gateway.text.vocabulary import FRACTIONS, OH, TIMES

_TRANSPARENT: Final = frozenset({Kind.BETWEEN, Kind.CHATTER})
"""What may stand between a number and the end of its text, though the number goes on behind it."""
_DICTATED: Final = 3
"""Digits beside which a word that sounds like one is one: "for one one one" is a card's 4111."""
_WITH_ONE: Final = frozenset({*FRACTIONS, *TIMES})
_PRONOUN: Final = frozenset(
    (
        *("no", "any", "every", "some", "each", "this", "that", "which", "the", "another", "other"),
        *("good", "bad", "great", "new", "old", "first", "last", "next", "only", "right", "wrong"),
        *("big", "little", "nice", "same", "such", "many", "loved", "what"),
    )
)
"""Words behind which "one" is no number."""


class Reach(Enum):
    """What may follow a text."""

    WHOLE = auto()
    """Nothing: a number at its end is complete."""
    OPEN = auto()
    """More: a number at its end may go on."""
    REVISABLE = auto()
    """Anything, also in its own place: it is an interim."""


@dataclass(frozen=True, slots=True)
class Group:
    """Words that say a number.

    Attributes:
        first: The first one.
        after: The one behind the last.
        digits: How many digits they come to, about.
        continues: Whether the number began before the text.
        open: Whether it may go on behind the text.
    """

    first: int
    after: int
    digits: int
    continues: bool = False
    open: bool = False


def find_groups(
    bare: Sequence[str], readings: Sequence[Reading], reach: Reach, *, went_on: bool, wide: bool
) -> Iterator[Group]:
    """Yields the numbers that are said, in order.

    Args:
        bare: The words in lower case.
        readings: How each is read.
        reach: What may follow.
        went_on: Whether the text before ended with a number.
        wide: Whether a word that sounds like a digit is one if it stands between digits, or
            beside several, or where the number goes on.
    """
    for first, after in _stretches(readings, wide):
        continues = went_on and _is_transparent(readings[:first], wide)
        # The last word of an interim may be the beginning of any word.
        behind = readings[after : -1 if reach is Reach.REVISABLE else None]
        is_open = reach is not Reach.WHOLE and _is_transparent(behind, wide)
        dictated = wide and joined_digits(readings[first:after]) >= _DICTATED
        if continues or dictated:
            first = _through(readings, range(first - 1, -1, -1), first)
        if is_open or dictated:
            after = _through(readings, range(after, len(readings)), after - 1) + 1
        before = bare[first - 1] if first else ""
        if continues or _is_number(readings[first:after], before, reach, is_open):
            digits = joined_digits(readings[first:after])
            yield Group(first, after, digits, continues, is_open)


def _stretches(readings: Sequence[Reading], wide: bool) -> Iterator[tuple[int, int]]:
    """Yields where words begin and end that may say a number, with what is between them."""
    joining = {Kind.BETWEEN, Kind.SOUNDS_LIKE} if wide else {Kind.BETWEEN}
    first = after = 0
    for at, reading in enumerate(readings):
        if reading.kind in NUMERIC:
            first, after = (first, at + 1) if after else (at, at + 1)
        elif after and reading.kind not in joining:
            yield first, after
            after = 0
    if after:
        yield first, after


def joined_digits(readings: Sequence[Reading]) -> int:
    """Returns how many digits some words come to that follow each other."""
    heard = [reading for reading in readings if reading.kind is not Kind.BETWEEN]
    total = 0
    for written, each in groupby(heard, lambda reading: reading.digits > 0):
        same = list(each)
        unknown = () if written else ("zero",)
        total += sum(reading.digits for reading in same)
        total += count_digits([word for one in same for word in one.words or unknown])
    return total


def _is_transparent(readings: Sequence[Reading], wide: bool) -> bool:
    kinds = _TRANSPARENT | {Kind.SOUNDS_LIKE} if wide else _TRANSPARENT
    return all(reading.kind in kinds for reading in readings)


def _through(readings: Sequence[Reading], places: range, place: int) -> int:
    """Returns the last place up to which each word sounds like a digit."""
    for at in places:
        if readings[at].kind is not Kind.SOUNDS_LIKE:
            break
        place = at
    return place


def _is_number(readings: Sequence[Reading], before: str, reach: Reach, is_open: bool) -> bool:
    """Returns whether words say a number, though each of them may be something else."""
    if any(reading.kind is Kind.SURE for reading in readings):
        return True
    maybe = [reading for reading in readings if reading.kind is Kind.MAYBE]
    words = {word for reading in readings for word in reading.words}
    if len(maybe) > 1 or (maybe and words & _WITH_ONE):
        return True
    if not maybe or not is_open:
        return False
    if reach is Reach.REVISABLE:
        return True
    return bool(before) if words & OH else before not in _PRONOUN
