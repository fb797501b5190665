"""When voice detector and engine were at work: one record a call, from the process that calls.

Times are ``time.perf_counter``: on Linux the same clock in all processes.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from scripta_transcriber.engines.base import Draft, Engine, Segment, Transcript

_RECORD = struct.Struct("<BIdd")


class Task(IntEnum):
    """What was asked for."""

    VOICE = 0
    FINAL = 1
    DRAFT = 2


@dataclass(frozen=True, slots=True)
class Work:
    """One call.

    Attributes:
        task: What was asked for.
        key: Checksum of the audio of a final; else 0.
        began: When it began.
        ended: When it had ended.
    """

    task: Task
    key: int
    began: float
    ended: float


class EngineLog:
    """Writes calls to a file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, task: Task, began: float, key: int = 0) -> None:
        """Writes down a call that has ended now."""
        os.write(self._file, _RECORD.pack(task, key, began, time.perf_counter()))


def read_log(path: Path) -> list[Work]:
    """Returns the calls that were written down, by when they began."""
    data = path.read_bytes()
    whole = data[: len(data) // _RECORD.size * _RECORD.size]
    works = (
        Work(Task(task), key, began, ended)
        for task, key, began, ended in _RECORD.iter_unpack(whole)
    )
    return sorted(works, key=lambda work: work.began)


def checksum(segment: Segment) -> int:
    """Returns the checksum of a segment's audio."""
    return zlib.crc32(segment.pcm)


class WatchedEngine:
    """An engine whose calls are written down; else it is as it is.

    Args:
        engine: The engine.
        log: Where its calls go.
        drafts: Whether a draft may begin with the last one.
    """

    def __init__(self, engine: Engine, log: EngineLog | None, *, drafts: bool = True) -> None:
        self._engine = engine
        self._log = log
        self._drafts = drafts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns what the engine hears in a segment."""
        began = time.perf_counter()
        heard = self._engine.transcribe(segment, memo)
        if self._log is not None:
            self._log.note(Task.FINAL, began, checksum(segment))
        return heard

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns what the engine hears in an open segment."""
        began = time.perf_counter()
        heard = self._engine.draft(segment, memo if self._drafts else None)
        if self._log is not None:
            self._log.note(Task.DRAFT, began)
        return heard


class WatchedSession:
    """A session of onnxruntime whose calls are written down as those of the voice detector."""

    def __init__(self, session: Any, log: EngineLog) -> None:
        self._session = session
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *arguments: Any, **options: Any) -> Any:
        """Returns what the session returns."""
        began = time.perf_counter()
        answer = self._session.run(*arguments, **options)
        self._log.note(Task.VOICE, began)
        return answer
