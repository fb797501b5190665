"""Metrics by tenant: off unless they are asked for, and then of a bounded number of tenants.

The first tenants that open sessions get a label of their own; all later ones share another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

OTHERS: Final = "other"
ANONYMOUS: Final = "anonymous"


class TenantCounts:
    """What tenants do at this gateway.

    Args:
        most: Tenants that get a label of their own; 0: nothing is counted.
    """

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._labels: dict[str, str] = {}
        self._opened: defaultdict[str, float] = defaultdict(float)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def limit(self, most: int) -> None:
        """Sets how many tenants get a label of their own; to be called before any is counted."""
        self._most = most

    def opened(self, tenant: str) -> None:
        """Counts a session that is opened."""
        if self._most:
            self._opened[self._label(tenant)] += 1

    def accepted(self, tenant: str, seconds: float) -> None:
        """Counts audio that is accepted."""
        if self._most:
            self._seconds[self._label(tenant)] += seconds

    def families(self, held: Iterable[str]) -> Iterable[Metric]:
        """Yields the metrics as they are now; none if nothing is counted.

        Args:
            held: The tenant of each session that is held.
        """
        if not self._most:
            return
        sessions = GaugeMetricFamily(
            "scripta_gateway_tenant_sessions",
            "Sessions that this gateway holds, by tenant.",
            labels=["tenant"],
        )
        now = Counter(map(self._label, held))
        for label in sorted({*self._labels.values(), *now}):
            sessions.add_metric([label], now[label])
        yield sessions
        yield _counters(
            "scripta_gateway_tenant_sessions_opened", "Sessions opened, by tenant.", self._opened
        )
        yield _counters(
            "scripta_gateway_tenant_audio_seconds",
            "Seconds of audio accepted, by tenant.",
            self._seconds,
        )

    def _label(self, tenant: str) -> str:
        if tenant not in self._labels:
            if len(self._labels) >= self._most:
                return OTHERS
            self._labels[tenant] = tenant or ANONYMOUS
        return self._labels[tenant]


TENANTS: Final = TenantCounts()
"""Those of this process."""


def _counters(name: str, text: str, counts: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=["tenant"])
    for label, count in sorted(counts.items()):
        family.add_metric([label], count)
    return family


class TenantCollector(Collector):
    """Exports what tenants do.

    Args:
        counts: What was counted.
        held: Returns the tenant of each session that the gateway holds.
    """

    def __init__(self, counts: TenantCounts, held: Callable[[], Iterable[str]]) -> None:
        self._counts = counts
        self._held = held

    def collect(self) -> Iterable[Metric]:
        """Yields the metrics as they are now."""
        return self._counts.families(self._held())
