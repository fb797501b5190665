"""Counts the words that did not come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Count:
    """How many words were to come, and what became of them; counts add up.

    Attributes:
        expected: Words of the reference.
        lost: Those with nothing in their place.
        added: Words that came where none was to come: doubled, for one.
        changed: Others in the place of those expected.
    """

    expected: int = 0
    lost: int = 0
    added: int = 0
    changed: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.expected + other.expected,
            self.lost + other.lost,
            self.added + other.added,
            self.changed + other.changed,
        )


def words_of(text: str) -> list[str]:
    """Returns the words of a text, without case and punctuation."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def count_words(expected: Sequence[str], heard: Sequence[str]) -> Count:
    """Returns what became of the expected words.

    What stands in the place of something else counts as changed, as far as it goes, and not as
    lost: another kind of processor may hear a word differently, but loses none.
    """
    lost = added = changed = 0
    if list(expected) != list(heard):
        matcher = SequenceMatcher(None, expected, heard, autojunk=False)
        for kind, start, stop, other_start, other_stop in matcher.get_opcodes():
            if kind != "equal":
                gone, new = stop - start, other_stop - other_start
                changed += min(gone, new)
                lost += max(gone - new, 0)
                added += max(new - gone, 0)
    return Count(len(expected), lost, added, changed)


def count_messages(accepted: int, finals: int) -> Count:
    """Returns the same for an engine that answers each message with one final."""
    return Count(accepted, max(accepted - finals, 0), max(finals - accepted, 0))
