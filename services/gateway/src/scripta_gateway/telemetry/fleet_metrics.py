"""Metrics of the fleet and the broker: the same from every gateway; autoscalers may ask any.

They are left out while the fleet can not be seen: "unknown" keeps an autoscaler where it is, and
a zero would scale everything down in an outage of the broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scripta_common.fleet import Pool
from scripta_gateway.admission.fleet_watch import FleetWatch

_STALE_SECONDS: Final = 10.0

_OF_POOLS: Final[tuple[tuple[str, str, Callable[[Pool], int]], ...]] = (
    (
        "scripta_sessions_waiting",
        "Sessions of a pool in line that no living transcriber has, and uploads that wait.",
        lambda pool: pool.waiting,
    ),
    (
        "scripta_sessions_leased",
        "Sessions of a pool that living transcribers have.",
        lambda pool: pool.leased,
    ),
    (
        "scripta_demand_sessions",
        "All who want to be heard by a pool: waiting, leased, and refused a moment ago.",
        lambda pool: pool.demand,
    ),
    (
        "scripta_slots",
        "Sessions that the living transcribers of a pool take, but those that load or drain.",
        lambda pool: pool.slots,
    ),
    ("scripta_transcribers", "Living transcribers of a pool.", lambda pool: pool.transcribers),
    (
        "scripta_unmetered_transcribers",
        "Living transcribers of a pool that do not count usage: of an older release.",
        lambda pool: pool.unmetered,
    ),
)


class FleetCollector(Collector):
    """Exports what a gateway knows of the fleet.

    Args:
        watch: Where it is known.
    """

    def __init__(self, watch: FleetWatch) -> None:
        self._watch = watch

    def collect(self) -> Iterable[Metric]:
        """Yields the metrics that can be vouched for now."""
        yield GaugeMetricFamily(
            "scripta_fleet_observation_age_seconds",
            "Time since this gateway last saw the fleet, or since its start.",
            value=self._watch.age,
        )
        if not self._watch.seen or self._watch.age > _STALE_SECONDS:
            return
        for name, text, value in _OF_POOLS:
            family = GaugeMetricFamily(name, text, labels=["pool"])
            for pool in self._watch.known.pools.values():
                family.add_metric([pool.name], value(pool))
            yield family
        if self._watch.memory is not None:
            yield GaugeMetricFamily(
                "scripta_broker_memory_bytes",
                "Memory that the broker uses; of a Cluster, its fullest shard.",
                self._watch.memory.used,
            )
            yield GaugeMetricFamily(
                "scripta_broker_memory_limit_bytes",
                "Memory that the broker may use; 0 for no limit.",
                self._watch.memory.limit,
            )
