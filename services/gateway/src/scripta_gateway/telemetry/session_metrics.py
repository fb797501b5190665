"""Metrics of this gateway's sessions that are worked out when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scripta_gateway.sessions.held_sessions import HeldSessions


class SessionCollector(Collector):
    """Exports how far transcripts are behind, and whether the gateway goes away.

    Args:
        held: All sessions.
    """

    def __init__(self, held: HeldSessions) -> None:
        self._held = held

    def collect(self) -> Iterable[Metric]:
        """Yields the metrics as they are now."""
        lags = self._held.audio_lags() or [0.0]
        lag = GaugeMetricFamily(
            "scripta_gateway_audio_lag_seconds",
            "Audio accepted and not yet covered by a checkpoint, over the sessions held here.",
            labels=["stat"],
        )
        lag.add_metric(["p50"], median(lags))
        lag.add_metric(["max"], max(lags))
        yield lag
        yield GaugeMetricFamily(
            "scripta_gateway_draining",
            "1 while this gateway goes away.",
            float(self._held.draining),
        )
