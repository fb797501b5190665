"""What a pool can expect, in virtual time: slots that come free, refused clients that come back."""

from __future__ import annotations

import pytest

from scripta_gateway.admission.prospects import Releases, TurnedAway

pytestmark = pytest.mark.unit


def released(count: int, every: float) -> tuple[Releases, float]:
    """So many releases, at a steady rate; returns the time of the last as well."""
    releases, now = Releases(), 0.0
    releases.saw(now, {"tr": 0})
    for finished in range(1, count + 1):
        now += every
        releases.saw(now, {"tr": finished})
    return releases, now


def test_nothing_is_expected_of_a_pool_whose_sessions_do_not_end() -> None:
    releases, now = released(0, 1.0)
    assert releases.expected(now, 3.0) == 0


@pytest.mark.parametrize(("every", "expected"), [(3.0, 0), (1.0, 1), (0.25, 8), (0.1, 24)])
def test_expected_is_a_little_less_than_the_average(every: float, expected: int) -> None:
    """Guards a live session that is let in for a slot which as likely as not does not come."""
    releases, now = released(400, every)
    assert releases.expected(now, 3.0) == expected


def test_releases_of_long_ago_do_not_count() -> None:
    releases, now = released(100, 0.1)
    assert releases.expected(now, 3.0) > 0
    assert releases.expected(now + 31.0, 3.0) == 0


def test_what_a_transcriber_finished_before_it_was_seen_does_not_count() -> None:
    """Guards a gateway that starts: it would take a day's sessions for those of a second."""
    releases = Releases()
    releases.saw(0.0, {"old": 5000})
    releases.saw(1.0, {"old": 5000, "older": 9000})
    assert releases.expected(1.0, 30.0) == 0


def test_transcriber_that_begins_again_counts_from_nothing() -> None:
    releases = Releases()
    releases.saw(0.0, {"tr": 50})
    releases.saw(1.0, {"tr": 0})
    assert releases.expected(1.0, 30.0) == 0


def test_client_that_comes_back_as_told_counts_once() -> None:
    """Guards demand that would grow with each try of the same client."""
    away = TurnedAway()
    for second in range(0, 60, 5):
        for _ in range(10):
            away.note(float(second))
    assert away.count(56.0) == 10


def test_client_that_gives_up_counts_for_a_while_and_then_no_more() -> None:
    away = TurnedAway()
    away.note(0.0)
    assert (away.count(0.0), away.count(14.9), away.count(15.0)) == (1, 1, 0)
