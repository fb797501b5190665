"""Fetches one file into the folder of an unfinished model: goes on where it broke, tries again."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripta_models.catalogue import File
from scripta_models.errors import NoRoom, Unreachable, WrongContent, megabytes
from scripta_models.places import Place
from scripta_models.progress import Progress, duration
from scripta_models.web import Answer, Passing, Web

_GREAT_LEAP: Final = 1024 * 1024
"""A try that brings so many bytes is a new beginning: those before it count no more."""
_READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and when a fault is followed by another try.

    Attributes:
        tries: Tries in a row that bring nothing.
        first_seconds: Wait after the first of them, which doubles each time.
        most_seconds: Longest wait.
    """

    tries: int = 6
    first_seconds: float = 1.0
    most_seconds: float = 20.0

    def wait(self, failed: int) -> float:
        """Returns seconds to wait after so many tries that failed; a random part is taken off."""
        longest: float = min(self.most_seconds, self.first_seconds * 2 ** (failed - 1))
        return longest * random.uniform(0.5, 1.0)


class Unfinished:
    """A file that is being fetched, its checksum, and the tag under which the server has it.

    Args:
        path: The finished file; this one has ``.part`` at the end of its name, until it is whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f"{path.name}.part")
        self._tag = path.with_name(f"{path.name}.tag")
        self._hash = hashlib.sha256()
        self.size = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("ab+")
        self._file.seek(0)
        while chunk := self._file.read(_READ_BYTES):
            self._hash.update(chunk)
            self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """Checksum of what is there."""
        return self._hash.hexdigest()

    @property
    def tag(self) -> str:
        """The server's name for the state of the file of which this is the beginning."""
        return self._tag.read_text().strip() if self._tag.exists() else ""

    def mark(self, tag: str) -> None:
        """Keeps the server's name for the state of the file."""
        if tag != self.tag:
            self._tag.write_text(tag)

    def write(self, chunk: bytes) -> None:
        """Adds bytes."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def flush(self) -> None:
        """Hands what was written to the system."""
        if not self._file.closed:
            self._file.flush()

    def restart(self) -> None:
        """Throws away what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def finish(self) -> None:
        """Makes it the finished file, which outlives a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.path)
        self._tag.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes it: it is not the right file."""
        self._file.close()
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def close(self) -> None:
        """Leaves it to a later try."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Download:
    """What fetches files over HTTP.

    Attributes:
        model: Name of the model, for messages.
        web: Opens them.
        progress: Is told how far it is.
        patience: When it tries again.
        sleep: Waits.
    """

    model: str
    web: Web
    progress: Progress
    patience: Patience = Patience()
    sleep: Callable[[float], None] = time.sleep

    def fetch(self, place: Place, file: File, target: Unfinished) -> None:
        """Fetches a file; what is there of it already is not fetched again.

        Args:
            place: Where it is.
            file: What it should be.
            target: Where it goes.

        Raises:
            Unreachable: It can not be had.
            WrongContent: It is not the right file; the target is removed.
            OSError: It can not be written.
        """
        self.progress.have(target.size)
        failed = 0
        while not file.size or target.size < file.size:
            before = target.size
            try:
                self._try(place, file, target)
                break
            except Passing as fault:
                failed = 1 if target.size - before >= _GREAT_LEAP else failed + 1
                if failed >= self.patience.tries:
                    raise Unreachable(_given_up(fault, failed)) from fault
                self._wait(fault, failed)
                if fault.anew:
                    self._restart(target)
        self._check(place, file, target)

    def _try(self, place: Place, file: File, target: Unfinished) -> None:
        resumable = file.sha256 is not None or target.tag
        if target.size and not resumable:
            self._restart(target)
        with self.web.open(place, target.size, target.tag) as answer:
            if answer.start != target.size:
                self._restart(target)
            self._hold(place, file, answer, target)
            target.mark(answer.tag)
            try:
                for chunk in answer.chunks:
                    target.write(chunk)
                    self.progress.fetched(len(chunk))
                    if file.size and target.size > file.size:
                        self._wrong(place, file, target, f"more than {file.size} bytes", answer)
            finally:
                target.flush()
        if file.size and target.size < file.size:
            raise Passing(f"{place} ended after {megabytes(target.size)}")

    def _hold(self, place: Place, file: File, answer: Answer, target: Unfinished) -> None:
        """Refuses a file whose length alone says that it is another one, or too large."""
        if answer.total is None:
            return
        if file.size and answer.total != file.size:
            self._wrong(place, file, target, f"{answer.total} bytes", answer)
        folder = target.path.parent
        needed, free = answer.total - target.size, shutil.disk_usage(folder).free
        if needed > free:
            raise NoRoom(folder, needed, free)

    def _check(self, place: Place, file: File, target: Unfinished) -> None:
        if file.sha256 and target.sha256 != file.sha256:
            target.remove()
            expected, found = f"sha256 {file.sha256}", f"sha256 {target.sha256}"
            raise WrongContent(self.model, file.path, expected, found, str(place))

    def _wrong(
        self, place: Place, file: File, target: Unfinished, found: str, answer: Answer
    ) -> None:
        target.remove()
        page = ", a web page" if answer.kind == "text/html" else ""
        raise WrongContent(self.model, file.path, f"{file.size} bytes", found + page, str(place))

    def _restart(self, target: Unfinished) -> None:
        self.progress.have(-target.size)
        target.restart()

    def _wait(self, fault: Passing, failed: int) -> None:
        seconds = fault.seconds if fault.seconds is not None else self.patience.wait(failed)
        again = f"again in {duration(seconds)}" if seconds >= 1 else "again at once"
        self.progress.note(f"{fault}; {again} (try {failed + 1} of {self.patience.tries})")
        self.sleep(seconds)


def _given_up(fault: Passing, failed: int) -> str:
    return (
        f"{fault}; given up after {failed} tries. Check the network of this machine, its proxy "
        "(HTTPS_PROXY), or name a mirror that it reaches with --mirror URL"
    )
