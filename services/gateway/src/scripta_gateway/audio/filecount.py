"""Counts the files that one message holds."""

from __future__ import annotations

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.bounds import MAX_COMPRESSED_FILES_A_MESSAGE, MAX_FILES_A_MESSAGE


class FileCount:
    """Counts the files of a message."""

    def __init__(self) -> None:
        self._files = 0
        self._compressed = 0

    def add(self, *, compressed: bool = False) -> None:
        """Counts one more, or that the last one is compressed.

        Raises:
            AudioError: They are too many.
        """
        if compressed:
            self._compressed += 1
        else:
            self._files += 1
        if self._files > MAX_FILES_A_MESSAGE or self._compressed > MAX_COMPRESSED_FILES_A_MESSAGE:
            raise AudioError(
                f"it holds too many files (at most {MAX_FILES_A_MESSAGE}, "
                f"{MAX_COMPRESSED_FILES_A_MESSAGE} of them compressed); send fewer in a message"
            )
