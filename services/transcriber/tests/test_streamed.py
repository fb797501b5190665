"""Interims of a streaming engine: what its decoder hears, and which words are stable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripta_common.wire import SAMPLE_RATE, Reason
from scripta_transcriber.engines.base import Capabilities, Draft, Segment, Transcript
from scripta_transcriber.streamed import Streamed

pytestmark = pytest.mark.unit

WORD = SAMPLE_RATE // 2


class Stenographer:
    """Hears a word in each half second: its number on the clock. The last may become longer.

    Its state is the sample up to which it has heard.
    """

    name = "stenographer"
    capabilities = Capabilities(frozenset(), streaming=True)

    def __init__(self) -> None:
        self.fed: list[tuple[int, int]] = []

    def load(self) -> None: ...

    def transcribe(self, segment: Segment, memo: object = None) -> Transcript:
        raise AssertionError("no finals here")

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        assert memo is None or isinstance(memo, int)
        self.fed.append((segment.start if memo is None else memo, segment.end))
        numbers = range(segment.start // WORD, segment.end // WORD)
        sure = tuple(number < len(numbers) - 1 for number in range(len(numbers)))
        return Draft(" ".join(map(str, numbers)), segment.end, sure)


def speech(words: float, start: int = 0, **bounds: float) -> Segment:
    """An open segment with so many words; bounds are told in words, too."""
    segment = Segment(start * WORD, bytes(round(2 * words * WORD)), Reason.LENGTH)
    return replace(segment, **{name: round(at * WORD) for name, at in bounds.items()})


def test_decoder_hears_what_is_new_and_nothing_again() -> None:
    engine = Stenographer()
    streamed = Streamed(engine)
    for words in (2, 5, 30):
        streamed.hear(speech(words))
    assert engine.fed == [(0, 2 * WORD), (2 * WORD, 5 * WORD), (5 * WORD, 30 * WORD)]
    assert streamed.memo == 30 * WORD


def test_whole_words_are_stable_at_once() -> None:
    streamed = Streamed(Stenographer())
    assert streamed.hear(speech(1)) == ("0", "")
    assert streamed.hear(speech(4)) == ("0 1 2 3", "0 1 2")


def test_silence_that_the_segment_may_not_have_is_not_heard() -> None:
    """The final goes on from there, and must not have heard too much."""
    engine = Stenographer()
    streamed = Streamed(engine)
    assert streamed.hear(speech(5, least_end=3)) == ("0 1 2", "0 1")
    assert engine.fed == [(0, 3 * WORD)]


def test_words_that_a_cut_for_length_may_take_away_are_not_stable() -> None:
    streamed = Streamed(Stenographer())
    assert streamed.hear(speech(4, kept=6)).stable == "0 1 2"
    assert streamed.hear(speech(8, kept=6)) == ("0 1 2 3 4 5 6 7", "0 1 2")
    assert streamed.hear(speech(9, kept=9)).stable == "0 1 2 3 4 5 6 7"


def test_segment_with_another_start_begins_anew() -> None:
    engine = Stenographer()
    streamed = Streamed(engine)
    streamed.hear(speech(4))
    assert streamed.hear(speech(2, start=10)) == ("10 11", "10")
    assert engine.fed[-1] == (10 * WORD, 12 * WORD)
