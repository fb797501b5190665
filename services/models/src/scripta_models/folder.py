"""The folder of a model: it appears whole or not at all, and one process at a time makes it.

Beside the folder ``NAME`` there are ``.NAME.partial``, in which it is made, and ``.NAME.lock``. The
lock's file stays: a process that removed it would let in two others.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from scripta_models.catalogue import File
from scripta_models.errors import Busy, NotWritable, WrongUsage
from scripta_models.sums import NAME as SUMS
from scripta_models.sums import Sums, read_sums
from scripta_models.wanted import Wanted

_POLL_SECONDS: Final = 0.2
_READ_BYTES: Final = 1024 * 1024


class ModelFolder:
    """The folder of one model, and what is beside it.

    Args:
        parent: Folder of all models.
        name: The model's.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self.parent = parent
        self.path = parent / name
        self.partial = parent / f".{name}.partial"
        self._lock = parent / f".{name}.lock"
        self._old = parent / f".{name}.old"

    def sums(self) -> Sums:
        """Returns the checksums that were found when the model was fetched; empty for none."""
        path = self.path / SUMS
        return read_sums(path.read_text(), str(path)) if path.is_file() else Sums()

    def lacks(self, wanted: Wanted) -> list[File]:
        """Returns the files that are not there or not right; all if the folder is not there."""
        if not wanted.files:
            return [File(path="-")]
        return [file for file in wanted.files if not is_right(self.path / file.path, file)]

    def known(self, wanted: Wanted) -> Wanted:
        """Returns the model with the checksums that the folder itself has, if they are of it."""
        sums = self.sums()
        if wanted.archive and wanted.archive != sums.archive:
            return wanted
        return wanted.held_by(sums)

    @contextmanager
    def locked(self, seconds: float, waiting: Callable[[], None]) -> Iterator[None]:
        """Keeps other processes out.

        Args:
            seconds: For how long it waits for another one.
            waiting: Called once if it has to wait.

        Raises:
            Busy: The other one is not done by then.
            NotWritable: The folder can not be written, or its disk has no locks.
        """
        try:
            self.parent.mkdir(parents=True, exist_ok=True)
            lock = self._lock.open("a")
        except OSError as error:
            raise NotWritable.of(self.parent, error) from error
        with lock:
            self._wait(lock.fileno(), seconds, waiting)
            yield

    def _wait(self, descriptor: int, seconds: float, waiting: Callable[[], None]) -> None:
        until = time.monotonic() + seconds
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Busy(self._lock, seconds) from None
            except OSError as error:
                raise NotWritable(
                    f"the disk of {self.parent} has no file locks ({error.strerror}): fetch into "
                    "another folder, and copy it"
                ) from error
            else:
                return
            if not told:
                waiting()
                told = True
            time.sleep(_POLL_SECONDS)

    def recover(self) -> None:
        """Ends what a process began that was killed while it exchanged the folders."""
        if self._old.exists() and not self.path.exists():
            self._old.rename(self.path)
        shutil.rmtree(self._old, ignore_errors=True)

    def prepare(self, replaced: list[str]) -> None:
        """Makes the unfinished folder; what an earlier process left of it stays.

        Args:
            replaced: Files that are fetched again; others of the finished folder are kept.
        """
        self.partial.mkdir(exist_ok=True)
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise WrongUsage(f"{self.path} is not a folder: move it away")
        for path in self.path.rglob("*"):
            inside = path.relative_to(self.path)
            target = self.partial / inside
            if path.is_file() and str(inside) not in (*replaced, SUMS) and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(path, target)

    def publish(self) -> None:
        """Makes the unfinished folder the finished one."""
        for rest in (*self.partial.rglob("*.part"), *self.partial.rglob("*.tag")):
            rest.unlink()
        _sync(self.partial)
        if self.path.exists():
            self.path.rename(self._old)
        self.partial.rename(self.path)
        _sync(self.parent)
        shutil.rmtree(self._old, ignore_errors=True)


def is_right(path: Path, file: File) -> bool:
    """Returns whether a file is there and is the right one."""
    try:
        if not path.is_file() or file.sha256 is None:
            return False
        if file.size is not None and path.stat().st_size != file.size:
            return False
        return checksum(path) == file.sha256
    except OSError:
        return False


def checksum(path: Path) -> str:
    """Returns the checksum of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _link(path: Path, target: Path) -> None:
    # A second name costs nothing; some disks have none.
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


def _sync(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
