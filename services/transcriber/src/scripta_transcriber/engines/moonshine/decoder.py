"""Says what was heard, token by token, each time the most probable one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_transcriber.engines.moonshine.layers import Form

_BEGIN = 1
_END = 2

FloatArray = npt.NDArray[np.float32]
Cache = dict[str, FloatArray]

Rivals = dict[int, float]
"""Tokens beside the one that was chosen, and by how much the logit of each is smaller."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the decoder says of one segment.

    Attributes:
        tokens: Its tokens, without those for begin and end.
        likelihood: Mean log probability of the tokens; 0 where rivals were asked for.
        complete: Whether the decoder came to an end by itself, and not by the limit.
        rivals: For each token, and for the end where it came to one, the tokens that were nearly
            as probable; nothing if they were not asked for.
        queries: Of each watched layer, [1, n, width]: what it asked the audio before each token
            was chosen, and before the end if it came to one. Empty if nobody wants them.
    """

    tokens: list[int]
    likelihood: float
    complete: bool
    rivals: tuple[Rivals, ...] = ()
    queries: Sequence[FloatArray] = ()


class Decoder:
    """Decodes one segment at a time.

    Args:
        session: On ``decoder_graph.step_graph``.
        form: Of the model.
        watched: Layers whose queries the graph gives out.

    Attributes:
        memory: Names of the keys and values of the audio.
    """

    def __init__(
        self, session: ort.InferenceSession, form: Form, watched: Sequence[int] = ()
    ) -> None:
        self.memory = form.cache("memory")
        self._session = session
        self._past = form.cache("past")
        self._outputs = ["logits", *form.cache("present")]
        self._queries = [f"query.{i}" for i in watched]
        self._nothing = np.zeros((1, form.heads, 0, form.head_size), dtype=np.float32)

    def greedy(
        self,
        memory: Sequence[FloatArray],
        limit: int,
        guess: Sequence[int] = (),
        reach: float | None = None,
        *,
        watch: bool = False,
    ) -> Said:
        """Returns what is said, in up to ``limit`` tokens.

        A guess is checked in the first step, all of it at once: it costs little more than one
        token. The numbers differ in their last bits from those of one by one, and so may the
        words: guesses are for drafts.

        Args:
            memory: Keys and values of the audio.
            limit: Most tokens.
            guess: What is probably said.
            reach: By how much the logits of rivals are smaller, at most; ``None`` asks for none.
            watch: Whether queries are kept; only without a guess.
        """
        queries: list[FloatArray] | None = [] if watch else None
        feeds, logits, tokens = self._begin(memory, guess[: limit - 1], queries)
        rivals: list[Rivals] = []
        if reach is not None:
            rivals += map(partial(_rivals, reach=reach), logits, tokens)
        row = logits[len(tokens)]
        total, chosen = 0.0, 1
        while True:
            token = int(row.argmax())
            if reach is None:
                total -= math.log(float(np.exp(row - row[token]).sum()))
            else:
                rivals.append(_rivals(row, token, reach))
            if complete := token == _END:
                break
            tokens.append(token)
            if len(tokens) >= limit:
                break
            chosen += 1
            row = self._step(feeds, [token], len(tokens), queries)[-1]
        return Said(tokens, total / chosen, complete, tuple(rivals), self._joined(queries))

    def _begin(
        self,
        memory: Sequence[FloatArray],
        guess: Sequence[int],
        queries: list[FloatArray] | None,
    ) -> tuple[Cache, FloatArray, list[int]]:
        """Returns what the next step needs, the logits so far, and the right tokens of a guess."""
        feeds: Cache = dict(zip(self.memory, memory, strict=True))
        feeds |= dict.fromkeys(self._past, self._nothing)
        logits = self._step(feeds, [_BEGIN, *guess], 0, queries)
        tokens = _agreeing(guess, logits.argmax(axis=-1))
        for name in self._past:
            feeds[name] = np.ascontiguousarray(feeds[name][:, :, : len(tokens) + 1])
        return feeds, logits, tokens

    def _step(
        self,
        feeds: Cache,
        tokens: Sequence[int],
        position: int,
        queries: list[FloatArray] | None = None,
    ) -> FloatArray:
        asked = {
            "tokens": np.array([tokens], dtype=np.int64),
            "position": np.array([position], dtype=np.int64),
        }
        outputs = self._outputs if queries is None else self._outputs + self._queries
        logits, *rest = self._session.run(outputs, {**feeds, **asked})
        feeds.update(zip(self._past, rest, strict=False))
        if queries is not None:
            queries += rest[len(self._past) :]
        row: FloatArray = logits[0]
        return row

    def _joined(self, queries: list[FloatArray] | None) -> list[FloatArray]:
        """Returns one array a layer of what the steps gave one after the other."""
        count = len(self._queries)
        layers = [queries[i::count] for i in range(count)] if queries else []
        return [np.concatenate(layer, axis=1) for layer in layers]


def _rivals(row: FloatArray, token: int, reach: float) -> Rivals:
    """Returns the tokens that are nearly as probable as the one that was chosen."""
    best = row[token]
    near = map(int, np.flatnonzero(row > best - reach))
    return {other: float(best - row[other]) for other in near if other != token}


def _agreeing(guess: Sequence[int], choices: npt.NDArray[np.int64]) -> list[int]:
    """Returns the guessed tokens up to the first that would not have been chosen."""
    return [
        token
        for token, _ in takewhile(
            lambda pair: pair[0] == pair[1], zip(guess, choices, strict=False)
        )
    ]
