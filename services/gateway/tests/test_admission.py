"""Admission: which pool takes a new session, and when none does."""

from __future__ import annotations

import pytest

from scripta_common.errors import NoCapacity, UnknownModel, UnsupportedLanguage
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


def two_pools(**languages: tuple[str, ...]) -> Fleet:
    members = {name: Member(name, (f"m-{name}",), tags, 8) for name, tags in languages.items()}
    return Fleet.muster(Roll(members, {}), {})


@pytest.mark.parametrize(
    ("model", "language"), [(None, "en"), (None, "EN-gb"), ("m-gpu", "ru"), (None, None)]
)
def test_language_that_the_pool_speaks_is_admitted(model: str | None, language: str | None) -> None:
    fleet = two_pools(default=("en",), gpu=("de", "ru"))
    assert Admission(2).admit(fleet, model, language).most == 10


def test_other_language_is_refused_and_what_there_is_is_named() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        Admission(2).admit(two_pools(default=("en",), gpu=("de", "ru")), None, "ru-RU")
    assert str(refused.value) == (
        'Pool "default" does not speak the language "ru-RU" (it speaks: en); these models do: m-gpu'
    )
    with pytest.raises(UnsupportedLanguage, match=r'"sv" \(it speaks: de, ru\)$'):
        Admission(2).admit(two_pools(default=("en",), gpu=("de", "ru")), "m-gpu", "sv")


def test_pool_that_has_not_said_its_languages_may_speak_any() -> None:
    assert Admission(2).admit(two_pools(default=()), None, "sv").pool == "default"
    assert Admission(2).admit(Fleet.muster(Roll({}, {}), {}), None, "sv").pool == "default"


def test_pool_in_the_middle_of_a_change_speaks_what_all_of_it_speak() -> None:
    members = {
        "old": Member("default", ("a",), ("en",), 8),
        "new": Member("default", ("b",), ("en", "ru"), 8),
        "loading": Member("default", ("b",), (), 0),
    }
    fleet = Fleet.muster(Roll(members, {}), {})
    assert fleet.pools["default"].languages == {"en"}
    with pytest.raises(UnsupportedLanguage):
        Admission(2).admit(fleet, None, "ru")
