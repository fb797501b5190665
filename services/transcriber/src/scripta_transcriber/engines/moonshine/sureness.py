"""Which words of a draft the decoder was sure of: those that had no rival. Pure.

What the decoder hesitates about is what more audio changes. Words that are told apart by their
case alone are the same word. Signs are no words, but a decoder that hesitates between two
of them has not understood where the sentence goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from scripta_transcriber.engines.moonshine.decoder import Said

_END: Final = 2


@dataclass(frozen=True, slots=True)
class Distances:
    """By how much a rival's logit has to be smaller, for a word to be sure.

    Attributes:
        word: A rival that would make another word, or end the text.
        any: Any other rival, such as another sign or another case.
    """

    word: float = 2.5
    any: float = 0.8


def sure_words(
    said: Said, piece: Callable[[int], str], distances: Distances
) -> tuple[tuple[str, bool], ...]:
    """Returns the words of a draft, each with whether the decoder was sure of it.

    Args:
        said: The draft, with rivals within ``distances.word``.
        piece: Returns the text of a token; it begins with a space where a word begins.
        distances: What makes a word sure.
    """
    pieces = [piece(token) for token in said.tokens]
    words = []
    for first, last in _spans(pieces):
        text = "".join(pieces[first:last]).strip()
        near = (
            distance < (distances.word if matters else distances.any)
            for place in range(first, min(last + 1, len(said.rivals)))
            for rival, distance in said.rivals[place].items()
            for matters in [_matters(rival, piece(rival), pieces[place:last])]
            if matters or place < last
        )
        if text:
            words.append((text, not any(near)))
    return tuple(words)


def _spans(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields where the tokens of each word begin and end."""
    starts = [i for i, text in enumerate(pieces) if i == 0 or text.startswith(" ")]
    yield from zip(starts, [*starts[1:], len(pieces)], strict=True)


def _matters(token: int, rival: str, rest: Sequence[str]) -> bool:
    """Returns true if a rival would make another word.

    Args:
        token: The rival.
        rival: Its text.
        rest: The tokens of the word from where the rival would stand; none behind the word.
    """
    letters, begins = _letters(rival), rival.startswith(" ")
    if not rest:
        return bool(letters) and not begins  # the word would go on
    if token == _END:
        return True
    chosen = rest[0]
    if not letters or (not _letters(chosen) and begins):
        return False  # a sign more or less
    return begins != chosen.startswith(" ") or not _letters("".join(rest)).startswith(letters)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
