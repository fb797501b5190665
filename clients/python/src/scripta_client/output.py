"""Where results go: finals to a file or standard output, interims to the status line."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from scripta_client.events import Final, Interim
from scripta_client.formats import Transcript
from scripta_client.terminal import StatusLine


def unfinished(interim: Interim) -> str:
    """Returns the words of an interim without the full stop that an engine puts behind any words.

    Nobody knows yet that the sentence ends there, unless the stop is stable.
    """
    open_end = len(interim.text) > len(interim.stable)
    return interim.text.removesuffix(".") if open_end else interim.text


class Output:
    """Writes a transcript as it grows.

    A file is opened with the first words and not before, so that a gateway that is down does
    not cost an older transcript.
    """

    def __init__(
        self, transcript: Transcript, path: Path | None, standard: TextIO, status: StatusLine
    ) -> None:
        self._transcript = transcript
        self._path = path
        self._standard = standard
        self._status = status
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None and self._path is not None:
            self._stream.close()

    def result(self, result: Final | Interim) -> None:
        """Writes a final; shows an interim in place.

        Raises:
            OSError: If it can not be written.
        """
        if isinstance(result, Interim):
            self._status.interim(unfinished(result))
            return
        self._status.hide()
        self._write(self._transcript.write(result))
        self._status.interim("")

    def finish(self) -> None:
        """Makes the transcript whole even if nothing was said.

        Raises:
            OSError: If it can not be written.
        """
        self._write("")

    def _write(self, text: str) -> None:
        if self._stream is None:
            self._stream = self._standard if self._path is None else self._open(self._path)
            text = self._transcript.head + text
        if text:
            self._stream.write(text)
            self._stream.flush()

    @staticmethod
    def _open(path: Path) -> TextIO:
        return path.open("w", encoding="utf-8")
