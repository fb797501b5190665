"""What a person sees: notes of our own, prefixed lines of each child, one line in place."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

_COLOURS = (36, 32, 35, 33, 34, 96, 92, 95)
_PREFIX_WIDTH = 14
_CLEAR_LINE = "\r\x1b[2K"


class Console:
    """Writes whole lines, so that several children's output stays readable.

    On a terminal each child has a colour, and one line at the bottom may change in place.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Writes to ``stream``; ``None`` makes it silent."""
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()
        self._colours: dict[str, int] = {}
        self._live = False

    @classmethod
    def of_process(cls) -> Console:
        """Returns the console on standard output; what can not be encoded becomes ``?``."""
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace", line_buffering=True)
        return cls(sys.stdout)

    def note(self, text: str = "") -> None:
        """Writes a line of the supervisor's own."""
        self._write(text + "\n")

    def line(self, name: str, text: str) -> None:
        """Writes a line that the child ``name`` said."""
        prefix = f"{name:<{_PREFIX_WIDTH}}| "
        if self._terminal:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self._write(f"{prefix}{text}\n")

    def live(self, text: str) -> None:
        """Shows a line that the next one replaces; a terminal only, others see nothing."""
        if self._terminal:
            columns = shutil.get_terminal_size().columns
            # The end of a long text is its newest part.
            shown = text if len(text) < columns else "…" + text[-(columns - 2) :]
            self._write(shown)
            self._live = True

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write((_CLEAR_LINE if self._live else "") + text)
            self._stream.flush()
        except OSError:
            self._stream = None  # the reader has gone; the stack goes on without one
        self._live = False
