"""What a client is told of speech, whatever the doorbell loses, repeats or mixes up."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.wire import Ended, Final, Interim, Reason, Recorded, Speech, SpeechKind
from scripta_gateway.sessions.speech_news import SpeechNews

pytestmark = pytest.mark.unit

STARTED, STOPPED, SILENT = SpeechKind.STARTED, SpeechKind.STOPPED, SpeechKind.SILENT
Story = list[Speech | Interim | Recorded]


@dataclass(frozen=True)
class Segment:
    """A segment, with whether it holds speech, is followed by long silence, begins in vain."""

    spoken: bool
    silent: bool
    in_vain: bool


segments = st.lists(st.builds(Segment, st.booleans(), st.booleans(), st.booleans()), max_size=6)


def story_of(plan: list[Segment]) -> Story:
    """Returns what a transcriber tells of a session when nothing is lost."""
    told: Story = []
    at = 0.0
    for index, segment in enumerate(plan, start=1):
        if segment.in_vain:
            told += [Speech(STARTED, at + 0.1, index), Speech(STOPPED, at + 0.2, index)]
        if segment.spoken:
            start, end = at + 0.3, at + 0.9
            told += [Speech(STARTED, start, index), Interim(start, end, "word")]
            told += [Speech(STOPPED, end, index)]
            told += [Final(index, start, end, "word", Reason.ENDPOINT)]
            if segment.silent:
                told += [Speech(SILENT, end, index)]
        else:
            told += [Final(index, at + 0.9, at + 0.9, "", Reason.FINALIZE)]
        at += 1.0
    return [*told, Ended(len(plan) + 1, at)]


def tell(story: Story) -> Story:
    """Returns what a client is told, each final once and in order as the exchange gives them."""
    news, told = SpeechNews(), Story()
    index = 0
    for one in story:
        match one:
            case Speech():
                told += news.hear(one)
            case Interim():
                told += [*news.guess(one), one]
            case _ if one.index == index + 1:
                index = one.index
                told += [*news.decide(one), one, *news.settle()]
    return told


def check(told: Story, plan: list[Segment]) -> None:
    signals = [one for one in told if isinstance(one, Speech)]
    turns = [one for one in signals if one.kind is not SILENT]
    assert [one.kind for one in turns] == [STARTED, STOPPED] * (len(turns) // 2)
    assert [one.at for one in turns] == sorted(one.at for one in turns)
    finals = {one.index: place for place, one in enumerate(told) if isinstance(one, Final)}
    for index, segment in enumerate(plan, start=1):
        before = [one.kind for one in told[: finals[index]] if _of(one, index)]
        behind = [one for one in told[finals[index] :] if _of(one, index)]
        assert all(one.kind is SILENT for one in behind)
        if segment.spoken:
            assert before.count(STARTED) == before.count(STOPPED) >= 1
            assert before.count(STARTED) <= 1 + segment.in_vain
    silences = [place for place, one in enumerate(told) if _is(one, SILENT)]
    for place in silences:
        earlier = [one for one in told[:place] if isinstance(one, Speech)]
        assert earlier[-1].kind is STOPPED


def _of(one: object, index: int) -> bool:
    return isinstance(one, Speech) and one.index == index


def _is(one: object, kind: SpeechKind) -> bool:
    return isinstance(one, Speech) and one.kind is kind


@given(segments)
def test_what_nothing_disturbs_is_told_as_it_is(plan: list[Segment]) -> None:
    story = story_of(plan)
    assert tell(story) == story


@settings(max_examples=400, deadline=None)
@given(segments, st.randoms(use_true_random=False))
def test_each_stretch_begins_and_ends_once_and_in_order_whatever_is_lost_or_repeated(
    plan: list[Segment], chance: random.Random
) -> None:
    """A takeover tells again what the dead one had told; a broken doorbell loses rings."""
    whole = story_of(plan)
    story: Story = []
    for place, one in enumerate(whole):
        if isinstance(one, Final | Ended) or chance.random() < 0.7:
            story.append(one)
        if chance.random() < 0.2:  # a takeover: told again from the last final on
            decided = [at for at, was in enumerate(whole[:place]) if isinstance(was, Final)]
            again = whole[decided[-1] + 1 if decided else 0 : place + 1]
            story += [was for was in again if isinstance(was, Speech)]
    check(tell(story), plan)


@settings(max_examples=200, deadline=None)
@given(segments, st.randoms(use_true_random=False))
def test_finals_that_come_late_or_early_leave_the_order_sane(
    plan: list[Segment], chance: random.Random
) -> None:
    """Finals take another way than signals where they are read from the log."""
    signals = [one for one in story_of(plan) if isinstance(one, Speech)]
    finals = [one for one in story_of(plan) if isinstance(one, Final | Ended)]
    story: Story = []
    while signals or finals:
        first = signals if signals and (not finals or chance.random() < 0.6) else finals
        story.append(first.pop(0))
    check(tell(story), plan)


def test_signals_lost_altogether_are_made_up_from_finals() -> None:
    final = Final(1, 0.5, 1.5, "words", Reason.ENDPOINT)
    assert tell([final]) == [Speech(STARTED, 0.5, 1), Speech(STOPPED, 1.5, 1), final]


def test_interim_makes_up_a_beginning_that_was_lost() -> None:
    interim = Interim(0.5, 1.0, "wor")
    assert tell([interim, Speech(STARTED, 0.5, 1)]) == [Speech(STARTED, 0.5, 1), interim]


def test_silence_waits_for_the_final_before_it_and_what_follows_waits_for_silence() -> None:
    final = Final(1, 0.0, 1.0, "words", Reason.ENDPOINT)
    begun, silent = Speech(STARTED, 3.0, 2), Speech(SILENT, 1.0, 1)
    story = [Speech(STARTED, 0.0, 1), Speech(STOPPED, 1.0, 1), silent, begun, final]
    assert tell(story) == [*story[:2], final, silent, begun]


def test_silence_is_not_told_twice_nor_once_somebody_speaks_again() -> None:
    story = story_of([Segment(True, True, False)])[:-1]
    silent = Speech(SILENT, 0.9, 1)
    assert tell([*story, silent]) == story
    begun = Speech(STARTED, 5.0, 2)
    assert tell([*story[:-1], begun, silent]) == [*story[:-1], begun]


def test_clear_ends_what_has_begun_and_what_comes_late_of_it_is_not_told() -> None:
    news = SpeechNews()
    assert news.hear(Speech(STARTED, 0.5, 1)) == [Speech(STARTED, 0.5, 1)]
    assert news.clear(2.0) == [Speech(STOPPED, 2.0, 1)]
    for late in (Speech(STARTED, 0.5, 1), Speech(STOPPED, 1.5, 1)):
        assert news.hear(late) == []
    assert news.hear(Speech(STARTED, 3.0, 1)) == [Speech(STARTED, 3.0, 1)]
