"""Word times for engines that have none: estimated from the length of the words."""

from __future__ import annotations

from scripta_common.wire import Word


def estimate_words(text: str, start: float, end: float) -> tuple[Word, ...]:
    """Returns the words of ``text`` spread over ``start`` to ``end`` seconds.

    Each word gets a share by its letters, plus one for the gap behind it. Good for showing a
    word at about the right moment, not for cutting audio.
    """
    words = text.split()
    total = sum(len(word) + 1 for word in words)
    spoken = []
    at = start
    for word in words:
        until = at + (end - start) * (len(word) + 1) / total
        spoken.append(Word(word, at, until))
        at = until
    return tuple(spoken)
