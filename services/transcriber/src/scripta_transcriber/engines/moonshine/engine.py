"""Moonshine tiny-en on plain onnxruntime: English.

The encoder runs once over the segment, the decoder token by token, each time taking the most
probable token. A segment is decoded alone: what goes into the decoder's products is rounded by
the largest number among it, so that a row's numbers, and at times its words, would depend on what
shares its batch. Drafts are heard by an encoder that rounds, too.

When a word was said is read off where the decoder looked while it decoded the final, which changes
nothing of the words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_common.wire import SAMPLE_RATE, Word
from scripta_transcriber.engines.base import Capabilities, Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.moonshine.decoder import Decoder, Said
from scripta_transcriber.engines.moonshine.decoder_graph import step_graph
from scripta_transcriber.engines.moonshine.draft_encoder import DraftEncoder, Rows
from scripta_transcriber.engines.moonshine.encoder_graphs import (
    ROW_SAMPLES,
    draft_graph,
    final_graph,
    stem_graph,
)
from scripta_transcriber.engines.moonshine.heads import heads_of
from scripta_transcriber.engines.moonshine.layers import Form, fastest_bytes
from scripta_transcriber.engines.moonshine.sureness import Distances, sure_words
from scripta_transcriber.engines.moonshine.weights import Weights
from scripta_transcriber.engines.moonshine.word_timer import WordTimer
from scripta_transcriber.engines.onnx import open_session, packaged_path
from scripta_transcriber.engines.quiet import halves
from scripta_transcriber.engines.repetition import cut_loop, loop_length
from scripta_transcriber.engines.samples import samples_of
from scripta_transcriber.engines.tokens import Spelt, Vocabulary

DISTRIBUTION = "moonshine-voice==0.1.0"

_UNSPOKEN = re.compile(r"♪|(?<=[,.?!]),+")
"""Notes, the model's answer to music, and commas behind other punctuation."""

_SPEECH_COST = 0.032
"""Seconds that each of the first four of ``two_cities.wav`` took, drafted every half second, on the
core that followed 20 talkers: 12 slots left room there."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a segment is decoded.

    Attributes:
        tokens_per_second: Most tokens a second of audio; more is a model talking to itself.
        least_tokens: Tokens that even the shortest segment may have.
        silence_after: Seconds of silence put behind the audio: the model drops or distorts a
            word that ends with it. At least 0.032, what a row of the encoder is made of.
        silence_before: Seconds before the first frame of speech, if it is known where that is. What
            is missing is silence: the model mishears words with which the audio begins.
        least_seconds: Shorter audio is filled up to this length; the encoder needs 0.06 s.
        divisible_seconds: A segment of at least this length is decoded in two halves where the
            decoder reaches the limit of tokens. At least 0.5: shorter audio has no halves.
        sure: What makes a word of a draft sure.
    """

    tokens_per_second: float = 6.5
    least_tokens: int = 8
    silence_after: float = 0.4
    silence_before: float = 0.3
    least_seconds: float = 1.0
    divisible_seconds: float = 1.5
    sure: Distances = field(default_factory=Distances)


@dataclass(frozen=True, slots=True)
class Memo:
    """What a draft leaves to the next one.

    Attributes:
        tokens: What it said.
        rows: What it heard.
        before: How many rows of silence came first.
    """

    tokens: tuple[int, ...] = ()
    rows: Rows | None = None
    before: int = 0


@dataclass(frozen=True, slots=True)
class _Model:
    vocabulary: Vocabulary
    encoder: ort.InferenceSession
    draft_encoder: DraftEncoder
    decoder: Decoder
    timer: WordTimer | None


class MoonshineEngine:
    """The default engine. Loaded once; calls from several threads run side by side."""

    name = "moonshine"
    capabilities = Capabilities(
        languages=frozenset({"en"}),
        max_segment_seconds=15.0,
        slots_per_thread=12,
        speech_cost=_SPEECH_COST,
        models=("moonshine-tiny-en",),
    )

    def __init__(self, folder: Path | None = None, decoding: Decoding | None = None) -> None:
        """Makes an engine that is not loaded yet.

        Args:
            folder: Where the three model files are; by default inside the installed package.
            decoding: Limits of the decoding.
        """
        if folder is not None:
            names = (folder.name, f"{self.name}-{folder.name}")
            self.capabilities = replace(self.capabilities, models=names)
        self._folder = folder
        self._decoding = decoding or Decoding()
        self._model: _Model | None = None

    @staticmethod
    def packaged() -> Path:
        """Returns the folder of the model that comes with the engine.

        Raises:
            EngineError: The package or its folder is missing.
        """
        return packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")

    def load(self) -> None:
        """Loads encoder, decoder and vocabulary.

        Raises:
            EngineError: The package or a file of it is missing or broken.
        """
        folder = self._folder or self.packaged()
        vocabulary = Vocabulary.read(folder / "tokenizer.bin")
        hearing = Weights(folder / "encoder_model.ort")
        speaking = Weights(folder / "decoder_model_merged.ort")
        fast, form, heads = fastest_bytes(), Form.of(speaking), heads_of(speaking)
        watched = sorted({head.layer for head in heads})
        self._model = _Model(
            vocabulary,
            open_session(final_graph(hearing, speaking)),
            DraftEncoder(
                open_session(stem_graph(hearing)),
                open_session(draft_graph(hearing, speaking, fast)),
            ),
            Decoder(open_session(step_graph(speaking, fast, watched)), form, watched),
            WordTimer.load(form, heads) if heads else None,
        )
        self.capabilities = replace(self.capabilities, word_times=bool(heads))

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns the words of a segment, decoded alone."""
        if not segment.pcm:
            return Transcript(text="", language="en")
        model, samples = self._loaded(), samples_of(segment)
        rows = self._rows_before(segment)
        around = rows * ROW_SAMPLES, self._silence(samples)
        heard = np.pad(samples, around)[np.newaxis, :]
        memory = model.encoder.run(model.decoder.memory, {"samples": heard})
        timer = model.timer if segment.word_times else None
        said = model.decoder.greedy(memory, self._limit(segment), watch=timer is not None)
        if not said.complete and segment.seconds >= self._decoding.divisible_seconds:
            return self._in_halves(segment)
        tokens = _without_loop(said)
        text = _spoken(model.vocabulary.text(tokens))
        if not text:
            return Transcript(text="", language="en")
        words: tuple[Word, ...] = ()
        if timer is not None:
            spelt = _spoken_words(model.vocabulary.words(tokens))
            words = timer.words(segment, spelt, said.queries, memory, rows)
        return Transcript(text, math.exp(said.likelihood), words, language="en")

    def _in_halves(self, segment: Segment) -> Transcript:
        """Returns the words of a segment of which the decoder says more than anybody can.

        It has fallen into a loop. What is spoken behind the loop would be lost, and in one half
        of the audio it is heard.
        """
        parts = [part for part in map(self.transcribe, halves(segment)) if part.text]
        sure = [part.confidence for part in parts if part.confidence is not None]
        confidence = sum(sure) / len(sure) if sure else None
        words = tuple(word for part in parts for word in part.words)
        return Transcript(" ".join(part.text for part in parts), confidence, words, language="en")

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the words of an open segment so far.

        Only what is new is heard, and the tokens of the last draft are checked in one step.
        """
        model, samples = self._loaded(), samples_of(segment)
        last = memo if isinstance(memo, Memo) else Memo()
        if not samples.size:
            return Draft("")
        silence, names = self._silence(samples), model.decoder.memory
        before = self._rows_before(segment)
        samples = np.pad(samples, (before * ROW_SAMPLES, 0))
        kept = last.rows if last.before == before else None
        memory, rows = model.draft_encoder.hear(samples, silence, names, kept)
        reach = self._decoding.sure.word
        said = model.decoder.greedy(memory, self._limit(segment), last.tokens, reach)
        tokens = _without_loop(said)
        text = _spoken(model.vocabulary.text(tokens))
        words = text.split()
        found = sure_words(
            replace(said, tokens=tokens), model.vocabulary.piece, self._decoding.sure
        )
        # Where signs that nobody said were taken out, the words are others: none of them is sure.
        same = [word for word, _ in found] == words
        sure = tuple(one for _, one in found) if same else (False,) * len(words)
        return Draft(text, Memo(tuple(tokens), rows, before), sure)

    def _loaded(self) -> _Model:
        if self._model is None:
            raise EngineError("the engine is not loaded: call load() first")
        return self._model

    def _limit(self, segment: Segment) -> int:
        most = math.ceil(segment.seconds * self._decoding.tokens_per_second)
        return max(self._decoding.least_tokens, most)

    def _rows_before(self, segment: Segment) -> int:
        """Returns how many rows of silence the encoder hears before a segment."""
        if segment.lead is None:
            return 0
        missing = round(self._decoding.silence_before * SAMPLE_RATE) - segment.lead
        return max(0, math.ceil(missing / ROW_SAMPLES))

    def _silence(self, samples: FloatArray) -> int:
        behind = round(self._decoding.silence_after * SAMPLE_RATE)
        return max(behind, round(self._decoding.least_seconds * SAMPLE_RATE) - len(samples))


def _without_loop(said: Said) -> list[int]:
    """Returns the tokens; a loop is one only where the decoder came to no end by itself."""
    loop = 0 if said.complete else loop_length(said.tokens)
    return cut_loop(said.tokens, loop) if loop else said.tokens


def _spoken(text: str) -> str:
    """Returns ``text`` without signs that nobody said; empty if it holds no word."""
    text = " ".join(_UNSPOKEN.sub("", text).split())
    return text if any(map(str.isalnum, text)) else ""


def _spoken_words(words: Sequence[Spelt]) -> list[Spelt]:
    """Returns the words of ``_spoken``, with their tokens."""
    bare = [replace(word, text=_UNSPOKEN.sub("", word.text)) for word in words]
    return [word for word in bare if word.text]
