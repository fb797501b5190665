"""Moonshine tiny-en on plain onnxruntime: English, no word times.

The encoder runs once over the segment, the decoder token by token, each time taking the most
probable token. A segment is decoded alone: the model is quantised dynamically, so that a row's
numbers, and at times its words, would depend on what shares its batch.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Capabilities, EngineError, Segment, Transcript
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
        if self._encoder is None or self._decoder is None or self._vocabulary is None:
            raise EngineError("the engine is not loaded: call load() first")
        audio = self._samples(segment)
        mask = np.ones(audio.shape, dtype=np.int64)
        hidden = self._encoder.run(None, {"input_values": audio, "attention_mask": mask})[0]
        limit = max(
            self._decoding.least_tokens,
            math.ceil(segment.seconds * self._decoding.tokens_per_second),
        )
        tokens, mean = self._decoder.greedy(hidden, mask, limit)
        text = _spoken(self._vocabulary.text(tokens))
        return Transcript(text=text, confidence=math.exp(mean) if text else None, language="en")

    def draft(self, segment: Segment) -> Transcript:
        """Returns the words of an open segment so far."""
        return self.transcribe(segment)

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
        self._present = [name.replace("past_key_values", "present") for name in self._past]

    def greedy(
        self, hidden: FloatArray, mask: npt.NDArray[np.int64], limit: int
    ) -> tuple[list[int], float]:
        """Returns up to ``limit`` tokens and the mean log probability of the choices."""
        empty = np.zeros((1, _HEADS, 0, _HEAD_SIZE), dtype=np.float32)
        feeds: dict[str, Any] = {
            "encoder_attention_mask": mask,
            "encoder_hidden_states": hidden,
            "use_cache_branch": np.array([False]),
            "input_ids": np.array([[_BEGIN]], dtype=np.int64),
            **dict.fromkeys(self._past, empty),
        }
        tokens: list[int] = []
        total = 0.0
        while len(tokens) < limit:
            logits, *present = self._session.run(["logits", *self._present], feeds)
            row = logits[0, -1]
            token = int(row.argmax())
            total -= math.log(float(np.exp(row - row[token]).sum()))
            if token == _END:
                return tokens, total / (len(tokens) + 1)
            tokens.append(token)
            if loop := loop_length(tokens):
                return cut_loop(tokens, loop), total / len(tokens)
            first = not feeds["use_cache_branch"][0]
            for name, value in zip(self._past, present, strict=True):
                # Keys and values over the audio come out of the first step only.
                if first or ".decoder." in name:
                    feeds[name] = value
            feeds["use_cache_branch"] = np.array([True])
            feeds["input_ids"] = np.array([[token]], dtype=np.int64)
        return tokens, total / limit


def _spoken(text: str) -> str:
    """Returns ``text`` without signs that nobody said; empty if it holds no word."""
    text = _UNSPOKEN.sub("", text).strip()
    return text if any(map(str.isalnum, text)) else ""
