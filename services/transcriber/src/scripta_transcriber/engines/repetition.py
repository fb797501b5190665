"""Finds and cuts what a greedy decoder says on odd audio: the same thing for ever.

Pure and deterministic. People repeat themselves, too: only a decoder that has said more than its
audio can hold is in a loop, which its caller knows.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_PHRASE = 16
"""Longest repeated phrase that is looked for, in tokens."""

LOOP_TOKENS = 12
"""A phrase's repetitions are a loop from this many tokens together …"""

LOOP_TURNS = 4
"""… and at least so many turns."""


def loop_length(tokens: Sequence[object]) -> int:
    """Returns the length of the phrase that ``tokens`` end in a loop of; 0 for none.

    Args:
        tokens: Tokens, or words, or letters.
    """
    for length in range(1, min(LONGEST_PHRASE, len(tokens) // LOOP_TURNS) + 1):
        turns = max(LOOP_TURNS, -(-LOOP_TOKENS // length))
        span = turns * length
        if span <= len(tokens) and all(
            tokens[-i] == tokens[-i - length] for i in range(1, span - length + 1)
        ):
            return length
    return 0


def ends_in_loop(text: str, *, spaced: bool) -> bool:
    """Returns true if a text ends with the same words again and again, whatever their signs.

    Args:
        text: The text.
        spaced: Whether its script has spaces between words; its letters are looked at if not.
    """
    words = ("".join(filter(str.isalnum, word)).casefold() for word in text.split())
    said = [word for word in words if word]
    return loop_length(said if spaced else "".join(said)) > 0


def cut_loop(tokens: Sequence[int], length: int) -> list[int]:
    """Returns ``tokens`` with the loop at their end reduced to one turn of ``length`` tokens."""
    end = len(tokens)
    while end > length and tokens[end - 1] == tokens[end - 1 - length]:
        end -= 1
    return list(tokens[:end])
