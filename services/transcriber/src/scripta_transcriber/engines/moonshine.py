"""Moonshine tiny-en on plain onnxruntime: English, no word times.

The encoder runs once over the segment, the decoder token by token, each time taking the most
probable token. A segment is decoded alone: the model is quantised dynamically, so that a row's
numbers, and at times its words, would depend on what shares its batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Capabilities, Draft, EngineError, Segment, Transcript
from scripta_transcriber.engines.onnx import open_session, packaged_path
from scripta_transcriber.engines.repetition import cut_loop, loop_length
from scripta_transcriber.engines.tokens import Vocabulary

DISTRIBUTION = "moonshine-voice==0.1.0"

_BEGIN = 1
_END = 2
_HEADS = 8
_HEAD_SIZE = 36

_UNSPOKEN = re.compile(r"♪|(?<=[,.?!]),+")
"""Notes, the model's answer to music, and commas behind other punctuation."""

FloatArray = npt.NDArray[np.float32]


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
        self._encoder: ort.InferenceSession | None = None
        self._decoder: _Decoder | None = None
        self._vocabulary: Vocabulary | None = None

    def load(self) -> None:
        """Loads encoder, decoder and vocabulary.

        Raises:
            EngineError: The package or a file of it is missing or broken.
        """
        folder = self._folder or packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
        self._vocabulary = Vocabulary.read(folder / "tokenizer.bin")
        self._encoder = open_session(folder / "encoder_model.ort")
        self._decoder = _Decoder(open_session(folder / "decoder_model_merged.ort"))

    def transcribe(self, segment: Segment) -> Transcript:
        """Returns the words of a segment, decoded alone."""
        if not segment.pcm:
            return Transcript(text="", language="en")
        tokens, mean = self._decode(segment, ())
        text = _spoken(self._words(tokens))
        return Transcript(text=text, confidence=math.exp(mean) if text else None, language="en")

    def draft(self, segment: Segment, guess: Sequence[int] = ()) -> Draft:
        """Returns the words of an open segment so far, from where the last draft went wrong."""
        tokens, _ = self._decode(segment, guess)
        return Draft(_spoken(self._words(tokens)), tuple(tokens))

    def _decode(self, segment: Segment, guess: Sequence[int]) -> tuple[list[int], float]:
        if self._encoder is None or self._decoder is None:
            raise EngineError("the engine is not loaded: call load() first")
        audio = self._samples(segment)
        mask = np.ones(audio.shape, dtype=np.int64)
        hidden = self._encoder.run(None, {"input_values": audio, "attention_mask": mask})[0]
        limit = max(
            self._decoding.least_tokens,
            math.ceil(segment.seconds * self._decoding.tokens_per_second),
        )
        return self._decoder.greedy(hidden, mask, limit, guess)

    def _words(self, tokens: Sequence[int]) -> str:
        return self._vocabulary.text(tokens) if self._vocabulary is not None else ""

    def _samples(self, segment: Segment) -> FloatArray:
        samples = np.frombuffer(segment.pcm, dtype="<i2").astype(np.float32) / 32768.0
        behind = round(self._decoding.silence_after * SAMPLE_RATE)
        lacking = round(self._decoding.least_seconds * SAMPLE_RATE) - len(samples)
        return np.pad(samples, (0, max(behind, lacking)))[np.newaxis, :]


class _Decoder:
    """The merged decoder: one graph for the first step and for those with a cache."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._past = [
            name
            for name in (node.name for node in session.get_inputs())
            if name.startswith("past_key_values.")
        ]
        # Keys and values over the audio come out of the first step only; over the tokens, of all.
        self._past_tokens = [name for name in self._past if ".decoder." in name]

    def greedy(
        self,
        hidden: FloatArray,
        mask: npt.NDArray[np.int64],
        limit: int,
        guess: Sequence[int] = (),
    ) -> tuple[list[int], float]:
        """Returns up to ``limit`` tokens and the mean log probability of those chosen one by one.

        A guess is checked in the first step, all of it at once: it costs little more than one
        token. The numbers differ in their last bits from those of one by one, and so may the
        words: guesses are for drafts.
        """
        guess = [*guess[: limit - 1]]
        empty = np.zeros((1, _HEADS, 0, _HEAD_SIZE), dtype=np.float32)
        feeds: dict[str, Any] = {
            "encoder_attention_mask": mask,
            "encoder_hidden_states": hidden,
            "use_cache_branch": np.array([False]),
            "input_ids": np.array([[_BEGIN, *guess]], dtype=np.int64),
            **dict.fromkeys(self._past, empty),
        }
        logits = self._step(feeds, self._past)[0]
        tokens = _agreeing(guess, logits.argmax(axis=-1))
        row = logits[len(tokens)]
        for name in self._past_tokens:
            feeds[name] = np.ascontiguousarray(feeds[name][:, :, : len(tokens) + 1])
        feeds["use_cache_branch"] = np.array([True])
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
            feeds["input_ids"] = np.array([[token]], dtype=np.int64)
            row = self._step(feeds, self._past_tokens)[0, -1]
        return tokens, total / chosen

    def _step(self, feeds: dict[str, Any], past: Sequence[str]) -> FloatArray:
        present = [name.replace("past_key_values", "present") for name in past]
        logits: FloatArray
        logits, *values = self._session.run(["logits", *present], feeds)
        feeds.update(zip(past, values, strict=True))
        return logits


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
