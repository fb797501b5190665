"""When chunks are due, when audio was sent, and what counts as late."""

from __future__ import annotations

import pytest

from scripta_load.timeline import LATE_SECONDS, Timeline

pytestmark = pytest.mark.unit


def sent_on_time(timeline: Timeline, chunks: int) -> None:
    for _ in range(chunks):
        timeline.sent(timeline.next_due)


def test_chunk_is_due_when_its_last_sample_would_have_been_spoken() -> None:
    timeline = Timeline(100.0, 0.1, pace=1.0)
    assert timeline.next_due == pytest.approx(100.1)
    sent_on_time(timeline, 1)
    assert timeline.next_due == pytest.approx(100.2)


def test_pace_shortens_the_time_between_chunks() -> None:
    timeline = Timeline(0.0, 0.1, pace=2.0)
    sent_on_time(timeline, 3)
    assert timeline.next_due == pytest.approx(0.2)


def test_late_chunk_does_not_delay_the_next() -> None:
    timeline = Timeline(0.0, 0.1, pace=1.0)
    timeline.sent(0.1 + 2 * LATE_SECONDS)
    assert timeline.next_due == pytest.approx(0.2)
    assert timeline.late == 1
    assert timeline.worst_lateness == pytest.approx(2 * LATE_SECONDS)


def test_chunk_a_little_behind_is_not_late() -> None:
    timeline = Timeline(0.0, 0.1, pace=1.0)
    timeline.sent(0.1 + LATE_SECONDS / 2)
    assert timeline.late == 0


@pytest.mark.parametrize(
    ("position", "chunk"),
    [(0.0, 1), (0.05, 1), (0.1, 1), (0.101, 2), (0.2, 2), (0.29, 3), (0.3, 3), (9.0, 3)],
)
def test_audio_was_sent_with_the_chunk_that_holds_it(position: float, chunk: int) -> None:
    timeline = Timeline(0.0, 0.1, pace=1.0)
    sent_on_time(timeline, 3)
    assert timeline.sent_at(position) == pytest.approx(0.1 * chunk)
