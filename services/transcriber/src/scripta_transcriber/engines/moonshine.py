"""Moonshine tiny-en on plain onnxruntime: English, no word times.

The encoder runs once over the segment, the decoder token by token, each time taking the most
probable token. A segment is decoded alone: what goes into the decoder's products is rounded by
the largest number among it, so that a row's numbers, and at times its words, would depend on what
shares its batch. Drafts are heard by an encoder that rounds, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Capabilities, Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.moonshine_drafts import DraftEncoder, Rows
from scripta_transcriber.engines.moonshine_graphs import (
    Form,
    decoder,
    draft_encoder,
    encoder,
    fastest_bytes,
    stem,
)
from scripta_transcriber.engines.moonshine_weights import Weights
from scripta_transcriber.engines.onnx import open_session, packaged_path
from scripta_transcriber.engines.repetition import cut_loop, loop_length
from scripta_transcriber.engines.tokens import Vocabulary

DISTRIBUTION = "moonshine-voice==0.1.0"

_BEGIN = 1
_END = 2

_UNSPOKEN = re.compile(r"♪|(?<=[,.?!]),+")
"""Notes, the model's answer to music, and commas behind other punctuation."""

FloatArray = npt.NDArray[np.float32]
Cache = dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a segment is decoded.

    Attributes:
        tokens_per_second: Most tokens a second of audio; more is a model talking to itself.
        least_tokens: Tokens that even the shortest segment may have.
        silence_after: Seconds of silence put behind the audio: the model drops or distorts a
            word that ends with it.
        least_seconds: Shorter audio is filled up to this length; the encoder needs 0.06 s.
    """

    tokens_per_second: float = 6.5
    least_tokens: int = 8
    silence_after: float = 0.4
    least_seconds: float = 1.0


class MoonshineEngine:
    """The default engine. Loaded once; calls from several threads run side by side."""

    name = "moonshine"
    capabilities = Capabilities(
        languages=frozenset({"en"}), max_segment_seconds=15.0, models=("moonshine-tiny-en",)
    )

    def __init__(self, folder: Path | None = None, decoding: Decoding | None = None) -> None:
        """Makes an engine that is not loaded yet.

        Args:
            folder: Where the three model files are; by default inside the installed package.
            decoding: Limits of the decoding.
        """
        self._folder = folder
        self._decoding = decoding or Decoding()
        self._model: _Model | None = None

    def load(self) -> None:
        """Loads encoder, decoder and vocabulary.

        Raises:
            EngineError: The package or a file of it is missing or broken.
        """
        folder = self._folder or packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
        vocabulary = Vocabulary.read(folder / "tokenizer.bin")
        hearing = Weights(folder / "encoder_model.ort")
        speaking = Weights(folder / "decoder_model_merged.ort")
        fast = fastest_bytes()
        self._model = _Model(
            vocabulary,
            open_session(encoder(hearing, speaking)),
            DraftEncoder(
                open_session(stem(hearing)), open_session(draft_encoder(hearing, speaking, fast))
            ),
            _Decoder(open_session(decoder(speaking, arithmetic=fast)), Form.of(speaking)),
        )

    def transcribe(self, segment: Segment) -> Transcript:
        """Returns the words of a segment, decoded alone."""
        if not segment.pcm:
            return Transcript(text="", language="en")
        model, samples = self._loaded(), _samples(segment)
        heard = np.pad(samples, (0, self._silence(samples)))[np.newaxis, :]
        memory = model.encoder.run(model.decoder.memory, {"samples": heard})
        tokens, mean = model.decoder.greedy(memory, self._limit(segment))
        text = _spoken(model.vocabulary.text(tokens))
        return Transcript(text=text, confidence=math.exp(mean) if text else None, language="en")

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the words of an open segment so far.

        Only what is new is heard, and the tokens of the last draft are checked in one step.
        """
        model, samples = self._loaded(), _samples(segment)
        last = memo if isinstance(memo, Memo) else Memo()
        if not samples.size:
            return Draft("")
        silence, names = self._silence(samples), model.decoder.memory
        memory, rows = model.draft_encoder.hear(samples, silence, names, last.rows)
        tokens, _ = model.decoder.greedy(memory, self._limit(segment), last.tokens)
        return Draft(_spoken(model.vocabulary.text(tokens)), Memo(tuple(tokens), rows))

    def _loaded(self) -> _Model:
        if self._model is None:
            raise EngineError("the engine is not loaded: call load() first")
        return self._model

    def _limit(self, segment: Segment) -> int:
        most = math.ceil(segment.seconds * self._decoding.tokens_per_second)
        return max(self._decoding.least_tokens, most)

    def _silence(self, samples: FloatArray) -> int:
        behind = round(self._decoding.silence_after * SAMPLE_RATE)
        return max(behind, round(self._decoding.least_seconds * SAMPLE_RATE) - len(samples))


@dataclass(frozen=True, slots=True)
class Memo:
    """What a draft leaves to the next one.

    Attributes:
        tokens: What it said.
        rows: What it heard.
    """

    tokens: tuple[int, ...] = ()
    rows: Rows | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    vocabulary: Vocabulary
    encoder: ort.InferenceSession
    draft_encoder: DraftEncoder
    decoder: _Decoder


class _Decoder:
    """Says what was heard, token by token.

    Attributes:
        memory: Names of the keys and values of the audio.
    """

    def __init__(self, session: ort.InferenceSession, form: Form) -> None:
        self.memory = form.cache("memory")
        self._session = session
        self._past = form.cache("past")
        self._outputs = ["logits", *form.cache("present")]
        self._nothing = np.zeros((1, form.heads, 0, form.head_size), dtype=np.float32)

    def greedy(
        self, memory: Sequence[FloatArray], limit: int, guess: Sequence[int] = ()
    ) -> tuple[list[int], float]:
        """Returns up to ``limit`` tokens and the mean log probability of those chosen one by one.

        A guess is checked in the first step, all of it at once: it costs little more than one
        token. The numbers differ in their last bits from those of one by one, and so may the
        words: guesses are for drafts.
        """
        feeds: Cache = dict(zip(self.memory, memory, strict=True))
        feeds |= dict.fromkeys(self._past, self._nothing)
        guess = [*guess[: limit - 1]]
        logits = self._step(feeds, [_BEGIN, *guess], 0)
        tokens = _agreeing(guess, logits.argmax(axis=-1))
        row = logits[len(tokens)]
        for name in self._past:
            feeds[name] = np.ascontiguousarray(feeds[name][:, :, : len(tokens) + 1])
        total, chosen = 0.0, 0
        while True:
            token = int(row.argmax())
            total -= math.log(float(np.exp(row - row[token]).sum()))
            chosen += 1
            if token == _END:
                break
            tokens.append(token)
            if loop := loop_length(tokens):
                tokens = cut_loop(tokens, loop)
                break
            if len(tokens) >= limit:
                break
            row = self._step(feeds, [token], len(tokens))[-1]
        return tokens, total / chosen

    def _step(self, feeds: Cache, tokens: Sequence[int], position: int) -> FloatArray:
        asked = {
            "tokens": np.array([tokens], dtype=np.int64),
            "position": np.array([position], dtype=np.int64),
        }
        logits, *present = self._session.run(self._outputs, {**feeds, **asked})
        feeds.update(zip(self._past, present, strict=True))
        row: FloatArray = logits[0]
        return row


def _samples(segment: Segment) -> FloatArray:
    return np.frombuffer(segment.pcm, dtype="<i2").astype(np.float32) / np.float32(32768.0)


def _agreeing(guess: Sequence[int], choices: npt.NDArray[np.int64]) -> list[int]:
    """Returns the guessed tokens up to the first that would not have been chosen."""
    return [
        token
        for token, _ in takewhile(
            lambda pair: pair[0] == pair[1], zip(guess, choices, strict=False)
        )
    ]


def _spoken(text: str) -> str:
    """Returns ``text`` without signs that nobody said; empty if it holds no word."""
    text = _UNSPOKEN.sub("", text).strip()
    return text if any(map(str.isalnum, text)) else ""
