"""Recordings with known words: those that ship with the model, and the development set."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "speech"
SHARED = Path(os.environ.get("SCRIPTA_SPEECH", _BESIDE))
"""Development recordings; they are no part of the repository."""

WHY_NOT_SHARED = f"no development recordings at {SHARED} (set SCRIPTA_SPEECH)"

BECKETT_TEXT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
TWO_CITIES_TEXT = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the "
    "season of light, it was the season of darkness, it was the spring of hope, it was the winter "
    "of despair, we had everything before us, we had nothing before us, we were all going direct "
    "to heaven, we were all going direct the other way. In short, the period was so far like the "
    "present period, that some of its noisiest authorities insisted on its being received, for "
    "good or for evil, in the superlative degree of comparison only."
)


@dataclass(frozen=True, slots=True)
class Recording:
    """Speech as mono s16le, and what is said in it."""

    name: str
    pcm: bytes
    rate: int
    texts: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.rate

    def until(self, seconds: float) -> Recording:
        """Its beginning; the texts stay those of the whole."""
        return replace(self, pcm=self.pcm[: round(seconds * self.rate) * 2])

    def repeated(self, times: int) -> Recording:
        texts = tuple(" ".join([text] * times) for text in self.texts)
        return replace(self, pcm=self.pcm * times, texts=texts)

    def samples(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        return np.frombuffer(self.pcm, dtype="<i2")

    def error_rate(self, heard: str) -> float:
        """Word errors of a transcript over words said, for the text that fits best."""
        return min(word_error_rate(text, heard) for text in self.texts)


def shipped_path(name: str) -> Path:
    spec = importlib.util.find_spec("moonshine_voice")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets" / name


def beckett() -> Recording:
    """Ten seconds at 16 kHz: six short sentences."""
    return _read(shipped_path("beckett.wav"), (BECKETT_TEXT,))


def two_cities() -> Recording:
    """44 seconds at 48 kHz, with long sentences."""
    return _read(shipped_path("two_cities.wav"), (TWO_CITIES_TEXT,))


def shared(name: str) -> Recording:
    fields = next(line for line in manifest(SHARED / "manifest.jsonl") if line["file"] == name)
    return _read(SHARED / name, (fields["text"], *(fields.get("alternatives") or ())))


def manifest(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a manifest; none if it is not there."""
    if path.is_file():
        yield from (json.loads(line) for line in path.read_text("utf-8").splitlines())


def words(text: str) -> str:
    """A text without case and punctuation."""
    return " ".join(re.sub(r"[^\w\s]|_", "", re.sub(r"[-—]", " ", text.lower())).split())


def word_error_rate(said: str, heard: str) -> float:
    return float(jiwer.wer(words(said), words(heard)))


def text_of(finals: Iterable[dict[str, Any]]) -> str:
    return " ".join(final["text"] for final in finals if final["text"])


def _read(path: Path, texts: tuple[str, ...]) -> Recording:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        return Recording(path.stem, file.readframes(file.getnframes()), file.getframerate(), texts)
