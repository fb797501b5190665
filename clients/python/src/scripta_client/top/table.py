"""Columns of text: the first takes the room that the others leave."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from scripta_client.terminal import clip_left

TITLE_STYLE = "dim"


class Table:
    """Lines with cells under titles.

    Attributes:
        lines: The title and the rows so far.
    """

    def __init__(self, titles: Sequence[str], widths: Sequence[int], width: int) -> None:
        """Begins with the titles.

        Args:
            titles: One a column; the first column is aligned to the left, the others to the right.
            widths: Of all columns but the first, with the space before them.
            width: Of a whole line.
        """
        self._first = width - sum(widths)
        self._widths = widths
        self._width = width
        self.lines = [Text(self._laid(titles), style=TITLE_STYLE)]

    def row(self, *cells: str, style: str = "") -> None:
        """Adds a row."""
        self.lines.append(Text(self._laid(cells), style=style))

    def remark(self, name: str, text: str, style: str) -> None:
        """Adds a row of which only the first cell is in its column."""
        line = f"{clip_left(name, self._first - 1):<{self._first}}{text}"
        self.lines.append(Text(cut(line, self._width), style=style))

    def _laid(self, cells: Sequence[str]) -> str:
        # Names of pods and addresses differ in their ends.
        first = f"{clip_left(cells[0], self._first - 1):<{self._first}}"
        rest = (f"{cell:>{width}}" for cell, width in zip(cells[1:], self._widths, strict=True))
        return (first + "".join(rest)).rstrip()


def cut(text: str, width: int) -> str:
    """Returns the text, its end replaced by a mark if it is too long."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def opposite(left: str, right: str, width: int) -> str:
    """Returns a line with one text at each end."""
    room = width - len(right) - 1
    return f"{cut(left, room):<{room}} {right}"
