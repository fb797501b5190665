"""Which silence the times in a container ask for."""

from __future__ import annotations

import random

import pytest

from scripta_gateway.audio.timeline import Timeline
from scripta_gateway.bounds import MAX_GAP_SECONDS, MAX_SILENCE_RATIO

pytestmark = pytest.mark.unit

PACKET = 0.02


def filled(times: list[float], packet: float = PACKET) -> list[tuple[float, float]]:
    """Returns the gaps that were filled: seconds heard until then, and seconds of silence."""
    timeline, heard, gaps = Timeline(), 0.0, []
    for time in times:
        if gap := timeline.gap_before(time):
            gaps.append((round(heard, 3), round(gap, 3)))
            timeline.add_silence(gap)
        timeline.add_audio(packet)
        heard += packet + gap
    return gaps


def steady(start: float, seconds: float) -> list[float]:
    """Returns the times of packets in a row."""
    return [start + PACKET * n for n in range(round(seconds / PACKET))]


@pytest.mark.parametrize("start", [0.0, 2.0, -0.007, 1.7e9])
def test_the_first_time_is_the_origin(start: float) -> None:
    """Guards live streams that are joined late, and tracks that begin after another one."""
    assert filled(steady(start, 5)) == []
    assert filled(steady(start, 2) + steady(start + 7, 2)) == [(2.0, 5.0)]


@pytest.mark.parametrize("gap", [0.11, 0.38, 5.0, 600.0])
def test_a_gap_is_filled_once_and_wholly(gap: float) -> None:
    assert filled(steady(0, 2) + steady(2 + gap, 2)) == [(2.0, gap)]


def test_small_gaps_add_up_until_they_count() -> None:
    """Guards the times behind many lost packets: each gap alone is within the jitter."""
    times = [time for n in range(50) for time in steady(n * 0.14, 0.1)]
    assert sum(gap for _, gap in filled(times)) == pytest.approx(49 * 0.04, abs=0.1)


def test_jitter_neither_adds_nor_accumulates() -> None:
    rnd = random.Random(1)
    times = [time + rnd.uniform(-0.045, 0.045) for time in steady(3, 3600)]
    assert filled(times) == []
    rounded = [int(time * 1000) / 1000 for time in steady(3.0005, 600)]
    assert filled(rounded) == []


def test_late_arrival_is_added_at_most_once() -> None:
    """Guards against the sum of all stalls, where a recorder writes times of arrival."""
    stalled = [time + 0.3 * (int(time) % 2) for time in steady(0, 60)]
    assert filled(stalled) == [(1.0, 0.3)]


def test_overlap_drops_and_adds_nothing() -> None:
    assert filled(steady(0, 3) + steady(2.5, 3) + steady(5, 3)) == []
    assert filled(steady(10, 3) + steady(5, 3)) == []


def test_a_clock_that_was_set_back_counts_from_there() -> None:
    times = steady(100, 3) + steady(0, 3)
    assert filled([*times, *steady(8, 3)]) == [(6.0, 5.0)]


@pytest.mark.parametrize("wrong", [0.0, 1e9])
def test_one_wrong_time_changes_nothing(wrong: float) -> None:
    times = steady(5000, 6)
    times[100] = wrong
    assert filled([*times, *steady(5011, 1)]) == [(6.0, 5.0)]


def test_a_jump_beyond_the_bound_is_not_filled_and_counted_once() -> None:
    timeline = Timeline()
    for time in steady(0, 3) + steady(7200, 3):
        assert timeline.gap_before(time) == 0
        timeline.add_audio(PACKET)
    assert timeline.jumps == 1
    assert timeline.gap_before(7203 + 5) == pytest.approx(5)


def test_packets_that_jump_again_and_again_make_a_bounded_silence() -> None:
    timeline, silence, packets = Timeline(), 0.0, 1000
    for number in range(packets):
        gap = timeline.gap_before(number * (MAX_GAP_SECONDS - 1))
        timeline.add_silence(gap)
        timeline.add_audio(PACKET)
        silence += gap
    assert silence <= MAX_GAP_SECONDS + MAX_SILENCE_RATIO * packets * PACKET


def test_rare_speech_on_a_radio_keeps_its_times() -> None:
    times = [time for minutes in range(0, 600, 5) for time in steady(minutes * 60, 6)]
    gaps = filled(times)
    assert [heard for heard, _ in gaps[:2]] == [6.0, 306.0]
    assert {gap for _, gap in gaps} == {294.0}
