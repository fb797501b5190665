"""Runs programs, and waits for what they show: every call and every wait has a limit."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_QUOTED = 3000
"""Characters of a failed program's output that its error quotes."""


class CommandFailed(Exception):
    """A program ended with an error, or not in time.

    Attributes:
        output: What it printed all the same.
    """

    def __init__(self, command: Sequence[str], how: str, said: str, output: str = "") -> None:
        super().__init__(f"{' '.join(command)} {how}:\n{said.strip()[-_QUOTED:]}")
        self.output = output


class NotInTime(AssertionError):
    """What was waited for did not come about."""


def run(command: Sequence[str], *, stdin: str | None = None, seconds: float = 60.0) -> str:
    """Runs a program and returns its standard output.

    Raises:
        CommandFailed: It did not succeed within ``seconds``.
    """
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(command, f"took more than {seconds:g} s", _text(error.stderr)) from None
    if done.returncode != 0:
        how = f"ended with {done.returncode}"
        raise CommandFailed(command, how, done.stderr or done.stdout, done.stdout)
    return done.stdout


def until(condition: Callable[[], T | None], seconds: float, what: str, *, every: float = 2.0) -> T:
    """Returns the first true value of a condition.

    A command that fails in between counts as "not yet": the API of a busy node misses a beat.

    Args:
        condition: Is asked again and again.
        seconds: How long.
        what: What is waited for, for the error.
        every: Seconds between two askings; each costs a small node a good part of a second.

    Raises:
        NotInTime: There was none in time.
    """
    give_up_at = time.monotonic() + seconds
    while True:
        last: object = None
        try:
            if value := condition():
                return value
        except CommandFailed as error:
            last = error
        if time.monotonic() >= give_up_at:
            because = f"; {last}" if last else ""
            raise NotInTime(f"not within {seconds:g} s: {what}{because}")
        time.sleep(every)


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
