"""The running hypothesis of an open segment: its price is bounded, its settled words stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripta_common.wire import SAMPLE_RATE, Reason
from scripta_transcriber.engines.base import Capabilities, Draft, Segment, Transcript
from scripta_transcriber.hypothesis import Hypothesis

pytestmark = pytest.mark.unit

STEP = SAMPLE_RATE // 2


class TallyEngine:
    """Hears a word in every whole quarter second: the number of that quarter on the clock."""

    name = "tally"
    capabilities = Capabilities(frozenset())

    def __init__(self) -> None:
        self.asked: list[tuple[Segment, object]] = []

    def load(self) -> None: ...

    def transcribe(self, segment: Segment) -> Transcript:
        raise AssertionError("no finals here")

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        self.asked.append((segment, memo))
        quarter = SAMPLE_RATE // 4
        heard = range(-(-segment.start // quarter), segment.end // quarter)
        return Draft(" ".join(map(str, heard)), tuple(heard))


class ScriptedEngine(TallyEngine):
    """Hears one given text after the other; it is sure of words without a question mark."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self._texts = iter(texts)

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        text = next(self._texts)
        sure = tuple("?" not in word for word in text.split())
        return Draft(text, sure=sure)


def speech(seconds: float, *, start: int = 0, quiet_at: float | None = None) -> Segment:
    """Loud noise, with a pause of 120 ms somewhere."""
    samples = np.random.default_rng(1).integers(-9000, 9000, round(seconds * SAMPLE_RATE))
    if quiet_at is not None:
        at = round(quiet_at * SAMPLE_RATE)
        samples[at - 960 : at + 960] = 0
    return Segment(start, samples.astype("<i2").tobytes(), Reason.LENGTH)


def grow(segment: Segment) -> list[Segment]:
    """The segment as it was at every half second."""
    ends = range(STEP, len(segment.pcm) // 2 + 1, STEP)
    return [Segment(segment.start, segment.pcm[: 2 * end], segment.reason) for end in ends]


def test_price_of_an_interim_does_not_grow_with_its_segment() -> None:
    engine = TallyEngine()
    hypothesis = Hypothesis(engine)
    for segment in grow(speech(15)):
        before = len(engine.asked)
        hypothesis.hear(segment)
        assert sum(asked.seconds for asked, _ in engine.asked[before:]) <= 5 + 4.5
    assert max(asked.seconds for asked, _ in engine.asked) <= 5
    # Beside the 30 times that the end is heard: what is settled is heard once more, not oftener.
    assert len(engine.asked) <= 30 + 15 / 2


def test_nothing_is_left_out_or_heard_twice_where_it_is_cut() -> None:
    engine = TallyEngine()
    hypothesis = Hypothesis(engine)
    whole = speech(12)
    for segment in grow(whole):
        hypothesis.hear(segment)
    pieces = {asked.start: asked for asked, _ in engine.asked}  # the last of each
    assert b"".join(pieces[start].pcm for start in sorted(pieces)) == whole.pcm


def test_settled_speech_is_cut_in_its_pause() -> None:
    engine = TallyEngine()
    Hypothesis(engine).hear(speech(5.5, quiet_at=3.1))
    settled, _ = engine.asked[0]
    assert abs(settled.end - 3.1 * SAMPLE_RATE) <= 0.03 * SAMPLE_RATE


def test_stable_words_only_grow() -> None:
    hypothesis = Hypothesis(TallyEngine())
    stable = ""
    for segment in grow(speech(15)):
        words = hypothesis.hear(segment)
        assert words.text.startswith(words.stable)
        assert words.stable.startswith(stable)
        stable = words.stable
    assert len(stable.split()) > 40


def test_words_are_stable_once_two_drafts_agree() -> None:
    hypothesis = Hypothesis(TallyEngine())
    first, second = grow(speech(1))
    assert hypothesis.hear(first).stable == ""
    assert hypothesis.hear(second) == ("0 1 2 3", "0 1")


@pytest.mark.parametrize(
    ("stable", "draft", "text"),
    [
        ("the forty two line", "The 42 line bible of", "the forty two line bible of"),
        ("a 42 line bible", "a forty two line bible of", "a 42 line bible of"),
        ("we all said so", "we all said sow the", "we all said so the"),
        ("Yes. No.", "yes, no, well", "Yes. No. well"),
        ("one two three", "one two", "one two three"),
        ("one two three", "", "one two three"),
    ],
)
def test_words_behind_stable_ones_are_neither_doubled_nor_lost(
    stable: str, draft: str, text: str
) -> None:
    hypothesis = Hypothesis(ScriptedEngine(stable, stable, draft))
    *_, words = [hypothesis.hear(segment) for segment in grow(speech(1.5))]
    assert words == (text, stable)


def test_word_is_stable_only_once_the_engine_is_sure_of_it() -> None:
    """Two drafts agree on many a word that a third one hears otherwise."""
    texts = (
        "we all said? so",
        "we all said? so then",
        "we all said so then",
        "we all said so then",
    )
    hypothesis = Hypothesis(ScriptedEngine(*texts))
    stable = [hypothesis.hear(segment).stable for segment in grow(speech(2))]
    assert stable == ["", "we all", "we all", "we all said so then"]


def test_draft_of_nearly_the_same_audio_is_no_second_opinion() -> None:
    hypothesis = Hypothesis(ScriptedEngine(*["we all said so"] * 6))
    whole = speech(1.5)
    ends = (16_000, 17_600, 19_200, 20_800, 22_400, 24_000)
    grown = [Segment(0, whole.pcm[: 2 * end], whole.reason) for end in ends]
    stable = [hypothesis.hear(segment).stable for segment in grown]
    assert stable == ["", "", "", "", "we all said so", "we all said so"]


def test_words_that_a_cut_for_length_may_take_away_are_not_stable() -> None:
    """They were called stable, and went over to the next segment."""
    hypothesis = Hypothesis(TallyEngine())
    for segment in grow(speech(4)):
        words = hypothesis.hear(replace(segment, kept=2 * SAMPLE_RATE))
    assert words == (" ".join(map(str, range(16))), " ".join(map(str, range(8))))
    words = hypothesis.hear(replace(segment, kept=3 * SAMPLE_RATE))
    assert words.stable.split()[-1] == "11"


def test_settled_words_are_those_that_were_heard_with_what_follows() -> None:
    """Cut off at a pause, the piece ends in a word that nobody said."""
    *before, settling = grow(speech(5.5, quiet_at=3.1))
    drafts = ["we all said? so then"] * len(before)
    hypothesis = Hypothesis(ScriptedEngine(*drafts, "We all sad.", "so then we went"))
    for segment in before:
        hypothesis.hear(segment)
    assert hypothesis.hear(settling) == ("we all said? so then we went", "we all")


@pytest.mark.parametrize(
    ("first", "stable"), [("so", "we all said so then we went"), ("sow", "we all said")]
)
def test_word_behind_a_cut_is_stable_if_it_was_told_before_the_cut(first: str, stable: str) -> None:
    """The rest of a word that was cut in two was said twice, and surely."""
    *before, settling, last = grow(speech(6, quiet_at=3.1))
    behind = [f"{first} then we went"] * 2
    drafts = [*["we all said"] * (len(before) - 1), "we all said so"]
    hypothesis = Hypothesis(ScriptedEngine(*drafts, "we all said", *behind))
    for segment in before:
        hypothesis.hear(segment)
    hypothesis.hear(settling)
    assert hypothesis.hear(last).stable == stable


def test_audio_that_came_all_at_once_is_settled_as_it_is_heard() -> None:
    hypothesis = Hypothesis(ScriptedEngine("we all", "said so", "then"))
    assert hypothesis.hear(speech(9)) == ("we all said so then", "")


def test_memo_goes_along_with_the_same_audio_only() -> None:
    engine = TallyEngine()
    hypothesis = Hypothesis(engine)
    for segment in grow(speech(8)):
        hypothesis.hear(segment)
    last: dict[int, tuple[int, ...]] = {}
    for asked, memo in engine.asked:
        assert memo == last.get(asked.start)
        quarter = SAMPLE_RATE // 4
        last[asked.start] = tuple(range(-(-asked.start // quarter), asked.end // quarter))


def test_segment_with_another_start_begins_anew() -> None:
    engine = TallyEngine()
    hypothesis = Hypothesis(engine)
    hypothesis.hear(speech(9))
    words = hypothesis.hear(speech(1, start=10 * SAMPLE_RATE))
    assert words == ("40 41 42 43", "")
    assert engine.asked[-1][1] is None
