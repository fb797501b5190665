"""Places that are held for clients which have not spoken yet, in virtual time."""

from __future__ import annotations

import pytest

from scripta_gateway.admission.reservations import Reservations

pytestmark = pytest.mark.unit


def test_place_that_is_not_used_lapses_and_counts_for_nothing() -> None:
    held = Reservations(1.0)
    number = held.hold(10.0)
    held.hold(10.5)
    assert held.next_lapse(10.5) == 11.0
    assert (held.count(10.9), held.count(11.0), held.count(11.5)) == (2, 1, 0)
    assert not held.holds(number, 11.0)
    assert held.next_lapse(12.0) is None


def test_place_that_is_given_back_is_free_at_once() -> None:
    held = Reservations(1.0)
    number = held.hold(10.0)
    assert held.holds(number, 10.9)
    held.give_back(number)
    held.give_back(number)
    assert held.count(10.0) == 0


def test_session_in_line_counts_until_the_fleet_was_looked_at() -> None:
    """Guards against the second in which the fleet does not show those who were just let in."""
    held = Reservations(1.0)
    for now in (10.0, 10.4):
        held.join(now)
    assert held.joined_since(9.9) == 2
    assert held.joined_since(10.2) == 1
    assert held.joined_since(10.4) == 0


def test_session_that_left_the_line_is_missed_until_the_fleet_was_looked_at() -> None:
    """Guards newcomers against the places of those who have just gone."""
    held = Reservations(1.0)
    held.join(10.0)
    held.leave(10.6)
    assert held.joined_since(9.0) == 0
    assert held.joined_since(10.5) == -1
    assert held.joined_since(10.6) == 0
