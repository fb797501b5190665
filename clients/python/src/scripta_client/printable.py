"""Text of others on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Returns a text without what would steer a terminal: somebody else has chosen it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
