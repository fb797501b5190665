"""Estimated word times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.wire import Word
from scripta_transcriber.word_times import estimate_words

pytestmark = pytest.mark.unit


def test_each_word_gets_a_share_by_its_letters() -> None:
    assert estimate_words("so be it now", 10.0, 13.2) == (
        Word("so", 10.0, pytest.approx(10.738, abs=1e-3)),
        Word("be", pytest.approx(10.738, abs=1e-3), pytest.approx(11.477, abs=1e-3)),
        Word("it", pytest.approx(11.477, abs=1e-3), pytest.approx(12.215, abs=1e-3)),
        Word("now", pytest.approx(12.215, abs=1e-3), pytest.approx(13.2)),
    )


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_no_words_have_no_times(text: str) -> None:
    assert estimate_words(text, 0.0, 1.0) == ()


@given(
    st.lists(st.text("abcäöü’-", min_size=1, max_size=12), min_size=1, max_size=30),
    st.floats(0, 1e5),
    st.floats(0, 30),
)
def test_words_fill_the_segment_in_order(words: list[str], start: float, length: float) -> None:
    end = start + length
    timed = estimate_words(" ".join(words), start, end)
    assert [word.text for word in timed] == words
    assert timed[0].start == start
    assert timed[-1].end == pytest.approx(end, abs=1e-6)
    for word, following in pairwise(timed):
        assert word.start <= word.end == following.start
