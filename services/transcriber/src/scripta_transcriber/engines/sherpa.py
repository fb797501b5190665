"""Models of sherpa-onnx: transducers, CTC and more, for many languages; a model is a folder.

sherpa-onnx ends the whole process on many a bad file. So the model is loaded in a process of its
own first, which also finds out what kind it is. A streaming model makes a streaming engine: the
memo of its drafts is a ``SherpaStream``.
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

from scripta_common.wire import SAMPLE_RATE, Reason, Word
from scripta_transcriber.engines.alignment import Piece, words_of
from scripta_transcriber.engines.base import Capabilities, Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.samples import samples_of
from scripta_transcriber.engines.sherpa_models import KINDS, Card, Kind, arguments, recognise
from scripta_transcriber.engines.sherpa_stream import SherpaStream
from scripta_transcriber.engines.source import ModelSource

FloatArray = npt.NDArray[np.float32]

TRIAL_SECONDS: Final = 300.0
"""How long loading a model may take."""

_LEAST_SAMPLES: Final = SAMPLE_RATE
"""Shorter audio is filled up with silence for models that hear all at once: not every one takes
it."""

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
        self._kind: Kind | None = None
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
        name = _try_apart(folder)
        self._recogniser, kind = make_recogniser(folder, name), KINDS[name]
        self._kind = kind
        self.capabilities = replace(
            self.capabilities,
            languages=frozenset(Card.read(folder).languages),
            interims=kind.interims,
            streaming=kind.streaming,
            word_times=kind.word_times,
        )

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns the words of a segment, with their times where the model has them."""
        if not segment.pcm:
            return Transcript(text="", language=self._language(segment))
        heard = self._hear(segment, memo)
        text = heard.text.strip()
        sure = _confidence(heard)
        words = self._words(segment, heard) if self.capabilities.word_times else ()
        return Transcript(text, sure if text else None, words, self._language(segment))

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the words of an open segment so far."""
        if self.capabilities.streaming:
            stream = _stream_of(memo, segment) or self._begin(segment)
            text = stream.hear(segment).text
            return Draft(text.strip(), stream, _sure(text))
        return Draft(self._hear(segment).text.strip() if segment.pcm else "")

    def _begin(self, segment: Segment) -> SherpaStream:
        """Returns a stream that has heard nothing of a segment yet."""
        recogniser, kind = self._loaded()
        return SherpaStream(recogniser, kind, segment.start)

    def _hear(self, segment: Segment, memo: object = None) -> Any:
        recogniser, kind = self._loaded()
        if kind.streaming:
            stream = _stream_of(memo, segment)
            heard = None if stream is None else stream.finish(segment)
            return self._begin(segment).finish(segment) if heard is None else heard
        samples = samples_of(segment)
        samples = np.pad(samples, (0, max(0, _LEAST_SAMPLES - len(samples))))
        return hear(recogniser, samples)

    def _loaded(self) -> tuple[Any, Kind]:
        if self._kind is None:
            raise EngineError("the engine is not loaded: call load() first")
        return self._recogniser, self._kind

    def _language(self, segment: Segment) -> str | None:
        known = self.capabilities.languages
        return next(iter(known)) if len(known) == 1 else segment.language

    def _words(self, segment: Segment, heard: Any) -> tuple[Word, ...]:
        _, kind = self._loaded()
        begins = [max(0.0, float(at) - kind.silence_before) for at in heard.timestamps]
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


def hear(recogniser: Any, samples: FloatArray) -> Any:
    """Returns what a recogniser hears in samples from -1 to 1 at 16 kHz, all at once."""
    stream = recogniser.create_stream()
    stream.accept_waveform(SAMPLE_RATE, samples)
    recogniser.decode_stream(stream)
    return stream.result


def try_model(folder: str) -> None:
    """Loads the model in a folder, lets it hear a moment of noise, prints its kind."""
    try:
        kind = recognise(Path(folder))
        recogniser = make_recogniser(Path(folder), kind)
    except EngineError as error:
        print(error, file=sys.stderr)
        sys.exit(_SAID_WHY)
    noise = np.random.default_rng(0).normal(0, 1_500, SAMPLE_RATE).astype("<i2")
    if KINDS[kind].streaming:
        heard = Segment(0, noise.tobytes(), Reason.END)
        SherpaStream(recogniser, KINDS[kind], 0).finish(heard)
    else:
        hear(recogniser, (noise / 32768.0).astype(np.float32))
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


def _stream_of(memo: object, segment: Segment) -> SherpaStream | None:
    """Returns the stream that a memo is, if it has heard the beginning of this segment."""
    return memo if isinstance(memo, SherpaStream) and memo.start == segment.start else None


def _sure(text: str) -> tuple[bool, ...]:
    """Returns for each word whether it is whole: tokens are only ever added to a text."""
    words = text.split()
    whole = len(words) if text.endswith(" ") else len(words) - 1
    return tuple(number < whole for number in range(len(words)))


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
