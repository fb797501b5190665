"""What a transcription decides: results numbered without a gap, and the checkpoint they reach."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.sessionlog import Claim, SessionOptions
from scripta_common.wire import SAMPLE_RATE, Checkpoint, Ended, Failed, Final, Reason, Word
from scripta_transcriber.decisions import Decisions, is_audible
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.segmenter.base import Cut

pytestmark = pytest.mark.unit


def decisions_at(
    index: int, *, by_speech: bool = True, language: str | None = None, word_times: bool = True
) -> Decisions:
    options = SessionOptions(language=language, word_times=word_times)
    claim = Claim("s", b"1-0", 1, Checkpoint(100, 5), index, options)
    return Decisions(claim, by_speech=by_speech)


def speech(start: int, samples: int = 1600) -> Segment:
    return Segment(start, bytes(2 * samples), Reason.ENDPOINT)


def decide(decisions: Decisions, cut: Cut, heard: Transcript | None = None) -> None:
    decisions.decide(cut, decisions.due(cut), heard)


def test_final_has_the_times_of_its_segment() -> None:
    decisions = decisions_at(3, language="en")
    decide(decisions, Cut(speech(1600), Checkpoint(3200, 6)), Transcript("two words"))
    commit = decisions.pending()
    [final] = commit.results
    assert isinstance(final, Final)
    assert (final.index, final.start, final.end) == (4, 0.1, 0.2)
    assert (final.text, final.reason, final.language) == ("two words", "endpoint", "en")
    assert [word.text for word in final.words] == ["two", "words"]
    assert final.words_estimated
    assert (commit.checkpoint, commit.after) == (Checkpoint(3200, 6), 3)


def test_times_and_language_of_the_engine_are_kept() -> None:
    decisions = decisions_at(0, language="en")
    heard = Transcript("oui", 0.9, (Word("oui", 0.11, 0.15),), "fr")
    decide(decisions, Cut(speech(1600), Checkpoint(3200, 6)), heard)
    [final] = decisions.pending().results
    assert isinstance(final, Final)
    assert (final.words, final.words_estimated) == (heard.words, False)
    assert (final.confidence, final.language) == (0.9, "fr")


@pytest.mark.parametrize("words", [(), (Word("oui", 0.11, 0.15),)])
def test_session_that_wants_no_word_times_has_none(words: tuple[Word, ...]) -> None:
    """Neither estimated ones, nor those of an engine that tells them all the same."""
    decisions = decisions_at(0, word_times=False)
    cut = Cut(speech(1600), Checkpoint(3200, 6))
    segment = decisions.due(cut)
    assert segment is not None
    assert not segment.word_times
    decisions.decide(cut, segment, Transcript("oui", words=words))
    [final] = decisions.pending().results
    assert isinstance(final, Final)
    assert (final.text, final.words, final.words_estimated) == ("oui", (), False)


def test_words_of_a_message_have_no_times() -> None:
    decisions = decisions_at(0, by_speech=False)
    decide(decisions, Cut(speech(1600), Checkpoint(3200, 6)), Transcript("two words"))
    [final] = decisions.pending().results
    assert isinstance(final, Final)
    assert (final.words, final.words_estimated) == ((), False)


def test_boundary_in_silence_is_answered_without_the_engine() -> None:
    decisions = decisions_at(0)
    cut = Cut(Segment(500, b"", Reason.FINALIZE), Checkpoint(500, 6))
    segment = decisions.due(cut)
    assert segment is not None
    assert not is_audible(segment)
    decisions.decide(cut, segment, None)
    assert decisions.pending().results == (
        Final(1, 500 / SAMPLE_RATE, 500 / SAMPLE_RATE, "", Reason.FINALIZE),
    )


def test_silence_that_is_passed_moves_the_checkpoint_alone() -> None:
    decisions = decisions_at(2)
    decide(decisions, Cut(None, Checkpoint(900, 7)))
    assert decisions.pending().checkpoint == Checkpoint(900, 7)
    assert decisions.pending().results == ()


@pytest.mark.parametrize(("index", "by_speech"), [(0, False), (1, True), (1, False)])
def test_end_is_told_alone(index: int, by_speech: bool) -> None:
    decisions = decisions_at(index, by_speech=by_speech)
    decide(decisions, Cut(None, Checkpoint(1600, 7), ended=True))
    assert decisions.pending().results == (Ended(index + 1, 0.1),)


def test_who_was_never_told_anything_is_told_at_the_end_that_nothing_was_said() -> None:
    decisions = decisions_at(0)
    decide(decisions, Cut(None, Checkpoint(1600, 7), ended=True))
    assert decisions.pending().results == (
        Final(1, 0.1, 0.1, "", Reason.END),
        Ended(2, 0.1),
    )


def test_end_behind_an_answer_that_is_not_committed_owes_no_other() -> None:
    decisions = decisions_at(0)
    decide(decisions, Cut(speech(0), Checkpoint(1600, 6)), Transcript("one"))
    decide(decisions, Cut(None, Checkpoint(1600, 7), ended=True))
    assert [type(result) for result in decisions.pending().results] == [Final, Ended]


def test_failure_follows_what_was_decided_before_it() -> None:
    decisions = decisions_at(0)
    decide(decisions, Cut(speech(200), Checkpoint(1800, 6)), Transcript("one"))
    decisions.fail("engine_failure", "It failed.")
    commit = decisions.pending()
    assert commit.results[1:] == (Failed(2, "engine_failure", "It failed."),)
    assert commit.checkpoint == Checkpoint(1800, 6)


def test_only_what_is_pending_can_be_committed() -> None:
    decisions = decisions_at(0)
    before = decisions.pending()
    decide(decisions, Cut(speech(200), Checkpoint(1800, 6)), Transcript("one"))
    with pytest.raises(RuntimeError):
        decisions.committed(before)


@settings(max_examples=50, deadline=None)
@given(
    index=st.integers(0, 3),
    steps=st.lists(st.sampled_from(["speech", "silence", "boundary", "commit"]), max_size=20),
)
def test_commits_follow_each_other_without_a_gap(index: int, steps: list[str]) -> None:
    decisions = decisions_at(index)
    committed: list[int] = []
    checkpoint, owed = Checkpoint(100, 5), 0
    for step in [*steps, "commit"]:
        if step == "commit":
            commit = decisions.pending()
            assert commit.after == index + len(committed)
            assert commit.checkpoint == checkpoint
            committed += [result.index for result in commit.results]
            decisions.committed(commit)
            assert decisions.pending().results == ()
            continue
        segment = {"speech": speech(checkpoint.sample), "silence": None}.get(
            step, Segment(checkpoint.sample, b"", Reason.IDLE)
        )
        checkpoint = Checkpoint(checkpoint.sample + 1600, checkpoint.seq + 1)
        owed += segment is not None
        decide(decisions, Cut(segment, checkpoint), Transcript("x") if step == "speech" else None)
    assert committed == list(range(index + 1, index + owed + 1))
