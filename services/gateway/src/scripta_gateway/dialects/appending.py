"""Text that only ever grows, for clients who put it together from pieces. Pure.

Interims revise what they said, and so only their stable words are told. Where a final has other
words than were told, it goes on behind those of its words that say the same: what a client has put
together lacks nothing and says nothing twice, and keeps the words that it was told first.
"""

from __future__ import annotations

from collections.abc import Sequence


class Appending:
    """The text of one turn, segment after segment."""

    def __init__(self) -> None:
        self._begun = False
        # Those words of the segment at hand that were told.
        self._told: list[str] = []

    def grow(self, stable: str) -> str:
        """Takes the stable words of an interim; returns the piece that is new, perhaps none."""
        words, count = stable.split(), len(self._told)
        if words[:count] != self._told:
            return ""
        self._told = words
        return self._piece(" ".join(words[count:]))

    def settle(self, text: str) -> str:
        """Takes the text of a final, which ends the segment; returns the piece that is new."""
        told, self._told = self._told, []
        return self._piece(" ".join(text.split()[_end_of(told, text.split()) :]) if told else text)

    def _piece(self, text: str) -> str:
        begun, self._begun = self._begun, self._begun or bool(text)
        return f" {text}" if begun and text else text


def _end_of(told: Sequence[str], words: Sequence[str]) -> int:
    """Returns how many words say what was told: of all beginnings, the most alike."""
    if list(words[: len(told)]) == told:
        return len(told)
    bare = [_bare(word) for word in words]
    row = list(range(len(words) + 1))  # edit distances of what was told to each beginning
    for said in map(_bare, told):
        above, row = row, [row[0] + 1]
        for at, word in enumerate(bare):
            row.append(min(above[at] + (said != word), above[at + 1] + 1, row[at] + 1))
    return min(range(len(row)), key=lambda end: (row[end], abs(end - len(told))))


def _bare(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold()
