"""What goes wrong with models, in words that say what to do.

::

    ModelsError
    ├── WrongUsage       the command line, the catalogue or a source makes no sense
    │   ├── UnknownModel     the catalogue has no such model
    │   └── Unpinned         a file has no checksum to hold it against
    ├── Unreachable      nobody answers, or not as it should
    │   ├── NotFound         there is no such file at the source
    │   └── Refused          the source wants a token, or another one
    ├── WrongContent     a file is not what its checksum says
    ├── NotWritable      the folder can not be written
    │   └── NoRoom           the disk is full
    └── Busy             another process has been fetching the model for too long

Each class has the exit code of the command that it ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class ModelsError(Exception):
    """Something went wrong; the text says what to do."""

    exit_code: ClassVar[int] = 1


class WrongUsage(ModelsError):
    """The command line, the catalogue or a source makes no sense."""

    exit_code = 2


class UnknownModel(WrongUsage):
    """The catalogue has no model of that name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"there is no model {name!r} in the catalogue: known are {', '.join(known)}; "
            "another one needs --source"
        )


class Unpinned(WrongUsage):
    """No checksum is known of a file, so that nobody can say whether it is the right one."""

    def __init__(self, name: str, files: list[str]) -> None:
        super().__init__(
            f"{name}: no checksum is known of {', '.join(files)}: give it with --sha256 [FILE=]HEX "
            "or --manifest FILE; or take what the source has now with --trust-on-first-use, "
            f"and then keep what `scripta models pin {name}` prints as your manifest"
        )


class Unreachable(ModelsError):
    """Nobody answers, or not as a source of files does."""

    exit_code = 3


class NotFound(Unreachable):
    """The source has no such file."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} does not exist (404): check the name and the revision of the source"
        )


class Refused(Unreachable):
    """The source does not give the file to this caller."""


class WrongContent(ModelsError):
    """A file that was fetched is not the one that the checksum is of. The file is removed."""

    exit_code = 4

    def __init__(self, model: str, file: str, expected: str, found: str, where: str) -> None:
        super().__init__(
            f"{model}: {file} from {where} is not the right file: expected {expected}, found "
            f"{found}; it was removed. Try again; if it stays so, the source has another file, "
            "or a proxy answers in its place"
        )
        self.model = model
        self.file = file


class NotWritable(ModelsError):
    """The folder can not be written."""

    exit_code = 5

    @classmethod
    def of(cls, folder: Path, error: OSError) -> NotWritable:
        """Returns the error for a folder that the system does not let us write."""
        return cls(
            f"{folder} can not be written ({error.strerror or error}): choose another folder with "
            "--to, or give this user the right to write it (in Kubernetes: fsGroup)"
        )


class NoRoom(NotWritable):
    """The disk is full, or would be."""

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{folder} has no room: {megabytes(needed)} more are needed, {megabytes(free)} are "
            "free: make room, or choose another folder with --to (in Kubernetes: a larger volume)"
        )


class Busy(ModelsError):
    """Another process holds the lock of the model."""

    def __init__(self, lock: Path, seconds: float) -> None:
        super().__init__(
            f"another process has held {lock} for {seconds:.0f} s: end it, or wait longer with "
            "--wait SECONDS"
        )


def megabytes(number: int) -> str:
    """Returns a number of bytes for people."""
    if number < 1_000_000:
        return f"{number / 1000:.1f} kB" if number >= 1000 else f"{number} bytes"
    return f"{number / 1e9:.2f} GB" if number >= 10**9 else f"{number / 1e6:.1f} MB"
