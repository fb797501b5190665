"""The fleet's arithmetic: who is alive, what is remembered, where a session goes."""

from __future__ import annotations

import re

import msgspec
import pytest

from scripta_common.fleet import ALIVE_MS, POOL_PATTERN, REMEMBER_MS, Fleet, Line, Member, Roll

pytestmark = pytest.mark.unit

NOW = 1_700_000_000_000


def member(pool: str = "default", *models: str, slots: int = 8, age: int = 0) -> Member:
    return Member(pool, models or ("moonshine",), ("en",), slots, NOW - age)


def fleet(
    members: dict[str, Member],
    lines: dict[str, Line] | None = None,
    last: dict[str, Member] | None = None,
) -> Fleet:
    return Fleet.muster(Roll.call(NOW, members, last or {}, {}), lines or {})


def test_default_pool_is_there_before_any_transcriber() -> None:
    """Guards an autoscaler that would have to start from a missing value."""
    pool, _ = fleet({}).route(None)
    assert (pool.name, pool.slots, pool.demand, pool.waiting) == ("default", 0, 0, 0)


def test_slots_and_transcribers_are_of_those_alive() -> None:
    pools = fleet(
        {"a": member(slots=8), "b": member(slots=4, age=ALIVE_MS), "c": member(age=ALIVE_MS + 1)}
    ).pools
    assert (pools["default"].slots, pools["default"].transcribers) == (12, 2)


@pytest.mark.parametrize(("slots", "sessions", "lent"), [(8, 9, 5), (4, 9, 4), (8, 2, 2)])
def test_no_more_slots_are_lent_than_there_are_or_sessions(
    slots: int, sessions: int, lent: int
) -> None:
    """Guards what is known of uploads, which have ended since or wait for another transcriber."""
    said = msgspec.structs.replace(member(slots=slots), uploads=5)
    pool = fleet({"a": said}, {"default": Line(sessions=sessions)}).pools["default"]
    assert pool.lent == lent


def test_session_leased_by_a_dead_transcriber_is_waiting() -> None:
    line = Line(sessions=10, leases={"alive": 3, "dead": 4})
    members = {"alive": member(), "dead": member(age=ALIVE_MS + 1)}
    pool = fleet(members, {"default": line}).pools["default"]
    assert (pool.demand, pool.leased, pool.waiting) == (10, 3, 7)


def test_lease_counted_a_moment_before_its_session_ended_does_not_make_waiting_negative() -> None:
    line = Line(sessions=1, leases={"a": 2})
    assert fleet({"a": member()}, {"default": line}).pools["default"].waiting == 0


def test_pool_is_known_for_a_day_after_its_last_transcriber() -> None:
    last = {"gpu": member("gpu", "whisper", age=REMEMBER_MS)}
    known = fleet({}, last=last)
    assert known.route("whisper")[0].name == "gpu"
    assert known.route("whisper")[0].transcribers == 0
    with pytest.raises(LookupError):
        fleet({}, last={"gpu": member("gpu", "whisper", age=REMEMBER_MS + 1)}).route("whisper")


def test_pool_is_known_although_the_broker_came_back_empty() -> None:
    before = {"gpu": member("gpu", "whisper", age=60_000)}
    roll = Roll.call(NOW, {}, {}, before)
    assert Fleet.muster(roll, {}).route("whisper")[0].name == "gpu"
    assert roll.last == before


def test_models_are_those_of_the_living_and_of_the_last_only_if_there_is_none() -> None:
    last = {"gpu": member("gpu", "old", age=60_000)}
    assert fleet({}, last=last).models == ["old"]
    assert fleet({"a": member("gpu", "new", "newest")}, last=last).models == ["new", "newest"]


def test_model_routes_to_its_pool_and_none_to_the_default() -> None:
    there = fleet({"a": member(), "b": member("gpu", "whisper", "whisper-base")})
    assert there.route("whisper-base")[0].name == "gpu"
    assert there.route("moonshine")[0].name == "default"
    assert there.route(None)[0].name == "default"
    with pytest.raises(LookupError):
        there.route("gpu")


def test_of_pools_with_one_model_a_living_one_is_taken_and_then_the_least_busy() -> None:
    members = {"a": member("one"), "b": member("two")}
    busy = {"one": Line(sessions=5), "two": Line(sessions=4)}
    last = {"default": member(age=60_000)}
    assert fleet(members, busy, last).route("moonshine")[0].name == "two"
    assert fleet({}, busy, last).route("moonshine")[0].name == "default"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("default", True),
        ("a", True),
        ("gpu-2", True),
        ("a" * 40, True),
        ("a" * 41, False),
        ("", False),
        ("-a", False),
        ("a-", False),
        ("GPU", False),
        ("a:b", False),
        ("a{b}", False),
    ],
)
def test_pool_names_fit_into_a_key_and_into_names_of_kubernetes(name: str, good: bool) -> None:
    assert bool(re.fullmatch(POOL_PATTERN, name)) is good


def test_transcribers_that_do_not_count_usage_are_noticed() -> None:
    """Guards a bill during a rollout: a transcriber of an older release counts nothing."""
    old = member()
    pools = fleet({"old": old, "new": msgspec.structs.replace(old, meters=True)}).pools
    assert (pools["default"].transcribers, pools["default"].unmetered) == (2, 1)
