"""What a session's frames measure."""

from __future__ import annotations

from typing import Any

import pytest

from scripta_load.hearing import Hearing, Measure, Measurement
from scripta_load.timeline import Timeline

pytestmark = pytest.mark.unit


@pytest.fixture
def hearing() -> Hearing:
    """Ten seconds of audio were sent, in chunks of 0.1 s, from second 100 on."""
    timeline = Timeline(100.0, 0.1, pace=1.0)
    for _ in range(100):
        timeline.sent(timeline.next_due)
    return Hearing(timeline)


def interim(start: float, text: str) -> dict[str, Any]:
    return {"status": "interim", "text": text, "start": start, "end": start + 1}


def final(index: int, start: float, end: float) -> dict[str, Any]:
    times = {"start": start, "end": end, "reason": "endpoint"}
    return {"status": "transcript", "index": index, "text": "words", **times}


def test_final_is_measured_from_when_its_last_audio_was_sent(hearing: Hearing) -> None:
    taken = hearing.take(final(1, 1.0, 2.5), 103.2)
    assert taken == Measurement(Measure.FINAL, pytest.approx(0.7))


def test_first_interim_with_text_is_measured_from_the_start_of_the_speech(
    hearing: Hearing,
) -> None:
    assert hearing.take(interim(1.0, ""), 101.3) is None
    taken = hearing.take(interim(1.0, "it"), 101.6)
    assert taken == Measurement(Measure.FIRST_INTERIM, pytest.approx(0.6))
    assert hearing.take(interim(1.0, "it was"), 102.1) is None


def test_each_segment_has_a_first_interim(hearing: Hearing) -> None:
    hearing.take(interim(1.0, "it"), 101.6)
    hearing.take(final(1, 1.0, 2.5), 103.2)
    taken = hearing.take(interim(4.0, "the"), 104.5)
    assert taken == Measurement(Measure.FIRST_INTERIM, pytest.approx(0.5))


@pytest.mark.parametrize("index", [1, 3])
def test_final_that_is_not_the_next_one_is_noticed(hearing: Hearing, index: int) -> None:
    hearing.take(final(1, 1.0, 2.5), 103.0)
    hearing.take(final(index, 3.0, 4.0), 105.0)
    assert hearing.disordered == 1


def test_refused_message_is_answered_but_not_accepted(hearing: Hearing) -> None:
    hearing.take({"status": "received", "size": 3200}, 100.1)
    hearing.take({"status": "error", "error": "Audio data too large"}, 100.2)
    assert (hearing.accepted, hearing.refused, hearing.answered) == (1, 1, 2)


def test_end_of_a_session_by_the_gateway_keeps_its_reason(hearing: Hearing) -> None:
    hearing.take({"status": "error", "error": "It broke", "code": "session_lost"}, 100.1)
    assert hearing.error == "session_lost: It broke"
    assert hearing.refused == 0


def test_session_that_ended_before_it_spoke_measures_nothing() -> None:
    """Its last final is empty, and there is no audio whose time it could be measured from."""
    hearing = Hearing(Timeline(100.0, 0.1, pace=1.0))
    assert hearing.take(final(1, 0.0, 0.0), 100.1) is None
    assert len(hearing.finals) == 1
