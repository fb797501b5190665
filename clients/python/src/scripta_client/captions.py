"""Cuts finals into captions that can be read in the time they stand.

A caption has at most two lines of 42 letters and stands for at most six seconds; it ends at a
sentence, at a pause or where it is full. Times are whole milliseconds, never overlap, and
every caption stands for some time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from scripta_client.events import Final

LINE_LETTERS = 42
CAPTION_LETTERS = 2 * LINE_LETTERS
CAPTION_SECONDS = 6.0
PAUSE_SECONDS = 0.8
LEAST_SECONDS = 1.0

_TOKEN = re.compile(rf"\S{{1,{LINE_LETTERS}}}\s*")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")


@dataclass(frozen=True, slots=True)
class Caption:
    """Text that stands from ``start`` to ``end``, in milliseconds; one or two lines."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, with what follows it up to the next one, and when it is said."""

    text: str
    start: float
    end: float


class Captioner:
    """Makes captions of finals, one after the other."""

    def __init__(self) -> None:
        self._last_end = 0

    def captions(self, final: Final) -> list[Caption]:
        """Returns the captions of a final; none if nothing was said."""
        groups = list(_groups(_pieces(final)))
        limits = [group[0].start for group in groups[1:]] + [final.end]
        return [self._caption(group, limit) for group, limit in zip(groups, limits, strict=False)]

    def _caption(self, group: list[_Piece], limit: float) -> Caption:
        """Returns the caption of a group; a short one stands longer, but not past ``limit``."""
        stands = max(group[-1].end, group[0].start + LEAST_SECONDS)
        start = max(_milliseconds(group[0].start), self._last_end)
        end = max(_milliseconds(min(stands, limit)), start + 1)
        self._last_end = end
        return Caption(start, end, _lines("".join(piece.text for piece in group).strip()))


def _pieces(final: Final) -> list[_Piece]:
    text = " ".join(final.text.split())
    return _timed(text, final) or _estimated(text, final.start, final.end)


def _timed(text: str, final: Final) -> list[_Piece]:
    """Returns the text cut at the words that have times, or nothing if they do not fit it."""
    places = []
    place = 0
    for word in final.words:
        place = text.find(word.text.strip(), place)
        if place < 0 or not word.text.strip():
            return []
        places.append(place)
        place += len(word.text.strip())
    if not places:
        return []
    places[0] = 0
    cuts = pairwise([*places, len(text)])
    return [
        _Piece(text[begin:end], word.start, word.end)
        for (begin, end), word in zip(cuts, final.words, strict=True)
    ]


def _estimated(text: str, start: float, end: float) -> list[_Piece]:
    """Returns the words of a text with times in proportion to their letters."""
    scale = (end - start) / max(1, len(text))
    return [
        _Piece(match[0], start + match.start() * scale, start + match.end() * scale)
        for match in _TOKEN.finditer(text)
    ]


def _groups(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Yields the pieces of one caption at a time."""
    group: list[_Piece] = []
    for piece in pieces:
        if group and _parts(group, piece):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _parts(group: list[_Piece], piece: _Piece) -> bool:
    """Returns whether a new caption begins before ``piece``."""
    text = "".join(member.text for member in group)
    sentence_is_over = _SENTENCE_END.search(text.strip()) and len(text) >= LINE_LETTERS // 2
    return (
        bool(sentence_is_over)
        or len(_lines((text + piece.text).strip()).split("\n")) > 2
        or piece.end - group[0].start > CAPTION_SECONDS
        or piece.start - group[-1].end > PAUSE_SECONDS
    )


def _lines(text: str) -> str:
    """Returns the text on one line, or on as few lines of about the same length as it needs."""
    if len(text) <= LINE_LETTERS:
        return text
    middle = len(text) / 2
    spaces = [match.start() for match in re.finditer(" ", text)]
    fitting = [
        place for place in spaces if place <= LINE_LETTERS and len(text) - place - 1 <= LINE_LETTERS
    ]
    if fitting:
        place = min(fitting, key=lambda space: abs(space - middle))
        return f"{text[:place]}\n{text[place + 1 :]}"
    if len(text) <= CAPTION_LETTERS and not spaces:
        return f"{text[:LINE_LETTERS]}\n{text[LINE_LETTERS:]}"
    return "\n".join(re.findall(rf".{{1,{LINE_LETTERS}}}", text))


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))
