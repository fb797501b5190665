"""The bottom line of a terminal: how far we are, and the words as they are being heard.

The line is rewritten in place and always narrower than the terminal, so that it never wraps.
It goes to standard error; results go elsewhere, above it.
"""

from __future__ import annotations

import shutil
import unicodedata
from typing import TextIO

from scripta_client.formats import printable
from scripta_client.streaming import Progress

_BAR_CELLS = 24
_ERASE = "\r\x1b[K"


class StatusLine:
    """One line on a terminal; does nothing where there is no terminal.

    Attributes:
        active: Whether there is a terminal to draw on.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.active = stream.isatty()
        self._shown = ""
        self._progress = ""
        self._interim = ""
        marks = "━╌·"
        try:
            marks.encode(stream.encoding or "ascii")
        except UnicodeEncodeError:
            marks = "#-."
        self._marks = marks

    def progress(self, progress: Progress) -> None:
        """Shows how far the stream is."""
        self._progress = f"{bar(progress, self._marks)} {figures(progress)}"
        self._draw()

    def files(self, done: int, shares: Progress, seconds: float) -> None:
        """Shows how far several files are.

        Args:
            done: How many are done.
            shares: How far all are together, counted in files.
            seconds: Seconds of audio that are transcribed.
        """
        speed = seconds / shares.elapsed if shares.elapsed > 0 else 0.0
        counted = f"{done}/{shares.duration:.0f} files {seconds:.1f} s {speed:.1f}×"
        self._progress = f"{bar(shares, self._marks)} {counted}"
        self._draw()

    def interim(self, text: str) -> None:
        """Shows words that may still change; an empty text takes them away."""
        self._interim = printable(text)
        self._draw()

    def hide(self) -> None:
        """Clears the line, so that something else can be written; the next news shows it again."""
        if self._shown:
            self._write(_ERASE)
            self._shown = ""

    def _draw(self) -> None:
        if not self.active:
            return
        width = shutil.get_terminal_size().columns - 1
        room = width - cells(self._progress) - (2 if self._progress else 0)
        line = clip_left(self._progress, width)
        if self._interim and room > 8:
            gap = "  " if self._progress else ""
            line += gap + clip_left(self._interim, room)
        if line != self._shown:
            self._write(_ERASE + line)
            self._shown = line

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "ascii"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def bar(progress: Progress, marks: str) -> str:
    """Returns a bar of what is transcribed, then what is accepted, then the rest."""
    if not progress.duration:
        return ""
    done = _share(progress.transcribed, progress.duration)
    taken = max(done, _share(progress.accepted or 0.0, progress.duration))
    return marks[0] * done + marks[1] * (taken - done) + marks[2] * (_BAR_CELLS - taken)


def figures(progress: Progress) -> str:
    """Returns seconds of audio done, of how many, and how many times faster than speech."""
    whole = "" if progress.duration is None else f"/{progress.duration:.1f}"
    speed = progress.transcribed / progress.elapsed if progress.elapsed > 0 else 0.0
    return f"{progress.transcribed:.1f}{whole} s {speed:.1f}×"


def cells(text: str) -> int:
    """Returns how many columns of a terminal a text takes."""
    return sum(_letter_cells(letter) for letter in text)


def clip_left(text: str, width: int) -> str:
    """Returns the end of a text that fits into ``width`` columns, marked if it was cut."""
    if cells(text) <= width:
        return text
    room = width - 1
    kept = []
    for letter in reversed(text):
        room -= _letter_cells(letter)
        if room < 0:
            break
        kept.append(letter)
    return "…" + "".join(reversed(kept)) if width > 0 else ""


def _letter_cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _share(seconds: float, duration: float) -> int:
    return min(_BAR_CELLS, int(_BAR_CELLS * seconds / duration))
