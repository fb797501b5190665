"""How the frames of a segment are divided among its tokens."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.wire import SAMPLE_RATE, Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.moonshine.word_times import divided, timed
from scripta_transcriber.engines.tokens import Spelt

pytestmark = pytest.mark.unit


@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_division_is_the_best_of_all(tokens: int, more: int, seed: int) -> None:
    frames = tokens + more
    focus = np.random.default_rng(seed).normal(size=(tokens, frames)).astype(np.float32)

    def worth(begins: tuple[int, ...]) -> float:
        bounds = [*begins, frames]
        return float(sum(focus[i, bounds[i] : bounds[i + 1]].sum() for i in range(tokens)))

    best = max(worth((0, *others)) for others in combinations(range(1, frames), tokens - 1))
    assert worth(tuple(divided(focus))) == pytest.approx(best, abs=1e-4)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0.01, 3.0))
def test_times_ascend_and_stay_inside_whatever_the_decoder_looks_at(
    tokens: int, seed: int, seconds: float
) -> None:
    random = np.random.default_rng(seed)
    samples = round(seconds * SAMPLE_RATE)
    pcm = (
        random.normal(0, 1, samples)
        * random.choice([0, 50, 5_000], samples // 800 + 1).repeat(800)[:samples]
    ).astype("<i2")
    share = random.random((tokens + 1, 75)).astype(np.float32) ** 8
    focus = random.normal(size=share.shape).astype(np.float32)
    words = [Spelt(str(place), place, place) for place in range(tokens)]
    found = timed(Segment(SAMPLE_RATE, pcm.tobytes(), Reason.END), words, share, focus)
    times = [time for word in found for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 1.0
    assert times[-1] <= 1.0 + samples / SAMPLE_RATE
