"""The turns of OpenAI's realtime transcription: who ends them, and in which order they are told."""

from __future__ import annotations

import pytest
from realtime_events import (
    COMMIT,
    append,
    audio,
    codec,
    committing,
    final,
    guess,
    heard,
    kinds,
    read,
    update,
    updated,
    write,
)

from scripta_common.errors import Draining
from scripta_common.wire import Reason, SpeechKind, Word
from scripta_gateway.dialects import asks, told

pytestmark = pytest.mark.unit


# Turns that the server finds.


def test_a_turn_is_told_in_the_vendors_order() -> None:
    events = write(
        codec(),
        heard(SpeechKind.STARTED, 0.4),
        guess("Ever", 0.2, 0.9),
        guess("Ever tried.", 0.2, 1.6),
        heard(SpeechKind.STOPPED, 1.8),
        final("Ever tried. Ever failed.", 0.2, 2.0, language="en"),
        heard(SpeechKind.STARTED, 2.5),
        heard(SpeechKind.STOPPED, 3.0),
        final("No matter.", 2.3, 3.2),
    )
    turn = ["speech_started", "speech_stopped", "committed", "item added", "item done"]
    assert kinds(events) == [
        *("speech_started", "delta", "delta", "speech_stopped", "committed"),
        *("item added", "item done", "delta", "completed"),
        *turn,
        *("delta", "completed"),
    ]
    first, second = events[0]["item_id"], events[9]["item_id"]
    assert first != second
    assert [event["previous_item_id"] for event in events if "previous_item_id" in event] == [
        *(None, None, None),
        *(first, first, first),
    ]
    assert (events[0]["audio_start_ms"], events[3]["audio_end_ms"]) == (400, 1800)
    deltas = [event["delta"] for event in events if "delta" in event]
    assert deltas == ["Ever", " tried.", " Ever failed.", "No matter."]
    completed = events[8]
    assert completed["transcript"] == "Ever tried. Ever failed."
    assert completed["languages"] == [{"code": "en"}]
    assert completed["usage"] == {"type": "duration", "seconds": 1.4}
    assert completed["logprobs"] is None
    assert "languages" not in events[-1]
    assert len({event["event_id"] for event in events}) == len(events)


def test_turns_are_complete_without_signals_of_speech() -> None:
    """Guards transcribers of the last release, and signals that are lost: nobody is owed one."""
    events = write(codec(), guess("", 0.1, 0.9), final("Ever tried.", 0.1, 2.0))
    assert kinds(events) == [
        *("speech_started", "speech_stopped", "committed", "item added", "item done"),
        *("delta", "completed"),
    ]
    assert len({event["item_id"] for event in events if "item_id" in event}) == 1


def test_a_noise_is_no_turn() -> None:
    one = codec()
    write(one, heard(SpeechKind.STARTED, 0.4), heard(SpeechKind.STOPPED, 0.5))
    events = write(one, heard(SpeechKind.STARTED, 2.0), final("Words.", 1.8, 2.9))
    ids = {event["item_id"] for event in events if "item_id" in event}
    assert len(ids) == 1
    assert kinds(events)[-1] == "completed"


def test_speech_may_begin_before_the_turn_before_it_is_decided() -> None:
    events = write(
        codec(),
        heard(SpeechKind.STARTED, 0.4),
        heard(SpeechKind.STOPPED, 1.0),
        heard(SpeechKind.STARTED, 1.6),
        final("One.", 0.2, 1.2),
        guess("Two", 1.4, 2.0),
        final("Two.", 1.4, 2.6),
    )
    started = [event["item_id"] for event in events if event["type"].endswith("speech_started")]
    completed = [event for event in events if event["type"].endswith("completed")]
    assert [(event["item_id"], event["transcript"]) for event in completed] == [
        (started[0], "One."),
        (started[1], "Two."),
    ]


def test_silence_alone_is_no_turn() -> None:
    assert write(codec(), final("", 0.0, 1.0, Reason.IDLE)) == []


@pytest.mark.parametrize(
    ("told_before", "text", "rest"),
    [
        ("Ever tried", "Ever tried. Ever failed.", " Ever failed."),
        ("forty two apples", "42 apples today.", " today."),
        ("It was the", "That was the best.", " best."),
        ("It was the best of", "It was the best", None),
        ("", "Ever tried.", "Ever tried."),
    ],
)
def test_deltas_only_append_whatever_the_final_is(
    told_before: str, text: str, rest: str | None
) -> None:
    one = codec()
    deltas = [
        event["delta"]
        for event in write(one, guess(told_before, 0, 1), final(text, 0, 2))
        if "delta" in event
    ]
    assert deltas == [piece for piece in (told_before, rest) if piece]


def test_stable_words_that_change_are_not_told_again() -> None:
    """Guards a replay by another transcriber, which may hear the same in other words."""
    one = codec()
    events = write(
        one, guess("Ever tried", 0, 1), guess("Never", 0, 1), guess("Ever tried it", 0, 2)
    )
    assert [event["delta"] for event in events if "delta" in event] == ["Ever tried", " it"]


def test_logprobs_are_those_of_the_words_if_they_are_wanted() -> None:
    one = codec()
    include = ["item.input_audio_transcription.logprobs"]
    assert updated(one, {"include": include})["include"] == include
    words = (Word("Ever", 0.0, 0.4, 0.5), Word("tried.", 0.4, 1.0, None))
    completed = write(one, final("Ever tried.", 0.0, 1.0, words=words))[-1]
    assert completed["logprobs"] == [
        {"token": "Ever", "logprob": -0.693147, "bytes": [69, 118, 101, 114]}
    ]


# Turns that the client commits.


def test_a_commit_makes_one_item_of_all_segments() -> None:
    one = committing()
    append(one, 20.0)
    before = write(one, guess("It was", 0, 3), final("It was the best.", 0, 15, Reason.LENGTH))
    finalize, note = read(one, COMMIT)
    assert finalize == asks.Finalize()
    assert isinstance(note, asks.Note)
    events = write(
        one,
        told.Noted(note.detail),
        guess("It was the", 15, 18),
        final("It was the worst.", 15, 20, Reason.FINALIZE),
    )
    assert kinds([*before, *events]) == [
        *("delta", "delta", "committed", "item added", "item done"),
        *("delta", "delta", "completed"),
    ]
    assert "".join(event.get("delta", "") for event in [*before, *events]) == (
        "It was the best. It was the worst."
    )
    assert events[-1]["transcript"] == "It was the best. It was the worst."
    assert events[-1]["usage"]["seconds"] == 20.0


def test_a_final_that_overtakes_the_answer_to_its_commit_waits_for_nothing() -> None:
    one = committing()
    append(one, 1.0)
    _, note = read(one, COMMIT)
    assert isinstance(note, asks.Note)
    events = write(one, final("Yes.", 0, 1, Reason.FINALIZE))
    assert kinds(events) == ["committed", "item added", "item done", "delta", "completed"]
    assert write(one, told.Noted(note.detail)) == []


def test_commits_come_in_their_order_and_of_nothing_too() -> None:
    one = committing()
    append(one, 1.0)
    _, first = read(one, COMMIT)
    append(one, 1.0)
    _, second = read(one, COMMIT)
    assert isinstance(first, asks.Note)
    assert isinstance(second, asks.Note)
    events = write(
        one,
        told.Noted(first.detail),
        told.Noted(second.detail),
        final("One.", 0, 1, Reason.FINALIZE),
        final("", 2, 2, Reason.FINALIZE),
    )
    completed = [event for event in events if event["type"].endswith("completed")]
    assert [event["transcript"] for event in completed] == ["One.", ""]
    committed = [event for event in events if event["type"].endswith("committed")]
    assert committed[1]["previous_item_id"] == committed[0]["item_id"]
    assert [event["item_id"] for event in completed] == [event["item_id"] for event in committed]


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.099])
def test_a_commit_of_hardly_anything_is_refused(seconds: float) -> None:
    one = committing()
    append(one, 1.0)
    read(one, COMMIT)
    if seconds:
        append(one, seconds)
    (refused,) = read(one, COMMIT)
    assert isinstance(refused, asks.Refuse)
    (error,) = write(one, told.Refused(refused.message, refused.detail))
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert error["error"]["event_id"] == "mine"


def test_a_commit_ends_a_turn_that_the_server_has_found() -> None:
    one = codec()
    append(one, 2.0)
    started = write(one, heard(SpeechKind.STARTED, 0.5), guess("Ever", 0.3, 1.0))
    _, note = read(one, COMMIT)
    assert isinstance(note, asks.Note)
    events = write(one, told.Noted(note.detail), final("Ever tried.", 0.3, 2.0, Reason.FINALIZE))
    assert kinds(events) == [
        *("speech_stopped", "committed", "item added", "item done", "delta", "completed"),
    ]
    assert {e["item_id"] for e in [*started, *events] if "item_id" in e} == {started[0]["item_id"]}


def test_what_is_cleared_is_in_no_item() -> None:
    one = committing()
    append(one, 1.0)
    asked = read(one, {"type": "input_audio_buffer.clear"})
    assert asked[0] == asks.Clear()
    assert isinstance(asked[1], asks.Note)
    assert kinds(write(one, told.Noted(asked[1].detail))) == ["cleared"]
    append(one, 1.0)
    read(one, COMMIT)
    late = write(
        one,
        guess("Forget", 0.0, 0.5),
        final("Forget this.", 0.0, 0.7, Reason.LENGTH),
    )
    events = write(one, final("Keep this.", 1.0, 2.0, Reason.FINALIZE))
    assert late == []
    assert events[-1]["transcript"] == "Keep this."
    assert events[-1]["usage"]["seconds"] == 1.0


def test_what_has_ended_is_not_cleared() -> None:
    one = codec()
    append(one, 1.5)
    write(one, heard(SpeechKind.STARTED, 0.2), heard(SpeechKind.STOPPED, 0.8))
    write(one, heard(SpeechKind.STARTED, 1.2))
    read(one, {"type": "input_audio_buffer.clear"})
    events = write(one, final("Kept.", 0.1, 1.0), final("Forgotten.", 1.1, 1.5))
    assert [event["transcript"] for event in events if "transcript" in event] == ["Kept."]


def test_times_go_on_in_the_next_session_of_a_call() -> None:
    one = codec()
    append(one, 4.0)
    ask = update(one, audio(transcription={"language": "de"}))
    write(one, told.Configured(ask.detail, behind=4.0))
    (started,) = write(one, heard(SpeechKind.STARTED, 0.5))
    assert started["audio_start_ms"] == 4500


def test_what_was_heard_and_not_committed_is_told_before_the_end() -> None:
    """Guards words of clients that find turns themselves: another gateway knows none of them."""
    one = committing()
    append(one, 2.0)
    write(one, final("It was.", 0, 2, Reason.LENGTH))
    events = write(one, told.Failed(Draining("Connect again.")))
    assert kinds(events) == ["committed", "item added", "item done", "completed"]
    assert events[-1]["transcript"] == "It was."
    assert events[-1]["usage"]["seconds"] == 2.0
    assert write(one, told.Failed(Draining("Connect again."))) == []


def test_a_turn_that_is_not_committed_ends_by_itself_before_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards memory: some clients never commit."""
    monkeypatch.setattr("scripta_gateway.dialects.turns.MAX_TURN_SEGMENTS", 2)
    one = committing()
    append(one, 60.0)
    events = write(
        one, *(final(f"Part {at}.", 15 * at, 15 * at + 15, Reason.LENGTH) for at in range(3))
    )
    assert kinds(events) == [
        *("delta", "delta", "committed", "item added", "item done", "completed", "delta")
    ]
    assert events[5]["transcript"] == "Part 0. Part 1."
    finalize, note = read(one, COMMIT)
    assert finalize == asks.Finalize()
    assert isinstance(note, asks.Note)
    rest = write(one, told.Noted(note.detail), final("", 45, 60, Reason.FINALIZE))
    assert rest[-1]["transcript"] == "Part 2."
    assert rest[-1]["usage"]["seconds"] == 30.0
