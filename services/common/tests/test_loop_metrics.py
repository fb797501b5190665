"""Our counters and histograms are exported just as those of the Prometheus client."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY, CollectorRegistry

from scripta_common.loop_metrics import (
    counter,
    counters,
    counters_of_two,
    histogram,
    histograms,
    histograms_of_two,
)

pytestmark = pytest.mark.unit

BOUNDS = (0.05, 1, 2.5, 30)
numbers = count()


def exported(name: str) -> Iterator[str]:
    """Yields the lines of a metric as scrapes get them, in an order of their own."""
    text = prometheus_client.generate_latest(REGISTRY).decode()
    return (line for line in sorted(text.splitlines()) if name in line.partition("{")[0])


def of_the_client(registry: CollectorRegistry) -> list[str]:
    text = prometheus_client.generate_latest(registry).decode()
    return sorted(line for line in text.splitlines() if "_created" not in line)


@given(st.lists(st.floats(0, 100) | st.sampled_from(BOUNDS), max_size=30))
def test_histogram_counts_as_the_clients(values: list[float]) -> None:
    name, registry = f"test_{next(numbers)}_seconds", CollectorRegistry()
    theirs = prometheus_client.Histogram(name, "Text.", buckets=BOUNDS, registry=registry)
    ours = histogram(name, "Text.", BOUNDS)
    for value in values:
        theirs.observe(value)
        ours.observe(value)
    assert list(exported(name)) == of_the_client(registry)


def test_series_with_labels_are_all_there_from_the_start() -> None:
    name, registry = f"test_{next(numbers)}", CollectorRegistry()
    theirs = prometheus_client.Counter(f"{name}_total", "Text.", ["kind"], registry=registry)
    ours = counters(f"{name}_total", "Text.", "kind", ("a", 'b"\\'))
    for value in ours:
        theirs.labels(value).inc(2.5)
        ours[value].inc(2.5)
    pairs = prometheus_client.Counter(
        f"{name}_pairs_total", "Text.", ["one", "two"], registry=registry
    )
    counters_of_two(f"{name}_pairs_total", "Text.", ("one", "two"), [("x", "y")])["x", "y"].inc()
    pairs.labels("x", "y").inc()
    both = prometheus_client.Histogram(
        f"{name}_seconds", "Text.", ["one", "two"], buckets=BOUNDS, registry=registry
    )
    histograms_of_two(f"{name}_seconds", "Text.", ("one", "two"), [("x", "y")], BOUNDS)
    both.labels("x", "y")
    assert list(exported(name)) == of_the_client(registry)
    assert len(histograms(f"{name}_more_seconds", "Text.", "kind", ("a", "b"), BOUNDS)) == 2


def test_counter_without_labels() -> None:
    name = f"test_{next(numbers)}_total"
    made = counter(name, "Text.")
    made.inc()
    made.inc(0.5)
    assert REGISTRY.get_sample_value(name) == 1.5


def test_name_can_not_be_taken_twice() -> None:
    name = f"test_{next(numbers)}_total"
    counter(name, "Text.")
    with pytest.raises(ValueError, match=name.removesuffix("_total")):
        counter(name, "Text.")
