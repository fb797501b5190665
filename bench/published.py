"""Moonshine on the graphs as they are published, for what our own are worth; only for benches.

Decodes as the transcriber's engine does: token by token, a last draft checked in one step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import Draft, Segment, Transcript
from scripta_transcriber.engines.moonshine import DISTRIBUTION, Decoding, MoonshineEngine
from scripta_transcriber.engines.onnx import open_session, packaged_path
from scripta_transcriber.engines.repetition import cut_loop, loop_length
from scripta_transcriber.engines.tokens import Vocabulary

_BEGIN, _END = 1, 2
_NOTHING = np.zeros((1, 8, 0, 36), dtype=np.float32)


class PublishedEngine:
    """The engine; loaded once, called from any thread."""

    name = MoonshineEngine.name
    capabilities = MoonshineEngine.capabilities

    def load(self) -> None:
        """Loads the graphs."""
        folder = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
        self._vocabulary = Vocabulary.read(folder / "tokenizer.bin")
        self._encoder = open_session(folder / "encoder_model.ort")
        self._decoder = open_session(folder / "decoder_model_merged.ort")
        inputs = [node.name for node in self._decoder.get_inputs()]
        self._past = [name for name in inputs if name.startswith("past_key_values.")]
        self._past_tokens = [name for name in self._past if ".decoder." in name]

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        """Returns the words of a segment."""
        return Transcript(self._vocabulary.text(self._decode(segment, ())))

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        """Returns the words of an open segment so far, from where the last draft went wrong."""
        tokens = self._decode(segment, memo if isinstance(memo, tuple) else ())
        return Draft(self._vocabulary.text(tokens), tuple(tokens))

    def _decode(self, segment: Segment, guess: Sequence[int]) -> list[int]:
        decoding = Decoding()
        samples = np.frombuffer(segment.pcm, dtype="<i2").astype(np.float32) / 32768.0
        lacking = round(decoding.least_seconds * SAMPLE_RATE) - len(samples)
        behind = round(decoding.silence_after * SAMPLE_RATE)
        audio = np.pad(samples, (0, max(behind, lacking)))[np.newaxis, :]
        mask = np.ones(audio.shape, dtype=np.int64)
        hidden = self._encoder.run(None, {"input_values": audio, "attention_mask": mask})[0]
        most = math.ceil(segment.seconds * decoding.tokens_per_second)
        limit = max(decoding.least_tokens, most)
        guess = [*guess[: limit - 1]]
        feeds: dict[str, Any] = {
            "encoder_attention_mask": mask,
            "encoder_hidden_states": hidden,
            "use_cache_branch": np.array([False]),
            "input_ids": np.array([[_BEGIN, *guess]], dtype=np.int64),
            **dict.fromkeys(self._past, _NOTHING),
        }
        return self._say(feeds, guess, limit)

    def _say(self, feeds: dict[str, Any], guess: Sequence[int], limit: int) -> list[int]:
        logits = self._step(feeds, self._past)[0]
        pairs = zip(guess, logits.argmax(axis=-1), strict=False)
        tokens = [said for said, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
        row = logits[len(tokens)]
        for name in self._past_tokens:
            feeds[name] = np.ascontiguousarray(feeds[name][:, :, : len(tokens) + 1])
        feeds["use_cache_branch"] = np.array([True])
        while (token := int(row.argmax())) != _END:
            tokens.append(token)
            if loop := loop_length(tokens):
                return cut_loop(tokens, loop)
            if len(tokens) >= limit:
                break
            feeds["input_ids"] = np.array([[token]], dtype=np.int64)
            row = self._step(feeds, self._past_tokens)[0, -1]
        return tokens

    def _step(self, feeds: dict[str, Any], past: Sequence[str]) -> Any:
        present = [name.replace("past_key_values", "present") for name in past]
        logits, *values = self._decoder.run(["logits", *present], feeds)
        feeds.update(zip(past, values, strict=True))
        return logits
