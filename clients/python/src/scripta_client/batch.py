"""Transcribes several recordings side by side, with one line of progress for all of them."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from scripta_client.errors import BadAudioFile, ConnectError, ScriptaError
from scripta_client.events import Ended, Final, Interim
from scripta_client.formats import Format, Transcript, transcript
from scripta_client.output import Output
from scripta_client.streaming import OnProgress, OnResult, Progress
from scripta_client.terminal import StatusLine

SUFFIXES = frozenset({
    "3gp", "aac", "ac3", "aif", "aiff", "amr", "au", "avi", "caf", "flac", "m4a", "m4b", "mka",
    "mkv", "mov", "mp2", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "opus", "ts", "w64", "wav",
    "weba", "webm", "wma",
})  # fmt: skip
"""What a file in a folder has to end with to be taken for a recording."""

TranscribeFile = Callable[[Path, OnResult, OnProgress], Awaitable[Ended]]
"""Transcribes a file, and tells its words and how far it is."""


@dataclass(frozen=True, slots=True)
class Job:
    """A recording to be transcribed.

    Attributes:
        path: Its file.
        target: Where its transcript goes; ``None`` is standard output.
    """

    path: Path
    target: Path | None


def jobs_of(given: Sequence[Path], form: Format, folder: Path | None) -> list[Job]:
    """Returns the recordings of files and folders, in order.

    Args:
        given: Files, and folders whose recordings are meant, those of folders in them included.
        form: Of the transcripts: their files end with its name.
        folder: Where the transcripts go, each by the name of its recording; ``None`` is standard
            output.

    Raises:
        BadAudioFile: A folder has no recording, or two transcripts would have the same file.
    """
    suffix = "txt" if form is Format.TEXT else str(form)
    jobs: list[Job] = []
    for place in given:
        for path, name in _recordings(place):
            target = None if folder is None else folder / name.with_suffix(f".{suffix}")
            jobs.append(Job(path, target))
    seen: dict[Path, Path] = {}
    for job in jobs:
        if job.target is not None and seen.setdefault(job.target, job.path) != job.path:
            other = seen[job.target]
            raise BadAudioFile(
                str(job.path), f"its transcript and that of {other} would both be {job.target}"
            )
    return jobs


def _recordings(place: Path) -> Iterator[tuple[Path, Path]]:
    """Yields the files of a place, each with its name within the place."""
    if not place.is_dir():
        yield place, Path(place.name)
        return
    found = [
        path
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.suffix[1:].lower() in SUFFIXES
    ]
    if not found:
        raise BadAudioFile(str(place), "the folder has no recording; name files that end otherwise")
    for path in found:
        yield path, path.relative_to(place)


class Batch:
    """Several recordings, some of them at work.

    Args:
        jobs: The recordings.
        form: Of the transcripts.
        transcribe: Transcribes one.
        status: Where the progress is shown.
        standard: Standard output.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        form: Format,
        transcribe: TranscribeFile,
        status: StatusLine,
        standard: TextIO = sys.stdout,
    ) -> None:
        self._jobs = jobs
        self._form = form
        self._transcribe = transcribe
        self._status = status
        self._standard = standard
        self._begun = time.monotonic()
        self._progress: dict[int, Progress] = {}
        self._done = 0

    async def run(self, side_by_side: int) -> list[ScriptaError | OSError | None]:
        """Transcribes all; returns for each why it failed, or ``None``.

        What goes to standard output comes whole and in the order of the recordings. Cancelled, it
        leaves those transcripts that are complete.

        Args:
            side_by_side: How many at a time.
        """
        room = asyncio.Semaphore(side_by_side)

        async def one(place: int) -> ScriptaError | OSError | str:
            async with room:
                try:
                    return await self._one(place)
                except (ScriptaError, OSError) as error:
                    return error
                finally:
                    self._done += 1

        tasks = [asyncio.create_task(one(place)) for place in range(len(self._jobs))]
        failures: list[ScriptaError | OSError | None] = []
        try:
            for job, task in zip(self._jobs, tasks, strict=True):
                outcome = await task
                self._tell(job, outcome)
                failures.append(None if isinstance(outcome, str) else outcome)
                if isinstance(outcome, ConnectError):
                    break  # the others would hear the same
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._status.hide()
        return failures

    async def _one(self, place: int) -> str:
        """Returns what is to be printed of a recording; empty if it goes to a file."""
        job = self._jobs[place]
        printed = io.StringIO()
        form = self._written(job)
        if job.target is not None:
            job.target.parent.mkdir(parents=True, exist_ok=True)

        def on_progress(progress: Progress) -> None:
            self._progress[place] = progress
            self._show()

        def on_result(result: Final | Interim) -> None:
            output.result(result)

        with Output(form, job.target, printed, self._status) as output:
            await self._transcribe(job.path, on_result, on_progress)
            output.finish()
        return printed.getvalue()

    def _written(self, job: Job) -> Transcript:
        if self._form is Format.JSON and job.target is None:
            return Transcript("", lambda final: _named(transcript(Format.JSON).write(final), job))
        return transcript(self._form)

    def _tell(self, job: Job, outcome: ScriptaError | OSError | str) -> None:
        self._status.hide()
        if not isinstance(outcome, str):
            print(f"scripta: {job.path}: {outcome}", file=sys.stderr)
        elif job.target is None:
            if self._form is Format.TEXT:
                self._standard.write(f"==> {job.path} <==\n")
            self._standard.write(outcome)
            self._standard.flush()
        self._show()

    def _show(self) -> None:
        all_of = self._progress.values()
        shares = Progress(
            accepted=sum((one.accepted or 0.0) / one.duration for one in all_of if one.duration),
            transcribed=sum(one.transcribed / one.duration for one in all_of if one.duration),
            duration=len(self._jobs),
            elapsed=time.monotonic() - self._begun,
        )
        seconds = sum(one.transcribed for one in all_of)
        self._status.files(self._done, shares, seconds)


def _named(line: str, job: Job) -> str:
    """Returns a line of JSON with the name of its file."""
    return json.dumps({"file": str(job.path), **json.loads(line)}, ensure_ascii=False) + "\n"
