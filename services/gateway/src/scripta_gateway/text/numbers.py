"""English numbers, read from words. Pure.

A number is a cardinal (one hundred and five), with decimals (three point five, two and a half), an
ordinal (one hundred and first), a decade (nineteen eighties), a year (nineteen eighty four), a
time of day (ten fifteen), or digits one by one (five double five oh one).

Packages that read numbers know cardinals and ordinals. They write dictated digits apart and know
neither years, "oh", "double" nor times of day, and those are what is said on telephones. To put
these rules round a package would need all of the grammar below but ``cardinal``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from scripta_gateway.text.vocabulary import (
    DECADES,
    FRACTIONS,
    OH,
    ORDINALS,
    SCALE_ORDINALS,
    SCALES,
    TEENS,
    TENS,
    TIMES,
    UNIT_ORDINALS,
    UNITS,
)

Read = tuple[int, str]
"""How many words a number takes, and how it is written; 0 where there is none."""

_NONE: Final[Read] = (0, "")
_SUFFIXES: Final = {1: "st", 2: "nd", 3: "rd"}
_CENTURIES: Final = range(13, 21)
"""Those in which years are said in two parts, whatever the second. Before them such words are
mostly a time of day."""
_HOURS: Final = range(1, 13)
_MINUTES: Final = range(10, 60)
_TOO_LARGE: Final = 10**15
_WORDS: Final = frozenset(
    {
        *("a", "and", "point", "hundred", "quarters", *OH, *TIMES, *FRACTIONS, *DECADES),
        *(*UNITS, *TEENS, *TENS, *SCALES, *ORDINALS, *SCALE_ORDINALS),
    }
)


def may_be(word: str) -> bool:
    """Returns whether a word may be part of a number."""
    return word in _WORDS


def one_by_one(parts: Sequence[str]) -> Read:
    """Reads digits: two at least, and zeros among them."""
    digits, at = "", 0
    while at < len(parts):
        word, following = parts[at], parts[at + 1 : at + 2]
        if word in UNITS:
            digits += str(UNITS[word])
        elif word in TIMES and following and (following[0] in UNITS or following[0] in OH):
            digits += str(UNITS.get(following[0], 0)) * TIMES[word]
            at += 1
        elif word in OH and _is_zero(digits, following):
            digits += "0"
        else:
            break
        at += 1
    goes_on = parts[at : at + 1]
    fewest = 3 if parts[0] in OH else 2
    if len(digits) < fewest or (goes_on and goes_on[0] in {"hundred", "point", *SCALES}):
        return _NONE
    return at, digits


def time_of_day(parts: Sequence[str]) -> Read:
    """Reads an hour and minutes; only the words around them say that they are no other number."""
    used, hour = _below_hundred(parts)
    if not used or hour not in _HOURS:
        return _NONE
    rest = parts[used:]
    if len(rest) > 1 and rest[0] in OH and UNITS.get(rest[1]):
        minutes_used, minutes = 2, UNITS[rest[1]]
    else:
        minutes_used, minutes = _below_hundred(rest)
        if minutes not in _MINUTES:
            return _NONE
    after = used + minutes_used
    if parts[after : after + 1] and parts[after] not in {"a", "and", "point"}:
        return _NONE  # more than a time
    return after, f"{hour}:{minutes:02}"


def year(parts: Sequence[str], *, expected: bool) -> Read:
    """Reads a year in two parts.

    Args:
        parts: The words.
        expected: Whether the word before them goes with a year: "nineteen twenty" alone may be
            somebody who counts.
    """
    century = _value(parts[:1], TEENS, TENS)
    if len(parts) < 2 or not century:
        return _NONE
    if parts[1] in OH and len(parts) > 2 and UNITS.get(parts[2]):
        if century in _HOURS and not expected:
            return 3, f"{century}:0{UNITS[parts[2]]}"
        return (3, f"{century}0{UNITS[parts[2]]}") if century <= 20 else _NONE
    used, rest = _below_hundred(parts[1:])
    if not used or rest < 10 or century > 20:
        return _NONE
    if century not in _CENTURIES and not expected and rest < 60:
        return _NONE
    if rest == century + 1 and century < 20 and not expected:
        return _NONE
    follows = parts[1 + used : 2 + used]
    if follows and (follows[0] in SCALES or follows[0] == "hundred"):
        return _NONE
    return 1 + used, f"{century}{rest}"


def decade(parts: Sequence[str]) -> Read:
    """Reads a decade, with its century or without."""
    if parts[0] in DECADES:
        return 1, f"{DECADES[parts[0]]}s"
    century = _value(parts[:1], TEENS, TENS)
    if century and century <= 20 and parts[1:2] and parts[1] in DECADES:
        return 2, f"{century}{DECADES[parts[1]]}s"
    return _NONE


def fraction(parts: Sequence[str]) -> Read:
    """Reads decimals that have nothing before the point."""
    digits = _decimals(parts)
    return (1 + len(digits), f"0.{digits}") if digits else _NONE


def cardinal(parts: Sequence[str]) -> Read:
    """Reads a cardinal, perhaps with decimals, or an ordinal that begins with one."""
    at, total = _cardinal(parts)
    ordinal = _ordinal(parts, at, total)
    if ordinal[0]:
        return ordinal
    if not at:
        return _NONE
    if digits := _decimals(parts[at:]):
        return at + 1 + len(digits), f"{total}.{digits}"
    if list(parts[at : at + 2]) == ["and", "a"] and (of := FRACTIONS.get(_at(parts, at + 2))):
        return at + 3, f"{total}.{of}"
    if list(parts[at : at + 3]) == ["and", "three", "quarters"]:
        return at + 3, f"{total}.75"
    return at, str(total)


def _cardinal(parts: Sequence[str]) -> tuple[int, int]:
    at, total, least = 0, 0, _TOO_LARGE
    if _at(parts, 0) == "a":
        if (scale := SCALES.get(_at(parts, 1))) is not None:
            at, total, least = 2, scale, scale
        elif _at(parts, 1) != "hundred":
            return 0, 0
    while True:
        here = at + 1 if at and _at(parts, at) == "and" else at
        used, value = _below_thousand(parts[here:])
        scale = SCALES.get(_at(parts, here + used), 0)
        if not used or scale >= least or (here != at and value >= 100):
            return at, total
        if not scale:
            return here + used, total + value
        total, least, at = total + value * scale, scale, here + used + 1


def _below_thousand(parts: Sequence[str]) -> tuple[int, int]:
    if list(parts[:2]) == ["a", "hundred"]:
        at, value = 1, 1
    else:
        at, value = _below_hundred(parts)
    if not at or _at(parts, at) != "hundred":
        return at, value
    value, at = value * 100, at + 1
    further = at + 1 if _at(parts, at) == "and" else at
    used, rest = _below_hundred(parts[further:])
    behind = _at(parts, further + used)
    digits = further == at and rest < 10 and (behind in UNITS or behind in OH)
    if not used or behind == "hundred" or digits:
        return at, value  # another number begins there, or digits one by one
    return further + used, value + rest


def _below_hundred(parts: Sequence[str]) -> tuple[int, int]:
    if not parts:
        return 0, 0
    if (tens := TENS.get(parts[0])) is not None:
        unit = UNITS.get(_at(parts, 1), 0)
        return (2, tens + unit) if unit else (1, tens)
    value = _value(parts[:1], UNITS, TEENS)
    return (0, 0) if value is None else (1, value)


def _ordinal(parts: Sequence[str], at: int, total: int) -> Read:
    """Reads an ordinal whose first words are a cardinal, or none."""
    if scale := SCALE_ORDINALS.get(_at(parts, at)):
        small = 0 < total < 1000 if scale > 100 else 0 < total < 100
        return (at + 1, f"{total * scale}th") if small else _NONE
    further = at + 1 if at and total % 100 == 0 and _at(parts, at) == "and" else at
    value = ORDINALS.get(_at(parts, further), 0)
    tens = total % 100
    fits = value < 10 and tens >= 20 and tens % 10 == 0 if tens else at == 0 or total >= 100
    if not value or not fits:
        return _NONE
    whole = total + value
    suffix = "th" if whole % 100 in (11, 12, 13) else _SUFFIXES.get(whole % 10, "th")
    return further + 1, f"{whole}{suffix}"


def _decimals(parts: Sequence[str]) -> str:
    if _at(parts, 0) != "point":
        return ""
    digits = ""
    for word in parts[1:]:
        if word not in UNITS and word not in OH:
            break
        digits += str(UNITS.get(word, 0))
    return digits


def _is_zero(digits: str, following: Sequence[str]) -> bool:
    """Returns whether an "oh" is a digit: it may be "two o'clock", or astonishment."""
    return len(digits) > 1 or (bool(following) and following[0] in {*UNITS, *TIMES, *OH})


def _value(parts: Sequence[str], *tables: Mapping[str, int]) -> int | None:
    return next((table[parts[0]] for table in tables if parts and parts[0] in table), None)


def _at(parts: Sequence[str], at: int) -> str:
    return parts[at] if at < len(parts) else ""


def is_small_ordinal(word: str) -> bool:
    """Returns whether a word is a lone ordinal below ten, which may be a word of order."""
    return word in UNIT_ORDINALS
