"""Counters and histograms for the event loop: counted without a lock, a tenth of the usual cost.

Only the thread of the event loop may count. Scrapes happen there, too, so that what is exported is
of one moment. Everything is registered where ``prometheus_client`` keeps its own metrics.

Always true: values of labels are given when a metric is made, and every series is there from the
start, so that what clients or the broker do can not add any, and a rate is never missing its
beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

V = TypeVar("V", bound=str)


class Counter:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Adds to it."""
        self.value += amount


class Histogram:
    """Counts values by size.

    Args:
        bounds: Upper bounds of the buckets, ascending; infinity is added.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts a value."""
        self._sum += value
        self._counts[bisect_left(self._bounds, value)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Returns each bound with the number of values up to it, as Prometheus writes them."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))

    @property
    def sum(self) -> float:
        """All values together."""
        return self._sum


def counter(name: str, text: str) -> Counter:
    """Makes a counter without labels."""
    made = Counter()
    REGISTRY.register(_Counters(name, text, (), {(): made}))
    return made


def counters(name: str, text: str, label: str, values: Iterable[V]) -> dict[V, Counter]:
    """Makes a counter for each value of a label; returns them by the value."""
    made = {value: Counter() for value in values}
    series = {(str(value),): each for value, each in made.items()}
    REGISTRY.register(_Counters(name, text, (label,), series))
    return made


def counters_of_two(
    name: str, text: str, labels: tuple[str, str], values: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Counter]:
    """Makes a counter for each pair of values of two labels; returns them by the pair."""
    made = {(str(first), str(second)): Counter() for first, second in values}
    REGISTRY.register(_Counters(name, text, labels, made))
    return made


def histogram(name: str, text: str, bounds: Sequence[float]) -> Histogram:
    """Makes a histogram without labels."""
    made = Histogram(bounds)
    REGISTRY.register(_Histograms(name, text, (), {(): made}))
    return made


def histograms(
    name: str, text: str, label: str, values: Iterable[V], bounds: Sequence[float]
) -> dict[V, Histogram]:
    """Makes a histogram for each value of a label; returns them by the value."""
    made = {value: Histogram(bounds) for value in values}
    series = {(str(value),): each for value, each in made.items()}
    REGISTRY.register(_Histograms(name, text, (label,), series))
    return made


def histograms_of_two(
    name: str,
    text: str,
    labels: tuple[str, str],
    values: Iterable[tuple[str, str]],
    bounds: Sequence[float],
) -> dict[tuple[str, str], Histogram]:
    """Makes a histogram for each pair of values of two labels; returns them by the pair."""
    made = {(str(first), str(second)): Histogram(bounds) for first, second in values}
    REGISTRY.register(_Histograms(name, text, labels, made))
    return made


class _Counters(Collector):
    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        series: Mapping[Any, Counter],
    ) -> None:
        self._name, self._text, self._labels, self._series = name, text, labels, series

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, each in self._series.items():
            family.add_metric(values, each.value)
        yield family


class _Histograms(Collector):
    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        series: Mapping[Any, Histogram],
    ) -> None:
        self._name, self._text, self._labels, self._series = name, text, labels, series

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, each in self._series.items():
            family.add_metric(values, each.buckets(), each.sum)
        yield family
