"""The decision code of rebalancing: it comes to rest, balanced, whatever the pool."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_common.fleet import Fleet, Line, Member, Roll
from scripta_common.models import Model
from scripta_transcriber.balance import Load, Loads, gives_way, loads_of, surplus

pytestmark = pytest.mark.unit

pools = st.lists(
    st.builds(Load, live=st.integers(0, 40), slots=st.sampled_from([4, 12, 24])),
    min_size=1,
    max_size=8,
).map(lambda loads: {str(place): load for place, load in enumerate(loads)})


def pool(*live: int, slots: int = 12) -> Loads:
    return {str(place): Load(count, slots) for place, count in enumerate(live)}


@pytest.mark.parametrize(
    ("live", "hands_over"),
    [
        ((3, 0), [1, 0]),
        ((2, 0), [1, 0]),
        ((1, 0), [0, 0]),
        ((2, 1), [0, 0]),
        ((3, 0, 0), [1, 0, 0]),
        ((12, 0), [3, 0]),
        ((12, 12, 0), [2, 2, 0]),
        ((50, 45), [0, 0]),  # it would be worth little
        ((2, 2, 1, 0), [0, 0, 0, 0]),
        ((7,), [0]),
        ((0, 0), [0, 0]),
    ],
)
def test_what_is_too_much_is_handed_over(live: tuple[int, ...], hands_over: list[int]) -> None:
    loads = pool(*live)
    assert [surplus(name, loads) for name in loads] == hands_over


@pytest.mark.parametrize(
    ("live", "waits"),
    [((0, 0), [False, False]), ((1, 0), [True, False]), ((3, 1), [True, False]), ((5,), [False])],
)
def test_next_session_is_left_to_those_with_less(live: tuple[int, ...], waits: list[bool]) -> None:
    loads = pool(*live)
    assert [gives_way(name, loads) for name in loads] == waits


@given(pools)
@settings(deadline=None)
def test_pool_comes_to_rest_and_no_session_goes_to_and_fro(loads: dict[str, Load]) -> None:
    """Guards against oscillation: what one hands over never makes another hand over."""
    received: set[str] = set()
    for _ in range(100):
        moves = {name: surplus(name, loads) for name in loads}
        if not any(moves.values()):
            break
        assert received.isdisjoint(name for name, count in moves.items() if count)
        for name, count in moves.items():
            loads[name] = Load(loads[name].live - count, loads[name].slots)
        for _ in range(sum(moves.values())):
            takers = [name for name in loads if not gives_way(name, loads)]
            assert takers
            taker = min(takers, key=lambda name: loads[name].live / loads[name].slots)
            received.add(taker)
            loads[taker] = Load(loads[taker].live + 1, loads[taker].slots)
    assert not any(surplus(name, loads) for name in loads)


@given(pools)
@settings(deadline=None)
def test_somebody_takes_the_next_session_at_once(loads: dict[str, Load]) -> None:
    assert not all(gives_way(name, loads) for name in loads)


def test_uploads_do_not_count_and_a_pool_in_a_rollout_is_left_alone() -> None:
    served = (Model(("moonshine",), ("en",)),)
    members = {
        "a": Member("default", (), (), 12, served=served, uploads=4),
        "b": Member("default", (), (), 12, served=served),
        "starting": Member("default", (), (), 0, served=served),
        "other": Member("gpu", (), (), 12, served=served),
    }
    lines = {"default": Line(6, {"a": 6, "dead": 3})}
    fleet = Fleet.muster(Roll(members, {}), lines)
    assert loads_of(fleet, "default") == {"a": Load(2, 12), "b": Load(0, 12)}
    newer = Member("default", (), (), 12, served=(Model(("moonshine-2",), ("en",)),))
    fleet = Fleet.muster(Roll({**members, "newer": newer}, {}), lines)
    assert loads_of(fleet, "default") == {}
