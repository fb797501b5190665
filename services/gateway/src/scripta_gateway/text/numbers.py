"""English number words. Pure.

A run is a stretch of words that say one number: a cardinal (one hundred and five), a year
(nineteen eighty four), digits one by one (five five oh one), with decimals (three point five), or
an ordinal (twenty first).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_SMALL: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_UNITS: Final = {word: value for value, word in enumerate(_SMALL) if value < 10}
_TEENS: Final = {word: value for value, word in enumerate(_SMALL) if value >= 10}
_TENS: Final = {
    word: value * 10
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS: Final = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
    **{f"{word}th": value for word, value in _TEENS.items() if value > 12},
    **{f"{word[:-1]}ieth": value for word, value in _TENS.items()},
}
_OH: Final = frozenset({"oh", "o"})
_CENTURIES: Final = range(11, 21)
"""Those in which years are said in two parts."""
_TIMES: Final = {"double": 2, "triple": 3}
_JOINS: Final = frozenset({"and", "point", "hundred", "hundredth", "thousandth", *_SCALES})
_SUFFIXES: Final = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, slots=True)
class Run:
    """Words that say one number.

    Attributes:
        first: Number of the first word.
        after: Number just past the last one.
        digits: The number in digits.
    """

    first: int
    after: int
    digits: str


def is_digits(word: str) -> bool:
    """Returns whether a word is written in digits already, perhaps with marks between them."""
    return word[:1].isdigit() and all(char.isdigit() or char in "-.,:/" for char in word)


def find_runs(words: Sequence[str], ends: Sequence[bool]) -> Iterator[Run]:
    """Yields the numbers that are said, in order.

    Args:
        words: Words in lower case, without punctuation.
        ends: Of each word whether punctuation stands behind it, so that no number goes on there.
    """
    at = 0
    while at < len(words):
        run = _run_at(words, ends, at)
        if run is None:
            at += 1
        else:
            yield run
            at = run.after


def _run_at(words: Sequence[str], ends: Sequence[bool], at: int) -> Run | None:
    parts, spans = _atoms(words, ends, at)
    for read in (_one_by_one, _year, _cardinal):
        found = read(parts)
        if found is not None and (used := _whole_words(found[0], spans)):
            return Run(at, at + used, found[1])
    return None


def _atoms(words: Sequence[str], ends: Sequence[bool], at: int) -> tuple[list[str], list[int]]:
    """Returns the words that may say a number, hyphens taken apart, and where each word ends."""
    parts: list[str] = []
    spans: list[int] = []
    for word, ended in zip(words[at:], ends[at:], strict=True):
        here = word.split("-")
        if not all(map(_may_be, here)):
            break
        parts += here
        spans.append(len(parts))
        if ended:
            break
    return parts, spans


def _may_be(word: str) -> bool:
    tables = (_UNITS, _TEENS, _TENS, _SCALES, _ORDINALS)
    others = ("hundred", "hundredth", "thousandth", "and", "point")
    return any(word in table for table in tables) or word in others or word in _OH


def _whole_words(parts: int, spans: Sequence[int]) -> int:
    """Returns how many words so many parts are; 0 if they end in the middle of one."""
    return spans.index(parts) + 1 if parts in spans else 0


def _one_by_one(parts: Sequence[str]) -> tuple[int, str] | None:
    digits = ""
    for word in parts:
        if word in _UNITS:
            digits += str(_UNITS[word])
        elif word in _OH and (len(digits) > 1 or (digits and parts[2:3] and parts[2] in _UNITS)):
            digits += "0"  # behind one digit it may be "two o'clock", or astonishment
        else:
            break
    follows = parts[len(digits) : len(digits) + 1]
    if len(digits) < 2 or (follows and follows[0] in {"hundred", "point", *_SCALES}):
        return None
    return len(digits), digits


def _year(parts: Sequence[str]) -> tuple[int, str] | None:
    if len(parts) < 2 or not (century := _TEENS.get(parts[0]) or _TENS.get(parts[0])):
        return None
    if parts[1] in _OH and century in _CENTURIES and len(parts) > 2 and parts[2] in _UNITS:
        return 3, f"{century}0{_UNITS[parts[2]]}"
    used, rest = _below_hundred(parts[1:])
    if not used or rest < 10 or century not in _CENTURIES:
        return None
    follows = parts[1 + used : 2 + used]
    if follows and (follows[0] in _SCALES or follows[0] == "hundred"):
        return None
    return 1 + used, f"{century}{rest}"


def _cardinal(parts: Sequence[str]) -> tuple[int, str] | None:
    total, at = 0, 0
    least = 10**15
    while True:
        used, value = _below_thousand(parts[at:], joined=at > 0)
        if not used:
            break
        scale = parts[at + used] if at + used < len(parts) else ""
        if _SCALES.get(scale, 0) >= least:
            break
        at += used
        if scale not in _SCALES:
            total += value
            break
        total, least, at = total + value * _SCALES[scale], _SCALES[scale], at + 1
    if not at:
        return _ordinal(parts, 0, 0)
    if (ordinal := _ordinal(parts, at, total)) is not None:
        return ordinal
    decimals = _decimals(parts[at:])
    if decimals:
        return at + 1 + len(decimals), f"{total}.{decimals}"
    if at == 1 and parts[0] == "one":
        return None  # mostly a pronoun
    return at, str(total)


def _below_thousand(parts: Sequence[str], *, joined: bool) -> tuple[int, int]:
    at = 1 if joined and parts[:1] == ["and"] else 0
    used, value = _below_hundred(parts[at:])
    if not used:
        return 0, 0
    at += used
    if parts[at : at + 1] != ["hundred"]:
        return at, value
    value, at = value * 100, at + 1
    further = at + 1 if parts[at : at + 1] == ["and"] else at
    used, rest = _below_hundred(parts[further:])
    if parts[further + used : further + used + 1] == ["hundred"]:
        return at, value  # another number begins there
    return (further + used, value + rest) if used else (at, value)


def _below_hundred(parts: Sequence[str]) -> tuple[int, int]:
    if not parts:
        return 0, 0
    word = parts[0]
    if word in _TENS:
        unit = _UNITS.get(parts[1], 0) if len(parts) > 1 else 0
        return (2, _TENS[word] + unit) if unit else (1, _TENS[word])
    value = _UNITS.get(word, _TEENS.get(word))
    return (0, 0) if value is None else (1, value)


def _ordinal(parts: Sequence[str], at: int, total: int) -> tuple[int, str] | None:
    if at >= len(parts) or parts[at] not in _ORDINALS:
        return None
    value = _ORDINALS[parts[at]]
    tens = total % 100
    fits = value < 10 and tens >= 20 and tens % 10 == 0 if tens else total % 1000 == 0
    if at and not fits:
        return None
    if not at and value < 10:
        return None  # the second may be a time, and the first a word of order
    whole = total + value
    suffix = "th" if whole % 100 in (11, 12, 13) else _SUFFIXES.get(whole % 10, "th")
    return at + 1, f"{whole}{suffix}"


def _decimals(parts: Sequence[str]) -> str:
    if parts[:1] != ["point"]:
        return ""
    digits = ""
    for word in parts[1:]:
        if word not in _UNITS and word not in _OH:
            break
        digits += str(_UNITS.get(word, 0))
    return digits


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words that say numbers, whatever stands between them.

    Attributes:
        first: Number of the first word.
        after: Number just past the last one.
        digits: How many digits they come to, about.
    """

    first: int
    after: int
    digits: int


def find_stretches(words: Sequence[str]) -> Iterator[Stretch]:
    """Yields all that may be a number, in words or in digits; rather too much than too little.

    A lone "one" and a lone ordinal below ten are no numbers: they are words of order and pronouns.

    Args:
        words: Words in lower case, without punctuation.
    """
    at = 0
    while at < len(words):
        after = at
        while after < len(words) and _numeric(words[after]):
            after += 1
        first, end = at, after
        while first < end and words[first] in _JOINS:
            first += 1
        while first < end and (words[end - 1] in {"and", "point", *_TIMES, *_OH}):
            end -= 1
        digits = _digits_of(words[first:end])
        if digits and not (end - first == 1 and _is_common(words[first])):
            yield Stretch(first, end, digits)
        at = max(after, at + 1)


def _numeric(word: str) -> bool:
    return is_digits(word) or all(_may_be(part) or part in _TIMES for part in word.split("-"))


def _is_common(word: str) -> bool:
    return word == "one" or _ORDINALS.get(word, 10) < 10


def _digits_of(words: Sequence[str]) -> int:
    total, times, after_tens = 0, 1, False
    for part in (part for word in words for part in _parts(word)):
        if is_digits(part):
            count = sum(char.isdigit() for char in part)
        elif part in _UNITS or part in _OH or _ORDINALS.get(part, 10) < 10:
            count = 0 if after_tens else times
        elif part in _TEENS or part in _TENS or part in _ORDINALS:
            count = 2
        else:
            count = 2 if part.startswith("hundred") else 3 if part in _SCALES else 0
        after_tens = part in _TENS
        times = _TIMES.get(part, 1)
        total += count
    return total


def _parts(word: str) -> Sequence[str]:
    return (word,) if is_digits(word) else word.split("-")
