"""The encoder of drafts: of an open segment it hears only what is new.

Two thirds of what the encoder costs for a few seconds are convolutions, and all but the last of
them depend on the audio around alone, if what is normalised over the whole is left for later. So
their rows are kept from draft to draft, and so are the sums that make mean and deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from scripta_transcriber.engines.moonshine.encoder_graphs import STRIDES, WIDTHS
from scripta_transcriber.engines.moonshine.layers import EPSILON

FloatArray = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]

_STEP: Final = STRIDES[0] * STRIDES[1]
"""Samples from a row to the next."""

_REACH: Final = STRIDES[0] * (WIDTHS[1] - 1) + WIDTHS[0]
"""Samples that a row is made of."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What stays of audio that was heard, however it goes on.

    Attributes:
        values: [1, channels, rows] of the second convolution.
        sums: [rows + 1, 2]: sums of all ripples before each row and of their squares.
    """

    values: FloatArray
    sums: Sums

    def first(self, rows: int) -> Rows:
        """Returns the first rows."""
        return Rows(self.values[:, :, :rows], self.sums[: rows + 1])

    def then(self, values: FloatArray, sums: Sums) -> Rows:
        """Returns these rows and those behind them.

        Args:
            values: The others.
            sums: Of the ripples from the first of the others on, [frames, 2].
        """
        count = values.shape[2]
        each = sums[: count * STRIDES[1]].reshape(count, STRIDES[1], 2).sum(axis=1)
        return Rows(
            np.concatenate([self.values, values], axis=2),
            np.concatenate([self.sums, self.sums[-1] + np.cumsum(each, axis=0)]),
        )


class DraftEncoder:
    """Hears open segments.

    Args:
        stem: Session on ``encoder_graphs.stem_graph``.
        rest: Session on ``encoder_graphs.draft_graph``.
    """

    def __init__(self, stem: ort.InferenceSession, rest: ort.InferenceSession) -> None:
        self._stem = stem
        self._rest = rest
        channels = next(node.shape[1] for node in rest.get_inputs() if node.name == "rows")
        self._nothing = Rows(np.zeros((1, channels, 0), dtype=np.float32), np.zeros((1, 2)))

    def hear(
        self, samples: FloatArray, silence: int, memory: list[str], before: Rows | None
    ) -> tuple[list[Any], Rows]:
        """Returns the keys and values of audio, and what of them stays when it goes on.

        Args:
            samples: The audio, [n], from -1 to 1.
            silence: Samples of silence to be heard behind it; at least what one row is made of.
            memory: Names of the keys and values.
            before: What stayed of its beginning, or of audio of which it is the beginning.
        """
        heard = len(samples)
        whole = max(0, (heard - _REACH) // _STEP + 1)
        kept = (before or self._nothing).first(whole)
        first = kept.values.shape[2]
        # Silence makes no ripples, and rows of zeros: only those that speech reaches are heard.
        reached = -(-heard // _STEP)
        new = samples[first * _STEP :]
        new = np.pad(new, (0, (reached - 1) * _STEP + _REACH - heard))[np.newaxis, :]
        ripples, fresh = self._stem.run(["ripples", "rows"], {"samples": new})
        frames = (heard + silence - WIDTHS[0]) // STRIDES[0] + 1
        rows = (frames - WIDTHS[1]) // STRIDES[1] + 1
        still = np.zeros((1, fresh.shape[1], rows - reached), dtype=np.float32)
        sums = _sums(ripples[0])
        total, squares = kept.sums[-1] + sums.sum(axis=0)
        count = ripples.shape[1] * frames
        mean = total / count
        deviation = np.sqrt(squares / count - mean * mean + EPSILON)
        feeds = {
            "rows": np.concatenate([kept.values, fresh, still], axis=2),
            "mean": np.array([mean], dtype=np.float32),
            "scale": np.array([1 / deviation], dtype=np.float32),
        }
        stays = kept.then(fresh[:, :, : whole - first], sums)
        return self._rest.run(memory, feeds), stays


def _sums(ripples: FloatArray) -> Sums:
    """Returns the sum of each frame and that of its squares, [frames, 2]."""
    squares = np.einsum("cf,cf->f", ripples, ripples)
    return np.stack([ripples.sum(axis=0), squares], axis=1).astype(np.float64)
