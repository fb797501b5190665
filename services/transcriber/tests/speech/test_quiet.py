"""A segment in two halves: nothing lost, divided where it is quiet."""

from __future__ import annotations

import numpy as np
import pytest

from scripta_common.wire import Reason
from scripta_transcriber.engines.base import Segment
from scripta_transcriber.engines.quiet import halves

pytestmark = pytest.mark.unit


def noise(*stretches: tuple[float, float]) -> bytes:
    """Noise of so many seconds at such a level each."""
    chance = np.random.default_rng(2)
    parts = [chance.normal(0, level, round(seconds * 16_000)) for seconds, level in stretches]
    return np.concatenate(parts).astype("<i2").tobytes()


def test_segment_is_divided_where_the_middle_of_it_is_quietest():
    pcm = noise((2.0, 3_000), (1.0, 10), (2.2, 3_000), (0.3, 100), (3.5, 3_000), (1.0, 10))
    first, second = halves(Segment(8_000, pcm, Reason.LENGTH, accepted_ms=5, language="ru"))
    assert first.pcm + second.pcm == pcm
    assert (first.start, second.start) == (8_000, first.end)
    assert 5.2 <= first.seconds <= 5.5
    assert {(half.reason, half.accepted_ms, half.language) for half in (first, second)} == {
        (Reason.LENGTH, 5, "ru")
    }


def test_segment_without_a_pause_has_two_parts_all_the_same():
    first, second = halves(Segment(0, noise((0.5, 3_000)), Reason.END))
    assert min(first.seconds, second.seconds) > 0.1
