"""Word error rate as the recordings' manifest asks for it.

Lower case, punctuation out, fillers dropped; the best of the reference and its alternatives. Rates
are over a whole set: errors of all recordings over words of all references. What else is done
hangs on the language:

- English: numbers are spelled out, so that "3" and "three" are the same.
- Russian: ё is written as е, as most texts have it.
- Chinese, Japanese and others that are written without spaces: characters are counted, not words.
- All others: figures stay figures. A reference that spells its numbers out names the figures among
  its alternatives, or a model that writes figures has an error for each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Languages that are written without spaces between words."""

FILLERS = frozenset({"uh", "um", "uhm", "umm", "er", "erm", "hm", "hmm", "mm", "mhm", "ah"})

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
    *("seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_UNITS = {"$": "dollars", "€": "euros", "£": "pounds"}


@dataclass(frozen=True, slots=True)
class Score:
    """Errors against a number of reference words; scores add up."""

    errors: int = 0
    words: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.errors + other.errors, self.words + other.words)

    @property
    def rate(self) -> float:
        """Errors a reference word; infinite for words where there should be none."""
        if not self.words:
            return float("inf") if self.errors else 0.0
        return self.errors / self.words


def score(references: Iterable[str], hypothesis: str, language: str) -> Score:
    """Returns the best score of a hypothesis against several right spellings."""
    heard = units(hypothesis, language)
    scores = []
    for reference in references:
        said = units(reference, language)
        scores.append(Score(edit_distance(said, heard), len(said)))
    return min(scores, key=lambda s: s.rate)


def units(text: str, language: str) -> list[str]:
    """Returns what errors are counted in: normalised words, or characters without spaces."""
    text = unicodedata.normalize("NFKC", text).lower()
    language = language.partition("-")[0]
    if language in UNSPACED:
        return [c for c in text if c.isalnum()]
    if language == "ru":
        text = text.replace("ё", "е")
    if language == "en":
        text = _spell_numbers(text)
    text = re.sub(r"['’]", "", text)
    words = re.sub(r"[^\w]|_", " ", text).split()
    return [word for word in words if word not in FILLERS]


def spoken_words(text: str) -> list[str]:
    """Returns the words of English as they are read aloud, with their apostrophes."""
    text = _spell_numbers(unicodedata.normalize("NFKC", text).lower().replace("’", "'"))
    return [word.strip("'") for word in re.findall(r"[a-z']*[a-z][a-z']*", text)]


def edit_distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Returns the least number of insertions, deletions and substitutions."""
    row = list(range(len(heard) + 1))
    for i, left in enumerate(said, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(heard, start=1):
            change = diagonal + (left != right)
            diagonal = row[j]
            row[j] = min(change, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def _spell_numbers(text: str) -> str:
    text = re.sub(r"\b\d{1,3}(?:,\d{3})+\b", _with_commas, text)
    text = re.sub(r"([$€£])(\d+(?:\.\d+)?)", lambda match: f"{match[2]} {_UNITS[match[1]]}", text)
    text = re.sub(r"(?<=\d)\s*%", " percent", text)
    text = re.sub(r"\b(\d+)(st|nd|rd|th)\b", lambda match: _ordinal(int(match[1])), text)
    text = re.sub(r"(\d+)\.(\d+)", lambda m: f"{_number(m[1])} point {_digits(m[2])}", text)
    return re.sub(r"\d+", lambda match: f" {_number(match[0])} ", text)


def _with_commas(match: re.Match[str]) -> str:
    figures = match[0].replace(",", "")
    # Four figures with a comma are no year.
    return _cardinal(int(figures)) if len(figures) <= 9 else figures


def _number(figures: str) -> str:
    if len(figures) > 9 or (len(figures) > 1 and figures[0] == "0"):
        return _digits(figures)
    value = int(figures)
    century, year = divmod(value, 100)
    if len(figures) == 4 and (11 <= century <= 19 or (century == 20 and year >= 10)):
        return f"{_cardinal(century)} {_cardinal(year) if year else 'hundred'}"
    return _cardinal(value)


def _digits(figures: str) -> str:
    return " ".join(_ONES[int(figure)] for figure in figures)


def _cardinal(value: int) -> str:
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= size:
            count, rest = divmod(value, size)
            return f"{_cardinal(count)} {name}" + (f" {_cardinal(rest)}" if rest else "")
    raise AssertionError(value)


def _ordinal(value: int) -> str:
    *before, last = _cardinal(value).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return " ".join([*before, last])
