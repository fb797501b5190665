"""Keyterms before what Whisper decodes, and when what they bring is believed. Pure.

The model takes them for the text before, and spells names like them. It also leaves out what it
takes for said already, drops punctuation, and says terms that nobody said where it hears little. So
what it says with terms stands only where it has a term that it lacks without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

MOST_TOKENS: Final = 223
"""Half of what the model's decoder can look back at, less the token that says what follows."""

SILENT: Final = 0.4
"""Where the model holds it for more probable that nobody speaks, terms bring no words. A word of a
second had 0.27, clicks 0.58."""

_WORD: Final = re.compile(r"\w+")


class Said(Protocol):
    """What the model says of a segment."""

    @property
    def text(self) -> str:
        """Its text; empty if it holds no word."""
        ...

    @property
    def likelihood(self) -> float:
        """Mean log probability of the tokens."""
        ...


def prompt(
    terms: Sequence[str], encode: Callable[[str], list[int]], previous: int
) -> tuple[int, ...]:
    """Returns tokens to put before all others; none without terms.

    Args:
        terms: The first that fit are taken, whole ones only.
        encode: Returns the tokens of a text.
        previous: Token that says that the text before follows.
    """
    tokens: list[int] = []
    end = encode(".")
    for term in terms:
        more = encode(f", {term}" if tokens else f" {term}")
        if len(tokens) + len(more) + len(end) > MOST_TOKENS:
            break
        tokens += more
    return (previous, *tokens, *end) if tokens else ()


def brings_terms(said: Said, without: Said, terms: Sequence[str], *, spaced: bool) -> bool:
    """Returns whether what is said with terms has one more of them, loses none, and is as likely.

    Args:
        said: What is said with the terms.
        without: What is said without.
        terms: The terms.
        spaced: Whether the language puts spaces between words.
    """
    now, before = (_terms_in(one.text, terms, spaced=spaced) for one in (said, without))
    return now > before and said.likelihood >= without.likelihood


def _terms_in(text: str, terms: Sequence[str], *, spaced: bool) -> set[str]:
    words = _plain(text, spaced=spaced)
    return {term for term in terms if (plain := _plain(term, spaced=spaced)) and plain in words}


def _plain(text: str, *, spaced: bool) -> str:
    words = _WORD.findall(text.casefold())
    return f" {' '.join(words)} " if spaced and words else "".join(words)
