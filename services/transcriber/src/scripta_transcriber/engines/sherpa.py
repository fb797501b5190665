"""Models of sherpa-onnx: transducers, CTC and more, for many languages; a model is a folder.

sherpa-onnx ends the whole process on many a bad file. So the model is loaded in a process of its
own first, which also finds out what kind it is. A streaming model hears a segment from its
start like any other: what it says of one follows from the segment alone.
"""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sherpa_onnx

from scripta_common.wire import SAMPLE_RATE, Word
from scripta_transcriber.engines.alignment import Piece, words_of
from scripta_transcriber.engines.base import Capabilities, Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.samples import samples_of
from scripta_transcriber.engines.sherpa_models import KINDS, Card, arguments, recognise
from scripta_transcriber.engines.source import ModelSource

FloatArray = npt.NDArray[np.float32]

TRIAL_SECONDS: Final = 300.0
"""How long loading a model may take."""

_SILENCE_BEHIND: Final = np.zeros(SAMPLE_RATE // 2, dtype=np.float32)
"""Streaming models say the last word only when they have heard what follows it."""

_LEAST_SAMPLES: Final = SAMPLE_RATE
"""Shorter audio is filled up with silence: not every model takes it."""

_SAID_WHY: Final = 3
"""Exit code of the trial that has found out by itself what is wrong."""

_LONGEST_TOKEN: Final = 0.4
"""Seconds that a token lasts at most: the model tells when it begins, not when it ends."""


class SherpaEngine:
    """Any model that sherpa-onnx runs and ``sherpa_models`` knows.

    Args:
        source: The model's folder.
        threads: How many threads will call it at the same time.
    """

    name = "sherpa"

    def __init__(self, source: ModelSource, threads: int = 1) -> None:
        self._source = source
        self._recogniser: Any = None
        self._streaming = False
        self.capabilities = Capabilities(
            languages=_languages(source),
            models=(source.label, f"sherpa-{source.label}") if source.label else (),
        )

    def load(self) -> None:
        """Loads the model, after another process has done so and lives.

        Raises:
            EngineError: The model is missing, broken, or of a kind that is not known.
        """
        folder = self._source.find(self.name)
        kind = _try_apart(folder)
        self._recogniser = make_recogniser(folder, kind)
        self._streaming = KINDS[kind].streaming
        self.capabilities = replace(
            self.capabilities,
            languages=frozenset(Card.read(folder).languages),
            interims=KINDS[kind].interims,
            word_times=KINDS[kind].word_times,
        )

    def transcribe(self, segment: Segment) -> Transcript:
        """Returns the words of a segment, with their times where the model has them."""
        if not segment.pcm:
            return Transcript(text="", language=self._language(segment))
        heard = self._hear(segment)
        text = heard.text.strip()
        sure = _confidence(heard)
        words = self._words(segment, heard) if self.capabilities.word_times else ()
        return Transcript(text, sure if text else None, words, self._language(segment))

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the words of an open segment so far."""
        return Draft(self._hear(segment).text.strip() if segment.pcm else "")

    def _hear(self, segment: Segment) -> Any:
        if self._recogniser is None:
            raise EngineError("the engine is not loaded: call load() first")
        samples = samples_of(segment)
        samples = np.pad(samples, (0, max(0, _LEAST_SAMPLES - len(samples))))
        return hear(self._recogniser, samples, streaming=self._streaming)

    def _language(self, segment: Segment) -> str | None:
        known = self.capabilities.languages
        return next(iter(known)) if len(known) == 1 else segment.language

    def _words(self, segment: Segment, heard: Any) -> tuple[Word, ...]:
        begins = [float(at) for at in heard.timestamps]
        if len(begins) != len(heard.tokens):
            return ()
        ends = [min(one + _LONGEST_TOKEN, other) for one, other in pairwise([*begins, math.inf])]
        sure: list[float | None] = [math.exp(each) for each in _probabilities(heard)]
        pieces = map(Piece, heard.tokens, begins, ends, sure or [None] * len(begins))
        spaced = any(token.startswith(" ") for token in heard.tokens)
        return words_of(segment, pieces, spaced=spaced)


def make_recogniser(folder: Path, kind: str) -> Any:
    """Returns sherpa-onnx's recogniser of a model; a bad file may end the process.

    Raises:
        EngineError: A file is missing.
    """
    files = arguments(folder, kind)
    owner, method = KINDS[kind].factory
    return getattr(getattr(sherpa_onnx, owner), method)(**files, num_threads=1)


def hear(recogniser: Any, samples: FloatArray, *, streaming: bool) -> Any:
    """Returns what a recogniser hears in samples from -1 to 1 at 16 kHz."""
    stream = recogniser.create_stream()
    stream.accept_waveform(SAMPLE_RATE, samples)
    if not streaming:
        recogniser.decode_stream(stream)
        return stream.result
    stream.accept_waveform(SAMPLE_RATE, _SILENCE_BEHIND)
    stream.input_finished()
    while recogniser.is_ready(stream):
        recogniser.decode_stream(stream)
    return recogniser.get_result_all(stream)


def try_model(folder: str) -> None:
    """Loads the model in a folder, lets it hear a moment of noise, prints its kind."""
    try:
        kind = recognise(Path(folder))
        recogniser = make_recogniser(Path(folder), kind)
    except EngineError as error:
        print(error, file=sys.stderr)
        sys.exit(_SAID_WHY)
    noise = np.random.default_rng(0).normal(0.0, 0.05, SAMPLE_RATE).astype(np.float32)
    hear(recogniser, noise, streaming=KINDS[kind].streaming)
    print(kind)


def _try_apart(folder: Path) -> str:
    command = f"from {__name__} import try_model; try_model({str(folder)!r})"
    try:
        trial = subprocess.run(
            [sys.executable, "-c", command],
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"the model in {folder} takes longer than {TRIAL_SECONDS} s") from error
    said = trial.stderr.strip().splitlines()
    why = said[-1] if said else f"it ends its process with {trial.returncode}"
    match trial.returncode:
        case 0:
            return trial.stdout.split()[-1]
        case _ if trial.returncode == _SAID_WHY:
            raise EngineError(why)
        case _:
            raise EngineError(
                f"the model in {folder} can not be loaded ({why}): put all its files there as "
                "published"
            )


def _languages(source: ModelSource) -> frozenset[str]:
    """Returns the languages that the card of a model says; a missing one says so when loaded."""
    try:
        return frozenset(Card.read(source.find("sherpa")).languages)
    except EngineError:
        return frozenset()


def _probabilities(heard: Any) -> list[float]:
    """Returns the log probability of each token; nothing where the model does not tell."""
    for name in ("ys_log_probs", "ys_probs"):
        found = getattr(heard, name, None)
        if found and len(found) == len(heard.tokens):
            return [min(0.0, float(each)) for each in found]
    return []


def _confidence(heard: Any) -> float | None:
    sure = [math.exp(each) for each in _probabilities(heard)]
    return sum(sure) / len(sure) if sure else None
