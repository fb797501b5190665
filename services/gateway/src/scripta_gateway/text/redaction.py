"""Hides numbers, in words or in digits, as a client asks for it; rather too much than too little.

A number that follows another one counts as part of it, whatever marks, pauses and fillers are
between them, and also in the next result: who dictates makes pauses, and each may end a segment.
So where long numbers are to be hidden, a final hides every number at its end, and one at its
beginning if the last final ended with one. An interim hides every number: it may turn out to be
part of a long one. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from scripta_gateway.text.groups import Group, Reach, find_groups
from scripta_gateway.text.numerals import is_number
from scripta_gateway.text.pieces import Piece, join, split
from scripta_gateway.text.readings import (
    NUMERIC,
    Kind,
    Reading,
    begins_number_word,
    is_without_spaces,
    numeric_runs,
    read,
)

SSN: Final = "ssn"
CARDS: Final = "pci"
NUMBERS: Final = "numbers"
_LABELS: Final = {CARDS: "CREDIT_CARD", SSN: "SSN", NUMBERS: "NUMBER"}
_FEWEST: Final = {CARDS: 12, SSN: 8}
"""Digits of a long number, at least: one less than it has, for engines lose a digit now and then.
A card's check digit is not looked at: one misheard digit would let all others be shown."""
_NAMES: Final = {
    CARDS: frozenset(
        (
            *("card", "cvv", "cvc", "csc", "security", "visa", "mastercard", "amex"),
            *("exp", "expires", "expiry", "expiration"),
        )
    ),
    SSN: frozenset({"ssn", "social", "security"}),
}
"""Words after which a number of any length is a long one, or a part of it."""
_NAMED_WORDS: Final = 8
"""Words that may be between such a word and the number."""
_APART: Final = 2
"""Words that may be between groups of digits which are one number all the same."""
_HIDDEN: Final = Reading(Kind.SURE, ("zero",))


@dataclass(frozen=True, slots=True)
class Tail:
    """What a text leaves to the one that follows it.

    Attributes:
        digits: Digits at its end, which may go on.
        named: Of each kind, how many words may still come until a number is of that kind.
    """

    digits: int = 0
    named: dict[str, int] = field(default_factory=dict)


class Hiding:
    """What is hidden in one text, perhaps in several steps.

    Args:
        kinds: What is to be hidden: ``NUMBERS``, ``SSN``, ``CARDS``.
        before: What the text before it left.
        reach: What may follow it.
    """

    def __init__(self, kinds: frozenset[str], before: Tail, reach: Reach) -> None:
        self._long = [kind for kind in _FEWEST if kind in kinds]
        self._numbers = NUMBERS in kinds
        self._before = before
        self._reach = reach
        self._counts: Counter[str] = Counter()

    def hide(self, pieces: Sequence[Piece]) -> tuple[list[Piece], Tail]:
        """Returns the pieces with what is hidden, and what they leave to those that follow."""
        shown = [self._hidden_within(piece) for piece in pieces]
        readings = [_reading(shown, at) for at in range(len(shown))]
        revisable = self._reach is Reach.REVISABLE
        if revisable and readings and begins_number_word(shown[-1].core):
            readings[-1] = _HIDDEN
        named = self._named(shown, readings)
        wide = self._groups(shown, readings, wide=True)
        names = self._long_ones(wide, named) if self._long else {}
        for group in wide if self._long else ():
            if any(piece.hidden for piece in shown[group.first : group.after]):
                names.setdefault(group, self._long[-1])
        if self._numbers:
            taken = {at for group in names for at in range(group.first, group.after)}
            for group in self._groups(shown, readings, wide=False):
                if taken.isdisjoint(range(group.first, group.after)):
                    names[group] = NUMBERS
        return self._labelled(shown, names), Tail(self._left(readings, wide), named[-1])

    def _groups(
        self, pieces: Sequence[Piece], readings: Sequence[Reading], *, wide: bool
    ) -> list[Group]:
        bare = [piece.bare for piece in pieces]
        went_on = self._before.digits > 0
        return [*find_groups(bare, readings, self._reach, went_on=went_on, wide=wide)]

    def _long_ones(
        self, groups: Sequence[Group], named: Sequence[dict[str, int]]
    ) -> dict[Group, str]:
        """Returns those that are a long number, or may be a part of one, and of which kind."""
        names: dict[Group, str] = {}
        for group in groups:
            digits = group.digits + (self._before.digits if group.continues else 0)
            may_be = self._reach is Reach.REVISABLE or group.continues or group.open
            for kind in self._long:
                if digits >= _FEWEST[kind] or named[group.first].get(kind):
                    names[group] = kind
                    break
            else:
                if may_be:
                    names[group] = self._long[-1]
        for kind in self._long:
            rest = [group for group in groups if group not in names]
            names |= dict.fromkeys(_scattered(rest, _FEWEST[kind]), kind)
        return names

    def _named(self, pieces: Sequence[Piece], readings: Sequence[Reading]) -> list[dict[str, int]]:
        """Returns, of each place and of the end, which kinds a number there is of by its name."""
        left = self._before.named
        named = [left]
        for piece, reading in zip(pieces, readings, strict=True):
            if reading.kind not in NUMERIC:
                left = {kind: words - 1 for kind, words in left.items() if words > 1}
            left = left | {kind: _NAMED_WORDS for kind in self._long if piece.bare in _NAMES[kind]}
            named.append(left)
        return named

    def _left(self, readings: Sequence[Reading], groups: Sequence[Group]) -> int:
        """Returns how many digits stand at the end; what is only between digits ends nothing."""
        if groups and groups[-1].open:
            last = groups[-1]
            return last.digits + (self._before.digits if last.continues else 0)
        between = all(reading.kind in (Kind.BETWEEN, Kind.CHATTER) for reading in readings)
        return self._before.digits if between else 0

    def _labelled(self, pieces: Sequence[Piece], names: dict[Group, str]) -> list[Piece]:
        found: list[Piece] = []
        at = 0
        for group in sorted(names, key=lambda group: group.first):
            hidden = pieces[group.first : group.after]
            known = next((piece.core for piece in hidden if piece.hidden), None)
            found += pieces[at : group.first]
            found.append(join(hidden, known or self._label(names[group]), fixed=True, hidden=True))
            at = group.after
        return [*found, *pieces[at:]]

    def _label(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"[{_LABELS[kind]}_{self._counts[kind]}]"

    def _hidden_within(self, piece: Piece) -> Piece:
        """Returns a piece that is many words, for want of spaces, with its numbers hidden."""
        if piece.hidden or not is_without_spaces(piece.core):
            return piece
        kind = self._long[-1] if self._long else NUMBERS
        core, at = "", 0
        for first, after in numeric_runs(piece.core):
            core += piece.core[at:first] + self._label(kind)
            at = after
        if not at:
            return piece
        return join([piece], core + piece.core[at:], fixed=True, hidden=True)


def begins_with_number(text: str) -> bool | None:
    """Returns whether a text begins with a number; ``None``: it has nothing that ends one."""
    for piece in split(text.split()):
        kind = read(piece.core).kind
        if kind not in (Kind.BETWEEN, Kind.CHATTER):
            return kind is not Kind.OTHER
    return None


def _reading(pieces: Sequence[Piece], at: int) -> Reading:
    if pieces[at].hidden:
        return _HIDDEN
    if is_without_spaces(pieces[at].core):
        return Reading(Kind.OTHER)
    reading = read(pieces[at].core)
    if reading.kind in (Kind.MAYBE, Kind.BESIDE) and is_number(pieces, at):
        return replace(reading, kind=Kind.SURE)
    return reading


def _scattered(groups: Sequence[Group], fewest: int) -> Iterator[Group]:
    """Yields groups that are too short by themselves, and long enough with those near them."""
    near: list[Group] = []
    for group in groups:
        if near and group.first - near[-1].after > _APART:
            near = []
        near.append(group)
        if sum(each.digits for each in near) >= fewest:
            yield from near
