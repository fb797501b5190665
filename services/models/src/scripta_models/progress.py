"""How far a download is: one line that is written over on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TextIO

from scripta_models.errors import megabytes

_TERMINAL_SECONDS: Final = 0.2
_LOG_SECONDS: Final = 5.0
_FORGET: Final = 0.7
"""What the rate keeps of its earlier value with each line."""


def progress_line(name: str, done: int, total: int | None, rate: float) -> str:
    """Returns how far a download is, for people.

    Args:
        name: What is fetched.
        done: Bytes that are there.
        total: Bytes that there will be; ``None`` if nobody knows.
        rate: Bytes a second.
    """
    speed = f"{megabytes(round(rate))}/s"
    if not total:
        return f"{name}: {megabytes(done)}, {speed}"
    share = f"{megabytes(done)} of {megabytes(total)} ({100 * done // total} %)"
    if rate <= 0 or done >= total:
        return f"{name}: {share}, {speed}"
    return f"{name}: {share}, {speed}, {duration((total - done) / rate)} left"


def duration(seconds: float) -> str:
    """Returns a number of seconds for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    return f"{minutes} min {whole} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Writes how far a model is.

    Args:
        stream: Where lines go.
        name: Of the model.
        clock: Seconds that only grow.
    """

    def __init__(
        self, stream: TextIO, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._name = name
        self._clock = clock
        self._terminal = stream.isatty()
        self._every = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        self._total: int | None = None
        self._done = 0
        self._fetched = 0
        self._rate = 0.0
        self._told_at = clock()
        self._told_fetched = 0
        self._open = False

    def begin(self, total: int | None) -> None:
        """Sets how many bytes there will be; ``None`` if nobody knows."""
        self._total = total

    def have(self, number: int) -> None:
        """Counts bytes that were there already; negative if they are to be fetched again."""
        self._done += number

    def fetched(self, number: int) -> None:
        """Counts bytes that have just come, and writes a line if it is time for one."""
        self._done += number
        self._fetched += number
        now = self._clock()
        passed = now - self._told_at
        if passed < self._every:
            return
        current = (self._fetched - self._told_fetched) / passed
        self._rate = current if not self._rate else _mix(self._rate, current)
        self._told_at, self._told_fetched = now, self._fetched
        self._write(progress_line(self._name, self._done, self._total, self._rate))

    def note(self, text: str) -> None:
        """Writes a line that stays."""
        self.close()
        self._stream.write(f"{self._name}: {text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Ends the line that is written over."""
        if self._open:
            self._stream.write("\r\x1b[K")
            self._open = False

    def _write(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._stream.flush()
        self._open = self._terminal


def _mix(before: float, now: float) -> float:
    return _FORGET * before + (1 - _FORGET) * now
