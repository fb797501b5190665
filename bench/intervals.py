"""How far rates of errors can be trusted: intervals by bootstrap over recordings. Pure.

A recording is drawn as one, since the errors in it hang together (a voice, a room, a line). The
draws are the same at each call, so that a page is the same if it is made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wer import Score

_DRAWS = 4_000
_OUTSIDE = 0.025
"""Share of the draws on either side of an interval."""
_FEWEST = 5
"""Recordings of which draws say anything; fewer have no bounds."""

FloatArray = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A rate and where it may lie: 95 of 100 draws are between ``low`` and ``high``."""

    rate: float
    low: float
    high: float

    @property
    def by_chance(self) -> bool:
        """Whether 0 lies within it: a difference may be chance."""
        return self.low <= 0 <= self.high


def error_rate(scores: Sequence[Score]) -> Interval:
    """Returns the rate of errors over all recordings; of few it has no bounds."""
    if not any(score.words for score in scores):
        return Interval(float("nan"), float("nan"), float("nan"))
    return _interval(_errors(scores), _words(scores))


def difference(first: Sequence[Score], second: Sequence[Score]) -> Interval:
    """Returns by how much the first rate is above the second, of the same recordings in order."""
    return _interval(_errors(first) - _errors(second), _words(first))


def _interval(errors: FloatArray, words: FloatArray) -> Interval:
    rate = float(errors.sum() / words.sum())
    if len(errors) < _FEWEST:
        return Interval(rate, float("-inf"), float("inf"))
    draws = np.random.default_rng(1).integers(0, len(errors), (_DRAWS, len(errors)))
    said = words[draws].sum(axis=1)
    rates = errors[draws].sum(axis=1)[said > 0] / said[said > 0]
    low, high = np.quantile(rates, (_OUTSIDE, 1 - _OUTSIDE))
    return Interval(rate, float(low), float(high))


def _errors(scores: Sequence[Score]) -> FloatArray:
    return np.array([score.errors for score in scores], dtype=np.float64)


def _words(scores: Sequence[Score]) -> FloatArray:
    return np.array([score.words for score in scores], dtype=np.float64)
