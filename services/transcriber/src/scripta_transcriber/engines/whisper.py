"""Whisper on CTranslate2: many languages, times of words, robust in noise; finals only on a CPU.

The model hears windows of 30 s, whatever is in them. On a CPU a segment is therefore heard in a
window that is cut behind it, and in a whole one only where what comes of that is odd. It is decoded
on one thread at temperature 0, and without the words before it, so that its words follow from its
audio alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from scripta_common.wire import SAMPLE_RATE, Reason, Word
from scripta_transcriber.engines import keyterms
from scripta_transcriber.engines.alignment import Piece, words_of
from scripta_transcriber.engines.base import Capabilities, Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.decoding import Decoding, Heard
from scripta_transcriber.engines.languages import UNSPACED, whisper_languages
from scripta_transcriber.engines.quiet import halves
from scripta_transcriber.engines.repetition import ends_in_loop
from scripta_transcriber.engines.samples import samples_of
from scripta_transcriber.engines.source import Device, ModelSource
from scripta_transcriber.engines.tokenizers import Tokenizers
from scripta_transcriber.engines.window import WINDOW_SAMPLES, WINDOW_SECONDS, Cut

SEGMENT_SECONDS = 20.0
"""Longest segment of a session that asks for no other: the model knows a word by those around it,
and words that wait for more than this become no better."""

_FILES = ("model.bin", "config.json", "tokenizer.json")
_LEAST_SAMPLES = SAMPLE_RATE // 10

_CUT = Cut()

FloatArray = npt.NDArray[np.float32]


class WhisperEngine:
    """Any Whisper model that was converted for CTranslate2.

    Args:
        source: The model's folder: ``model.bin``, ``config.json``, ``tokenizer.json`` and
            ``vocabulary.*``.
        threads: How many threads will call it at the same time.
        decoding: How segments are decoded.
        cut: How windows are cut; ``None`` hears whole ones, as a GPU always does.
    """

    name = "whisper"

    def __init__(
        self,
        source: ModelSource,
        threads: int = 1,
        decoding: Decoding | None = None,
        cut: Cut | None = _CUT,
    ) -> None:
        self._source = source
        self._threads = threads
        self._decoding = decoding or Decoding()
        self._cut = cut if source.device is Device.CPU else None
        self._model: Any = None
        self._features: Any = None
        self._tokenizers: Any = None
        label = source.label.removeprefix("whisper-")
        self.capabilities = Capabilities(
            languages=whisper_languages(source),
            interims=source.device is Device.CUDA,
            word_times=True,
            keyterms=True,
            segment_seconds=SEGMENT_SECONDS,
            max_segment_seconds=WINDOW_SECONDS,
            slots_per_thread=2,
            models=(label, f"whisper-{label}") if label else (),
        )

    def load(self) -> None:
        """Loads the model and lets it hear a moment of silence.

        Raises:
            EngineError: The model is missing, broken, or of another kind.
        """
        folder = self._source.find(self.name)
        for name in _FILES:
            if not (folder / name).is_file():
                raise EngineError(_wrong_files(folder, f"it has no {name}"))
        try:
            self._model = WhisperModel(
                str(folder),
                device=self._source.device.value,
                compute_type="int8" if self._source.device is Device.CPU else "int8_float16",
                cpu_threads=1,
                num_workers=self._threads,
                local_files_only=True,
            )
            self._tokenizers = Tokenizers(self._model)
            self._features = FeatureExtractor(feature_size=self._model.model.n_mels)
            self.transcribe(Segment(0, bytes(2 * _LEAST_SAMPLES), reason=Reason.END))
        except Exception as error:  # the libraries' exceptions share no other base
            raise EngineError(_wrong_files(folder, str(error))) from error

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns the words of a segment with their times.

        Raises:
            ValueError: The segment is longer than a window.
        """
        if not segment.pcm:
            return Transcript(text="", language=segment.language)
        believed = self._hear_cut(segment, self._cut) if self._cut is not None else None
        if believed is None:
            return self._transcribe(segment, divide=True)
        return self._told(segment, *believed)

    def _hear_cut(self, segment: Segment, cut: Cut) -> tuple[Any, Tokenizer, Heard] | None:
        """Returns what is heard in a cut window; ``None`` if that is not to be believed."""
        samples = cut.samples(segment.end - segment.start)
        if samples >= WINDOW_SAMPLES:
            return None
        encoded = self._encode(segment, samples)
        language, probability = self._tokenizers.language(segment.language, encoded)
        if probability < cut.sure_of_language:
            return None
        tokenizer = self._tokenizers.of(language)
        heard = self._generate(segment, encoded, tokenizer, self._decoding.beams)
        told = segment.language is not None
        if cut.doubts(heard, segment.seconds, told=told, spaced=language not in UNSPACED):
            return None
        return encoded, tokenizer, heard

    def _transcribe(self, segment: Segment, *, divide: bool) -> Transcript:
        """Returns the words of a segment in whole windows.

        Args:
            segment: The segment.
            divide: Whether it is heard in halves where the model says more than it can hold, or
                ends in a loop. People repeat themselves, too, and the halves say so again; but
                words behind a loop are lost, and in a half they are heard.
        """
        encoded = self._encode(segment)
        language, _ = self._tokenizers.language(segment.language, encoded)
        tokenizer = self._tokenizers.of(language)
        limits = self._decoding
        heard = self._decode(segment, encoded, tokenizer, limits.beams)
        divide = divide and segment.seconds >= limits.divisible_seconds
        if divide and (heard.overfull or heard.looping):
            return self._in_halves(segment, language, divide=False)
        if heard.overfull:
            heard = self._generate(segment, encoded, tokenizer, limits.beams, limits.unrepeated)
        if not heard.complete:
            return self._in_halves(segment, language, divide=divide)
        return self._told(segment, encoded, tokenizer, heard)

    def _told(
        self, segment: Segment, encoded: Any, tokenizer: Tokenizer, heard: Heard
    ) -> Transcript:
        """Returns what was heard as a transcript, with the times of its words."""
        if not heard.text:
            return Transcript(text="", language=tokenizer.language_code)
        words = self._words(segment, heard, tokenizer, encoded)
        return Transcript(heard.text, _confidence(words), words, tokenizer.language_code)

    def _in_halves(self, segment: Segment, language: str, *, divide: bool) -> Transcript:
        """Returns the words of a segment that has more than the model says at once."""
        both = halves(replace(segment, language=language))
        parts = [self._transcribe(half, divide=divide) for half in both]
        words = tuple(word for part in parts for word in part.words)
        space = "" if language in UNSPACED else " "
        text = space.join(part.text for part in parts if part.text)
        return Transcript(text, _confidence(words), words, language)

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the words of an open segment so far; worth it on a GPU only."""
        if not segment.pcm:
            return Draft("")
        encoded = self._encode(segment)
        tokenizer = self._tokenizers.of(self._tokenizers.language(segment.language, encoded)[0])
        heard = self._decode(segment, encoded, tokenizer, beams=1)
        if heard.overfull:
            heard = self._generate(segment, encoded, tokenizer, 1, self._decoding.unrepeated)
        return Draft(heard.text)

    def _encode(self, segment: Segment, window: int = WINDOW_SAMPLES) -> Any:
        """Returns the encoder's output for a window of so many samples that begins with a segment.

        Silence fills the window up, as in the model's training: zeros in place of its features
        would be a noise, and cost words.
        """
        if self._model is None:
            raise EngineError("the engine is not loaded: call load() first")
        if segment.seconds > WINDOW_SECONDS:
            raise ValueError(f"a segment of {segment.seconds:.1f} s is longer than a window")
        samples = samples_of(segment)
        features: FloatArray = self._features(np.pad(samples, (0, window - len(samples))), 0)
        return self._model.encode(features)

    def _decode(self, segment: Segment, encoded: Any, tokenizer: Tokenizer, beams: int) -> Heard:
        heard = self._generate(segment, encoded, tokenizer, beams)
        limits = self._decoding
        if heard.no_speech > limits.no_speech and heard.likelihood < limits.unlikely:
            return Heard([], "", heard.likelihood, heard.no_speech)
        return heard

    def _generate(
        self, segment: Segment, encoded: Any, tokenizer: Tokenizer, beams: int, unrepeated: int = 0
    ) -> Heard:
        """Returns what the model says, with the session's keyterms where these are believed."""
        without = self._say(segment, encoded, tokenizer, beams, unrepeated)
        terms = keyterms.prompt(segment.keyterms, tokenizer.encode, tokenizer.sot_prev)
        if not terms or not without.text or without.no_speech > keyterms.SILENT:
            return without
        said = self._say(segment, encoded, tokenizer, beams, unrepeated, terms)
        odd = said.overfull or said.looping or not said.complete
        spaced = tokenizer.language_code not in UNSPACED
        brings = keyterms.brings_terms(said, without, segment.keyterms, spaced=spaced)
        return said if brings and not odd else without

    def _say(
        self,
        segment: Segment,
        encoded: Any,
        tokenizer: Tokenizer,
        beams: int,
        unrepeated: int,
        before: Sequence[int] = (),
    ) -> Heard:
        """Returns what the model says behind the tokens ``before``."""
        prompt = [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]
        limits = self._decoding
        likely = limits.least_tokens + int(limits.tokens_per_second * segment.seconds)
        most = self._model.max_length - len(prompt)
        wanted = min(likely, most)
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=beams,
            no_repeat_ngram_size=unrepeated,
            # The library generates half as many, and no more than the prompt leaves of them.
            max_length=max(2 * wanted, wanted + len(prompt)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )[0]
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        letters = sum(map(str.isalnum, text))
        room = limits.least_letters + limits.letters_per_second * segment.seconds
        return Heard(
            tokens=tokens,
            text=text if letters else "",
            likelihood=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech=result.no_speech_prob,
            complete=len(tokens) < most,
            overfull=letters > room or likely <= len(tokens) < most,
            looping=ends_in_loop(text, spaced=tokenizer.language_code not in UNSPACED),
        )

    def _words(
        self, segment: Segment, heard: Heard, tokenizer: Tokenizer, encoded: Any
    ) -> tuple[Word, ...]:
        samples = max(_LEAST_SAMPLES, segment.end - segment.start)
        frames = -(-samples // self._features.hop_length)
        tokens = [token for token in heard.tokens if token < tokenizer.eot]
        (found,) = self._model.find_alignment(tokenizer, [tokens], encoded, frames)
        pieces = (
            Piece(one["word"], float(one["start"]), float(one["end"]), float(one["probability"]))
            for one in found
        )
        spaced = tokenizer.language_code not in UNSPACED
        return words_of(segment, pieces, spaced=spaced)


def _confidence(words: Sequence[Word]) -> float | None:
    sure = [word.confidence for word in words if word.confidence is not None]
    return sum(sure) / len(sure) if sure else None


def _wrong_files(folder: Path, what: str) -> str:
    return (
        f"{folder} is no Whisper model for CTranslate2 ({what}): put one there, such as "
        "Systran/faster-whisper-base, or convert yours with ct2-transformers-converter "
        "--copy_files tokenizer.json preprocessor_config.json"
    )
