"""The arithmetic that the figures of capacity and latency rest on."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """Makes the benches' modules importable, for the length of these tests."""
    folder = str(Path(__file__).resolve().parents[1] / "bench")
    sys.path.insert(0, folder)
    before = set(sys.modules)
    yield SimpleNamespace(  # type: ignore[misc]
        **{name: import_module(name) for name in ("engine_log", "own_share", "rig", "search")},
        **{name: import_module(name) for name in ("accuracy", "recorded", "ways")},
        Delivery=import_module("talkers").Delivery,
    )
    sys.path.remove(folder)
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder):
            del sys.modules[name]


def works(bench: Any, *times: tuple[float, float], key: int = 0) -> list[Any]:
    task = bench.engine_log.Task.FINAL if key else bench.engine_log.Task.DRAFT
    return [bench.engine_log.Work(task, key, began, ended) for began, ended in times]


@pytest.mark.parametrize(
    ("threads", "begin", "end", "busy"),
    [
        (1, 0.0, 10.0, 5.0),
        (1, 2.0, 5.5, 2.5),
        (1, 4.0, 5.0, 0.0),
        (1, 7.5, 9.0, 0.5),
        (2, 0.0, 10.0, 1.0),
        (2, 2.5, 10.0, 0.5),
        (3, 0.0, 10.0, 0.0),
    ],
)
def test_busy_time_is_when_every_thread_works(
    bench: Any, threads: int, begin: float, end: float, busy: float
) -> None:
    times = bench.own_share.BusyTime(works(bench, (1, 3), (2, 4), (5, 6), (7, 8)), threads)
    assert times.within(begin, end) == pytest.approx(busy)


def test_own_share_leaves_out_decoding_and_waiting_for_a_busy_thread(bench: Any) -> None:
    """Guards a share that looks small because work for others hides what came late."""
    log = sorted(
        [*works(bench, (1.0, 2.0), (5.0, 9.0)), *works(bench, (2.5, 4.0), key=7)],
        key=lambda work: work.began,
    )
    final = bench.Delivery(sent=0.5, received=6.0, key=7)
    # Idle before 1 and from 2 to 2.5; everything behind the decoding, whoever works then.
    assert bench.own_share.own_shares([final], log, 1) == [pytest.approx(0.5 + 0.5 + 2.0)]


def test_own_share_of_a_final_that_never_came_is_not_counted(bench: Any) -> None:
    final = bench.Delivery(sent=0.0, received=math.inf, key=7)
    assert not bench.own_share.own_shares([final], works(bench, (1.0, 2.0), key=7), 1)


def test_quantile_is_a_value_that_was_seen(bench: Any) -> None:
    values = [float(number) for number in range(1, 21)]
    assert bench.rig.quantile(values, 0.95) == 19.0
    assert bench.rig.quantile(values, 0.5) == 10.0
    assert math.isnan(bench.rig.quantile([], 0.5))


@pytest.mark.parametrize("start", [1, 3, 9, 40])
@pytest.mark.parametrize("most", [0, 1, 8, 9, 33])
async def test_search_finds_the_largest_sustained_load(bench: Any, start: int, most: int) -> None:
    async def measure(sessions: int) -> Any:
        return SimpleNamespace(sessions=sessions)

    bar = SimpleNamespace(passes=lambda level: level.sessions <= most)
    level = await bench.search.most_sustained(measure, bar, start)
    assert (level.sessions if level else 0) == most


def test_table_adds_up_the_segments_of_a_group_and_what_they_cost(bench: Any) -> None:
    """Guards a cost that is held against the number of recordings, not their seconds."""

    def recording(name: str, seconds: float) -> Any:
        path = Path(f"{name}.wav")
        return bench.recorded.Recording(path, seconds, "en", ("two words",), frozenset({"read"}))

    heard = {
        "a": bench.ways.Heard("two words", 3, 0.5),
        "b": bench.ways.Heard("two swords", 1, 0.25),
    }
    column = bench.accuracy.Column("cut", {name: one.text for name, one in heard.items()})
    text = bench.accuracy.table([recording("a", 4.0), recording("b", 1.0)], [column], heard)
    (row,) = (line for line in text.splitlines() if line.startswith("read "))
    assert row.split() == ["read", "2", "4", "25.00%", "4", "150.0"]
