"""English words that say numbers. Tables only."""

from __future__ import annotations

from typing import Final

_SMALL: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
UNITS: Final = {
    **{word: value for value, word in enumerate(_SMALL) if value < 10},
    **dict.fromkeys(("nought", "naught"), 0),
}
TEENS: Final = {word: value for value, word in enumerate(_SMALL) if value >= 10}
TENS: Final = {
    word: value * 10
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
SCALES: Final = {
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
UNIT_ORDINALS: Final = {
    word: value
    for value, word in enumerate(
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"], 1
    )
}
ORDINALS: Final = {
    **UNIT_ORDINALS,
    **{"tenth": 10, "eleventh": 11, "twelfth": 12},
    **{f"{word}th": value for word, value in TEENS.items() if value > 12},
    **{f"{word[:-1]}ieth": value for word, value in TENS.items()},
}
SCALE_ORDINALS: Final = {"hundredth": 100, **{f"{word}th": of for word, of in SCALES.items()}}
DECADES: Final = {f"{word[:-1]}ies": value for word, value in TENS.items()}
OH: Final = frozenset({"oh", "o"})
"""A zero, among digits."""
TIMES: Final = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
FRACTIONS: Final = {"half": "5", "quarter": "25"}
"""What stands behind the point for "and a half"."""

FILLERS: Final = frozenset(
    (
        *("uh", "um", "uhm", "er", "erm", "hm", "hmm", "mm", "mhm", "mhmm"),
        *("mm-mm", "mm-hmm", "uh-uh", "uh-huh", "nuh-uh"),
    )
)
MONTHS: Final = frozenset(
    (
        *("january", "february", "march", "april", "may", "june", "july", "august"),
        *("september", "october", "november", "december"),
    )
)
