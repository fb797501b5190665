"""Says what was heard, token by token, each time the most probable one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_transcriber.engines.moonshine.layers import Form

_BEGIN = 1
_END = 2

FloatArray = npt.NDArray[np.float32]
Cache = dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Said:
    """What the decoder says of one segment.

    Attributes:
        tokens: Its tokens, without those for begin and end.
        likelihood: Mean log probability of the tokens that were chosen one by one.
        complete: Whether the decoder came to an end by itself, and not by the limit.
    """

    tokens: list[int]
    likelihood: float
    complete: bool


class Decoder:
    """Decodes one segment at a time.

    Args:
        session: On ``decoder_graph.step_graph``.
        form: Of the model.

    Attributes:
        memory: Names of the keys and values of the audio.
    """

    def __init__(self, session: ort.InferenceSession, form: Form) -> None:
        self.memory = form.cache("memory")
        self._session = session
        self._past = form.cache("past")
        self._outputs = ["logits", *form.cache("present")]
        self._nothing = np.zeros((1, form.heads, 0, form.head_size), dtype=np.float32)

    def greedy(self, memory: Sequence[FloatArray], limit: int, guess: Sequence[int] = ()) -> Said:
        """Returns what is said, in up to ``limit`` tokens.

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
                return Said(tokens, total / chosen, complete=True)
            tokens.append(token)
            if len(tokens) >= limit:
                return Said(tokens, total / chosen, complete=False)
            row = self._step(feeds, [token], len(tokens))[-1]

    def _step(self, feeds: Cache, tokens: Sequence[int], position: int) -> FloatArray:
        asked = {
            "tokens": np.array([tokens], dtype=np.int64),
            "position": np.array([position], dtype=np.int64),
        }
        logits, *present = self._session.run(self._outputs, {**feeds, **asked})
        feeds.update(zip(self._past, present, strict=True))
        row: FloatArray = logits[0]
        return row


def _agreeing(guess: Sequence[int], choices: npt.NDArray[np.int64]) -> list[int]:
    """Returns the guessed tokens up to the first that would not have been chosen."""
    return [
        token
        for token, _ in takewhile(
            lambda pair: pair[0] == pair[1], zip(guess, choices, strict=False)
        )
    ]
