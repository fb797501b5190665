"""Words and their times from pieces that were aligned to the audio."""

from __future__ import annotations

import pytest

from scripta_common.wire import Reason, Word
from scripta_transcriber.engines.alignment import Piece, words_of
from scripta_transcriber.engines.base import Segment

pytestmark = pytest.mark.unit

SEGMENT = Segment(16_000, bytes(32_000 * 5), Reason.ENDPOINT)


def pieces(*texts: str, step: float = 0.5) -> list[Piece]:
    return [Piece(text, at * step, (at + 1) * step, 0.9) for at, text in enumerate(texts)]


def texts(*parts: str, spaced: bool = True) -> list[str]:
    return [word.text for word in words_of(SEGMENT, pieces(*parts), spaced=spaced)]


def test_words_are_what_spaces_part():
    assert texts(" Est", "-il", " là", " ?") == ["Est-il", "là", "?"]
    assert texts(" “", "Yes", ",", "”", " he", " said", ".") == ["“Yes,”", "he", "said."]


def test_without_spaces_every_piece_is_a_word_with_the_sign_behind_it():
    assert texts("我", "们", "，", "好", "。", spaced=False) == ["我", "们，", "好。"]


def test_times_are_on_the_clock_of_the_session_and_end_with_the_segment():
    found = words_of(SEGMENT, pieces(" one", " two", step=3.0), spaced=True)
    assert found[0].start == 4.0 - 2 * 0.7
    assert found[1] == Word("two", 4.0, 6.0, 0.9)


def test_pause_at_the_start_or_behind_a_sign_is_no_part_of_a_word():
    spoken = [
        Piece(" so", 0.0, 1.0, 0.5),
        Piece(" it", 1.0, 1.2, 0.5),
        Piece(" is", 1.2, 1.4, 0.5),
        Piece(".", 1.4, 2.4, 0.2),
        Piece(" yes", 2.4, 3.8, 0.5),
        Piece(" indeedeed", 3.8, 4.8, 0.5),
    ]
    found = words_of(SEGMENT, spoken, spaced=True)
    times = [(round(word.end - word.start, 1), word.end) for word in found]
    assert times == [(1.0, 2.0), (0.2, 2.2), (0.2, 2.4), (1.4, 4.8), (1.0, 5.8)]
    longer = [*spoken[:4], Piece(" yes", 2.4, 4.9, 0.5)]
    last = words_of(SEGMENT, longer, spaced=True)[-1]
    assert last.end - last.start < 2.5
    assert last.end == 5.9


def test_word_is_as_sure_as_its_least_sure_piece():
    [word] = words_of(SEGMENT, [Piece(" a", 0, 1, 0.9), Piece("b", 1, 2, 0.3)], spaced=True)
    assert word.confidence == 0.3


def test_nothing_has_no_words():
    assert words_of(SEGMENT, [], spaced=True) == ()
    assert words_of(SEGMENT, [Piece(" ", 0.0, 0.0, 0.0)], spaced=True) == ()
