"""What a supervisor and its services say, written to a file."""

from __future__ import annotations

import time
from pathlib import Path

from scripta_local.console import Console


class WrittenConsole(Console):
    """Writes every line to a file, with the time.

    Args:
        path: The file; ``None`` for none.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(None)
        self._file = path.open("w", encoding="utf-8") if path else None

    def note(self, text: str = "") -> None:
        """Writes down what the supervisor, or the suite, says."""
        self._put(f"{'-' * 12} {text}")

    def line(self, name: str, text: str) -> None:
        """Writes down what a service says."""
        self._put(f"{name:<14} {text}")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _put(self, text: str) -> None:
        if self._file is not None:
            self._file.write(f"{time.time():.3f} {text}\n")
            self._file.flush()
