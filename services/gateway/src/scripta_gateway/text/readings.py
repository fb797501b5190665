"""How a word is read where numbers have to be hidden: rather as a number than not. Pure.

Marks of every kind part a word, so that "four–two/seven" is three digits however it is written.
Digits are those of every script, also full-width ones, raised ones and the like. Number words are
English ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from scripta_gateway.text.vocabulary import (
    DECADES,
    FILLERS,
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

_WORDS: Final = (*UNITS, *TEENS, *TENS, *SCALES, "hundred")
_MAYBE: Final = frozenset({"one", "ones", *OH})
_PLURALS: Final = {
    **{f"{word}s": word for word in _WORDS if word != "one"},
    **{"zeroes": "zero", "sixes": "six"},
}
_LARGE_ORDINALS: Final = (*SCALE_ORDINALS, *(set(ORDINALS) - set(UNIT_ORDINALS)))
_SURE: Final = frozenset(
    {
        *_WORDS,
        *(*_PLURALS, *DECADES, *_LARGE_ORDINALS, *(f"{word}s" for word in _LARGE_ORDINALS)),
        *("nil", "null", "dozen", "dozens", "niner", "fourty", "ninty"),
    }
    - _MAYBE
)
_BESIDE: Final = frozenset(
    (
        *(*UNIT_ORDINALS, *FRACTIONS, *TIMES),
        *(f"{word}s" for word in (*UNIT_ORDINALS, *FRACTIONS)),
        *("halves", "quintuple"),
    )
)
_BETWEEN: Final = frozenset(
    (
        *FILLERS,
        *("and", "a", "point", "dot", "dash", "hyphen", "minus", "plus", "slash", "stroke"),
        *("space", "comma", "colon", "period", "underscore", "ah", "eh", "huh", "nuh"),
    )
)
_CHATTER: Final = frozenset(
    (
        *("then", "next", "okay", "ok", "so", "like", "sorry", "no", "yes", "yeah", "right"),
        *("well", "now", "wait", "please"),
    )
)
_SOUNDS_LIKE: Final = frozenset(
    ("to", "too", "for", "fore", "ate", "won", "tree", "free", "fife", "sex", "owe", "ow")
)
_PART: Final = re.compile(r"[^\W_]+")
_WORD: Final = "|".join(sorted(_WORDS, key=len, reverse=True))
_GLUED: Final = re.compile(f"(?:{_WORD})+")
_PLURAL_DIGITS: Final = 4
""""Three sevens": how many there are is said before it, and is not looked at."""
_FEWEST_LETTERS: Final = 2
_WITHOUT_SPACES: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
"""Letters of scripts that have no spaces between words."""


class Kind(Enum):
    """What a word is to a number."""

    SURE = auto()
    """A number, or part of one."""
    MAYBE = auto()
    """A digit among digits, and mostly something else when it is alone."""
    BESIDE = auto()
    """Part of a number beside one, and none by itself."""
    SOUNDS_LIKE = auto()
    """What a digit between digits may be misheard as."""
    BETWEEN = auto()
    """What is said between digits; also bare marks."""
    CHATTER = auto()
    """What is said before and behind groups of digits."""
    OTHER = auto()


_KINDS: Final = {
    word: kind
    for words, kind in (
        (_CHATTER, Kind.CHATTER),
        (_BETWEEN, Kind.BETWEEN),
        (_SOUNDS_LIKE, Kind.SOUNDS_LIKE),
        (_BESIDE, Kind.BESIDE),
        (_MAYBE, Kind.MAYBE),
        (_SURE, Kind.SURE),
    )
    for word in words
}
NUMERIC: Final = frozenset({Kind.SURE, Kind.MAYBE, Kind.BESIDE})


@dataclass(frozen=True, slots=True)
class Reading:
    """How a word is read.

    Attributes:
        kind: What it is to a number.
        words: Its number words, to count what they come to.
        digits: Digits that are written in it.
    """

    kind: Kind
    words: tuple[str, ...] = ()
    digits: int = 0


def read(core: str) -> Reading:
    """Returns how a word is read, without the punctuation round it."""
    parts = _parts(core)
    kinds = {_kind(part) for part in parts}
    words = tuple(word for part in parts for word in _number_words(part))
    digits = sum(map(str.isnumeric, core))
    if digits or Kind.SURE in kinds or (kinds == {Kind.MAYBE} and len(words) > 1):
        return Reading(Kind.SURE, words, digits)
    kinds = kinds - {Kind.BETWEEN} or {Kind.BETWEEN}
    if len(kinds) > 1:
        return Reading(Kind.SURE if kinds <= NUMERIC else Kind.OTHER, words)
    return Reading(kinds.pop(), words)


def begins_number_word(core: str) -> bool:
    """Returns whether a word that is not complete may be going to say a number."""
    *before, last = ["", *_parts(core)]
    if any(_kind(part) in NUMERIC for part in before):
        return True
    return len(last) >= _FEWEST_LETTERS and any(word.startswith(last) for word in _WORDS)


def is_without_spaces(core: str) -> bool:
    """Returns whether a text has words of a script that puts no spaces between them."""
    return any(_WITHOUT_SPACES.match(char) and not char.isnumeric() for char in core)


def numeric_runs(core: str) -> list[tuple[int, int]]:
    """Returns where numbers stand in such a text; a lone word for a number is part of a word."""
    runs: list[tuple[int, int]] = []
    for at, char in enumerate(core):
        if not char.isnumeric():
            continue
        if runs and not any(map(str.isalnum, core[runs[-1][1] : at])):
            runs[-1] = runs[-1][0], at + 1
        else:
            runs.append((at, at + 1))
    return [
        (first, after)
        for first, after in runs
        if after - first > 1 or not _WITHOUT_SPACES.match(core[first])
    ]


def _parts(core: str) -> list[str]:
    plain = core if core.isascii() else unicodedata.normalize("NFKC", core)
    return _PART.findall(plain.casefold())


def _kind(part: str) -> Kind:
    return _KINDS.get(part) or (Kind.SURE if _GLUED.fullmatch(part) else Kind.OTHER)


def _number_words(part: str) -> tuple[str, ...]:
    if part in _PLURALS:
        return (_PLURALS[part],) * _PLURAL_DIGITS
    if _GLUED.fullmatch(part):
        return tuple(re.findall(_WORD, part))
    return (part,) if _kind(part) in NUMERIC else ()
