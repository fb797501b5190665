"""Which models are there, and what a model's own process tells of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from whisper_base import join_whisper_base

from model_worker import Broken, Finished, Job, Loaded, News, Told
from recorded import Recording
from scripta_local.errors import ModelMissing
from wer import Score, score, units

JOINED = Path(sys.prefix) / "models"
"""Where the parts of Whisper base that packages carry are put together."""

_AS_SERVED = {"OPENBLAS_NUM_THREADS": "1"}
"""What a transcriber sets before anything is loaded: words can hang on it."""
_LINE_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that can be measured.

    Attributes:
        name: What it is called here.
        engine: Name of its engine.
        model: The engine's ``MODEL``.
    """

    name: str
    engine: str
    model: str = ""


@dataclass(slots=True)
class Measured:
    """What is known of a model.

    Attributes:
        candidate: The model.
        loaded: What it said of itself.
        told: What came of each recording, by name and level of noise.
        memory: Most resident bytes of its process.
    """

    candidate: Candidate
    loaded: Loaded
    told: dict[tuple[str, float | None], Told] = field(default_factory=dict)
    memory: int = 0

    @property
    def name(self) -> str:
        """What the model is called here."""
        return self.candidate.name

    @property
    def heard(self) -> set[str]:
        """Names of the recordings that it has heard: those in a language that it speaks."""
        return {name for name, _ in self.told}

    def scores(self, recordings: Sequence[Recording], level: float | None) -> list[Score]:
        """Returns the errors in each of some recordings; of all or none of them."""
        if not all((each.name, level) in self.told for each in recordings):
            return []
        return [
            score(each.references, self.told[each.name, level].text, each.language)
            for each in recordings
        ]

    def words(self, recordings: Sequence[Recording]) -> int:
        """Returns how many words came of recordings in which nobody speaks."""
        told = (self.told.get((each.name, None)) for each in recordings)
        return sum(len(units(one.text, "none")) for one in told if one is not None)

    def cost(self, part: Callable[[Told], float]) -> float:
        """Returns processor seconds for a second of clean recordings with speech."""
        clean = [one for (_, level), one in self.told.items() if level is None and one.text]
        return sum(map(part, clean)) / max(1e-9, sum(one.seconds for one in clean))


class NoModel(Exception):
    """A model can not be used; the message says why."""


def candidates(folder: Path | None) -> Iterator[Candidate]:
    """Yields the models of the environment, then those of a folder of folders.

    Raises:
        NoModel: The folder has none.
    """
    yield Candidate("moonshine-tiny-en", "moonshine")
    try:
        yield Candidate("whisper-base", "whisper", str(join_whisper_base(JOINED)))
    except ModelMissing as error:
        print(f"whisper-base is left out: {error}", file=sys.stderr)
    if folder is None:
        return
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found = [(path, engine) for path in folders if (engine := engine_of(path))]
    for path in folders:
        if engine_of(path) is None:
            print(f"{path} is left out: no engine knows its files", file=sys.stderr)
    if not found:
        raise NoModel(f"{folder} has no folder with a model in it (see docs/models.md)")
    for path, engine in found:
        yield Candidate(path.name, engine, str(path.resolve()))


def engine_of(folder: Path) -> str | None:
    """Returns the engine for the model in a folder, by its files; ``None`` if none knows them."""
    names = {path.name for path in folder.iterdir()}
    if "model.bin" in names:
        return "whisper"
    if {"tokenizer.bin", "encoder_model.ort", "decoder_model_merged.ort"} <= names:
        return "moonshine"
    return "sherpa" if any(Path(name).suffix in (".onnx", ".ort") for name in names) else None


async def measure(
    candidate: Candidate, job: Job, progress: Callable[[str, int, int, float, str], None]
) -> Measured:
    """Runs a model's process.

    Args:
        candidate: The model.
        job: What its process does.
        progress: Is told of the model, of how many of how many recordings are done, of the
            processor seconds that they took, and of the last one.

    Raises:
        NoModel: The engine can not be used, or its process has ended.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("model_worker.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
        env={**os.environ, **_AS_SERVED},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(msgspec.json.encode(job))
        child.stdin.close()
        measured: Measured | None = None
        cost = 0.0
        async for line in child.stdout:
            match msgspec.json.decode(line, type=News):
                case Loaded() as loaded:
                    measured = Measured(candidate, loaded)
                case Told() as told if measured is not None:
                    measured.told[told.name, told.level] = told
                    cost += told.listening + told.finals + told.drafts
                    done, of = len(measured.told), measured.loaded.recordings
                    progress(candidate.name, done, of, cost, told.name)
                case Finished(memory) if measured is not None:
                    measured.memory = memory
                case Broken(message):
                    raise NoModel(message)
        code = await child.wait()
    finally:
        # Whoever cancels this ends the model's process, too.
        if child.returncode is None:
            child.kill()
            await child.wait()
    if measured is None or code:
        raise NoModel(f"its process has ended with {code}")
    return measured
