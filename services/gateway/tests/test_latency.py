"""How late words are: what counts as the beginning, which time goes where, what is not timed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.wire import Final, Interim, Origin, Reason
from scripta_gateway.calls.pace import Pace
from scripta_gateway.telemetry.arrivals import Arrivals
from scripta_gateway.telemetry.latency import PARTS, Latency, Stopwatch, Untimed

pytestmark = pytest.mark.unit

CHUNK = 0.1
"""Seconds of audio in a message of a live client."""


def final(index: int) -> Final:
    return Final(index, 0.0, 1.0, "word", Reason.ENDPOINT)


def live(watch: Stopwatch, entries: int, start: float = 100.0) -> float:
    """Lets so many messages arrive at the pace of speech; returns when the last did."""
    now = start
    for seq in range(1, entries + 1):
        now = start + seq * CHUNK
        watch.audio(seq, now, CHUNK)
        watch.arrivals.logged(seq, seq, now + 0.004)
        watch.handled(now + 0.005)
    return now


def test_final_is_timed_from_the_arrival_of_the_entry_that_decided_it() -> None:
    watch = Stopwatch()
    arrived = live(watch, 20)
    watch.rang([final(1)], [Origin(20, 0.2)], arrived + 0.5, 0.01)
    latency = watch.sent(final(1), arrived + 0.53)
    assert isinstance(latency, Latency)
    assert latency.total == pytest.approx(0.53)
    assert latency.append == pytest.approx(0.004)
    assert latency.decode == pytest.approx(0.2)
    assert latency.commit == pytest.approx(0.01)
    assert latency.relay == pytest.approx(0.03)
    assert latency.queue == pytest.approx(0.53 - 0.004 - 0.2 - 0.01 - 0.03)


def test_final_keeps_its_time_when_its_entries_are_decided_before_it_is_sent() -> None:
    watch = Stopwatch()
    arrived = live(watch, 20)
    watch.rang([final(1)], [Origin(20, 0.2)], arrived + 0.5, 0.0)
    watch.arrivals.forget(20)
    assert isinstance(watch.sent(final(1), arrived + 0.6), Latency)


def test_first_interim_is_timed_from_its_segments_first_audio_and_only_the_first() -> None:
    watch = Stopwatch()
    live(watch, 20)
    first = Interim(0.8, 1.4, "one")
    watch.rang_interim(first.start, 9, Origin(0, 0.1), 101.6)
    latency = watch.sent_interim(first, 101.7)
    assert latency is not None
    assert latency.total == pytest.approx(101.7 - 100.9)
    assert (latency.decode, latency.commit) == (pytest.approx(0.1), 0.0)
    second = Interim(0.8, 1.9, "one two")
    watch.rang_interim(second.start, 9, Origin(0, 0.1), 102.0)
    assert watch.sent_interim(second, 102.1) is None
    third = Interim(2.5, 3.0, "three")  # of the next segment
    watch.rang_interim(third.start, 19, Origin(0, 0.1), 103.0)
    assert watch.sent_interim(third, 103.0) is not None


def test_interim_that_is_replaced_before_it_is_sent_leaves_its_place_to_the_next() -> None:
    watch = Stopwatch()
    live(watch, 20)
    watch.rang_interim(0.8, 9, Origin(0, 0.1), 101.6)
    watch.rang_interim(0.8, 9, Origin(0, 0.3), 102.0)
    latency = watch.sent_interim(Interim(0.8, 1.9, "one two"), 102.0)
    assert latency is not None
    assert latency.decode == pytest.approx(0.3)


@given(
    append=st.floats(0, 5),
    rang=st.floats(0, 60),
    relay=st.floats(0, 5),
    decode=st.floats(0, 60),
    commit=st.floats(0, 60),
    logged=st.booleans(),
)
def test_parts_add_up_and_none_is_negative(
    append: float, rang: float, relay: float, decode: float, commit: float, logged: bool
) -> None:
    """Whatever was measured on other clocks, or answered too late."""
    watch = Stopwatch()
    watch.audio(1, 1000.0, CHUNK)
    if logged:
        watch.arrivals.logged(1, 1, 1000.0 + append)
    watch.rang([final(1)], [Origin(1, decode)], 1000.0 + rang, commit)
    latency = watch.sent(final(1), 1000.0 + rang + relay)
    assert isinstance(latency, Latency)
    parts = [getattr(latency, part) for part in PARTS]
    assert min(parts) >= 0
    assert latency.total == pytest.approx(sum(parts)) == pytest.approx(rang + relay)


def test_final_that_was_read_from_the_log_is_not_timed() -> None:
    watch = Stopwatch()
    live(watch, 3)
    assert watch.sent(final(1), 200.0) is Untimed.MISSED


def test_final_of_audio_from_another_connection_is_not_timed() -> None:
    watch = Stopwatch(before=7)
    watch.audio(8, 100.0, CHUNK)
    watch.rang([final(1), final(2)], [Origin(7, 0.1), Origin(8, 0.1)], 101.0, 0.0)
    assert watch.sent(final(1), 101.0) is Untimed.UNKNOWN
    assert isinstance(watch.sent(final(2), 101.0), Latency)


def test_final_of_a_transcriber_that_tells_nothing_is_not_timed() -> None:
    watch = Stopwatch()
    live(watch, 3)
    watch.rang([final(1)], [], 101.0, 0.0)
    assert watch.sent(final(1), 101.0) is Untimed.MISSED


def test_file_is_not_timed_and_neither_is_the_boundary_behind_it() -> None:
    watch = Stopwatch()
    watch.audio(60, 100.0, 60.0)
    watch.handled(100.5)
    watch.control(61, 100.6)
    watch.rang([final(1), final(2)], [Origin(30, 0.5), Origin(61, 0.5)], 104.0, 0.0)
    assert watch.sent(final(1), 104.0) is Untimed.AHEAD
    assert watch.sent(final(2), 104.0) is Untimed.AHEAD


def test_clip_of_some_seconds_is_timed() -> None:
    watch = Stopwatch()
    watch.audio(3, 100.0, 3.0)
    watch.control(4, 101.0)
    watch.rang([final(1)], [Origin(4, 0.2)], 101.3, 0.0)
    assert isinstance(watch.sent(final(1), 101.3), Latency)


def test_client_that_is_not_read_leaves_a_bounded_number_of_marks() -> None:
    watch = Stopwatch()
    for index in range(1, 2000):
        watch.audio(index, float(index), CHUNK)
        watch.rang([final(index)], [Origin(index, 0.1)], index + 0.5, 0.0)
    assert len(watch._finals) <= 512


def test_live_speech_is_live_for_ever() -> None:
    pace, now = Pace(), 0.0
    for number in range(10_000):
        now = number * CHUNK + (0.3 if number % 7 == 0 else 0.0)
        pace.audio(now, CHUNK)
        pace.handled(now + 0.02)
        assert pace.is_live


def test_file_sent_in_pieces_is_soon_seen_to_be_one_and_stays_one() -> None:
    pace, now, live_for = Pace(), 0.0, 0
    for _ in range(1000):
        pace.audio(now, CHUNK)
        live_for += pace.is_live
        now += 0.01
        pace.handled(now)
    assert live_for < 100
    assert not pace.is_live


def test_live_client_that_was_held_up_may_catch_up_at_once() -> None:
    """Guards against leaving out just those words that are late by our fault."""
    pace = Pace()
    pace.audio(0.0, CHUNK)
    pace.handled(40.0)  # the broker was away; what was said meanwhile comes now
    for number in range(400):
        pace.audio(40.0 + number * 0.001, CHUNK)
        pace.handled(40.0 + number * 0.001 + 0.0005)
        assert pace.is_live


def test_client_that_was_a_file_is_live_again_once_it_has_been_slow_for_as_long() -> None:
    pace = Pace()
    pace.audio(0.0, 60.0)
    assert not pace.is_live
    pace.audio(50.0, CHUNK)
    assert not pace.is_live
    pace.audio(61.0, CHUNK)
    assert pace.is_live


@given(st.lists(st.tuples(st.sampled_from(["enter", "log", "forget"]), st.integers(0, 30))))
def test_arrivals_are_those_of_the_entries(steps: list[tuple[str, int]]) -> None:
    arrivals, decided = Arrivals(before=2), 2
    known: dict[int, tuple[float, float]] = {}
    for now, (step, seq) in enumerate(steps, start=1):
        last = decided + len(known)
        if step == "enter":
            arrivals.enter(seq, now)
            known |= dict.fromkeys(range(last + 1, seq + 1), (now, 0.0))
        elif step == "log":
            arrivals.logged(seq, seq, now + 0.5)
            if seq in known and not known[seq][1]:
                known[seq] = known[seq][0], now + 0.5
        elif decided < seq <= last:
            arrivals.forget(seq)
            decided = seq
            known = {number: one for number, one in known.items() if number > seq}
        assert {n: arrivals.of(n) for n in range(40) if arrivals.of(n)} == known
