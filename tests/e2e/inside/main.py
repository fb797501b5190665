"""The entry of the zip file: a command and its arguments."""

from __future__ import annotations

import sys

from . import reach, speak

_COMMANDS = {"speak": speak.main, "reach": reach.main}


def main() -> None:
    """Runs the command that the command line names."""
    _COMMANDS[sys.argv[1]](sys.argv[2:])
