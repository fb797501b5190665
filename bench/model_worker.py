"""One model on some recordings, in a process of its own, so that its memory is its own.

Reads a ``Job`` from standard input and writes a line of JSON for each thing that it has found out.
The recordings are cut and heard as a transcriber does it for one session after the other.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

import bare
from checked_manifest import read_checked
from deck import Due, chunks_of
from noise import read_noise
from recorded import Recording
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import Draft, Engine, EngineError, Segment, Transcript
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import load_detector

KIB = 1024
NO_ENGINE = 3
"""Exit code if the engine can not be used."""


class Job(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        engine: Name of the engine.
        model: Its ``MODEL``.
        manifest: Path of the manifest.
        names: The recordings, by name; those in other languages than the model's are left out.
        levels: Decibels by which noise is below the speech; ``None`` for none.
        noise: Path of the noise; ``None`` for pink noise.
    """

    engine: str
    model: str
    manifest: str
    names: tuple[str, ...]
    levels: tuple[float | None, ...]
    noise: str | None = None


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model is there.

    Attributes:
        names: By which clients may ask for it, its own the last.
        languages: What it speaks; empty for any.
        interims: Whether it makes interims.
        word_times: Whether it measures the times of words.
        seconds: How long loading took.
        memory: Resident bytes of the process with it.
        recordings: How many calls of ``Told`` will follow.
    """

    names: tuple[str, ...]
    languages: tuple[str, ...]
    interims: bool
    word_times: bool
    seconds: float
    memory: int
    recordings: int


class Told(msgspec.Struct, frozen=True, tag=True):
    """What came of one recording at one level of noise.

    Attributes:
        name: The recording.
        level: Decibels of noise below the speech; ``None`` for none.
        seconds: Its length.
        dues: Its finals.
        listening: Processor seconds of finding speech, and of all else but the engine.
        finals: Processor seconds of the engine for finals.
        drafts: Processor seconds of the engine for interims; there are none where there is noise.
    """

    name: str
    level: float | None
    seconds: float
    dues: list[Due]
    listening: float
    finals: float
    drafts: float

    @property
    def text(self) -> str:
        """All that was heard."""
        return " ".join(due.text for due in self.dues if due.text)


class Finished(msgspec.Struct, frozen=True, tag=True):
    """All is done; ``memory`` is the most resident bytes that the process has had."""

    memory: int


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The engine can not be used."""

    message: str


News = Loaded | Told | Finished | Broken


class _Timed:
    """An engine whose processor time is counted, by what it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.finals = self.drafts = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def transcribe(self, segment: Segment) -> Transcript:
        began = time.process_time()
        heard = self._engine.transcribe(segment)
        self.finals += time.process_time() - began
        return heard

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        began = time.process_time()
        heard = self._engine.draft(segment, memo)
        self.drafts += time.process_time() - began
        return heard


def run(job: Job) -> None:
    """Does a job; what it tells goes to standard output."""
    began = time.perf_counter()
    engine = create_engine(job.engine, 1, ModelSource(job.model))
    engine.load()
    speaks, known = engine.capabilities.languages, read_checked(Path(job.manifest))
    heard_languages = {r.language for r in known if is_spoken(r.language, speaks)} | {"none"}
    wanted = set(job.names)
    chosen = [r for r in known if r.name in wanted and r.language in heard_languages]
    _tell(
        Loaded(
            names=(engine.name, *engine.capabilities.models),
            languages=tuple(sorted(speaks)),
            interims=engine.capabilities.interims,
            word_times=engine.capabilities.word_times,
            seconds=time.perf_counter() - began,
            memory=_resident(),
            recordings=sum(len(_levels(job, r)) for r in chosen),
        )
    )
    _hear(job, engine, chosen)
    _tell(Finished(KIB * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def is_spoken(tag: str, languages: frozenset[str]) -> bool:
    """Returns whether a language is among those of a model; none stand for any."""
    return tag != "none" and (not languages or tag.partition("-")[0].lower() in languages)


def _levels(job: Job, recording: Recording) -> tuple[float | None, ...]:
    return job.levels if recording.language != "none" else (None,)


def _hear(job: Job, engine: Engine, chosen: list[Recording]) -> None:
    noise = read_noise(Path(job.noise) if job.noise else None)
    detector = load_detector(engine.capabilities)
    for recording in chosen:
        clean = recording.pcm()
        for level in _levels(job, recording):
            pcm = clean if level is None else noise.mixed(recording.name, clean, level)
            timed, heard = _Timed(engine), bare.Heard()
            listener = bare.Listener(timed, detector, heard, drafts=level is None)
            began = time.process_time()
            listener.hear(recording.name, chunks_of(pcm), recording.asked)
            rest = time.process_time() - began - timed.finals - timed.drafts
            dues = heard.dues[recording.name]
            _tell(
                Told(
                    recording.name,
                    level,
                    recording.seconds,
                    dues,
                    rest,
                    timed.finals,
                    timed.drafts,
                )
            )


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _tell(news: News) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(news) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        run(msgspec.json.decode(sys.stdin.buffer.read(), type=Job))
    except EngineError as error:
        _tell(Broken(str(error)))
        sys.exit(NO_ENGINE)
