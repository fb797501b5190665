"""Admission: which pool takes a new session, and when none does."""

from __future__ import annotations

import pytest

from scripta_common.errors import NoCapacity, UnknownModel
from scripta_common.fleet import Fleet, Line, Member, Roll
from scripta_gateway.admission import Admission

pytestmark = pytest.mark.unit


def fleet(slots: int, demand: int) -> Fleet:
    """One pool "gpu" with one transcriber that has the model "whisper"."""
    roll = Roll({"tr": Member("gpu", ("whisper",), (), slots)}, {})
    return Fleet.muster(roll, {"gpu": Line(demand)})


@pytest.mark.parametrize("demand", [0, 7, 8, 9])
def test_session_is_admitted_while_slots_or_places_in_line_are_left(demand: int) -> None:
    place = Admission(2).admit(fleet(8, demand), "whisper")
    assert (place.pool, place.most) == ("gpu", 10)


@pytest.mark.parametrize("demand", [10, 100])
def test_session_is_refused_with_what_happened_and_what_to_do(demand: int) -> None:
    with pytest.raises(NoCapacity) as refused:
        Admission(2).admit(fleet(8, demand), "whisper")
    assert str(refused.value) == (
        'All 8 slots of pool "gpu" and all 2 places in line are taken; try again in some seconds.'
    )


def test_without_places_in_line_slots_are_still_given() -> None:
    assert Admission(0).admit(fleet(1, 0), "whisper").most == 1
    with pytest.raises(NoCapacity):
        Admission(0).admit(fleet(1, 1), "whisper")


def test_pool_without_slots_lets_as_many_wait_as_may() -> None:
    assert Admission(2).admit(fleet(0, 1), "whisper").most == 2
    with pytest.raises(NoCapacity, match="No transcriber"):
        Admission(2).admit(fleet(0, 2), "whisper")


def test_unknown_model_is_refused_for_good_and_the_known_are_named() -> None:
    with pytest.raises(UnknownModel, match=r'"nova".*known: whisper'):
        Admission(2).admit(fleet(8, 0), "nova")


def test_model_that_nobody_can_know_yet_is_refused_for_now() -> None:
    """Guards a first start, when transcribers still load, from an error that says for ever."""
    empty = Fleet.muster(Roll({}, {}), {})
    with pytest.raises(NoCapacity):
        Admission(2).admit(empty, "whisper")
    assert Admission(2).admit(empty, None).pool == "default"
