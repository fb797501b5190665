"""Metrics that both services export."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import version

from prometheus_client import Gauge

from scripta_common.loop_metrics import counters, histogram, histograms

LATENCY_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30)
_COMMAND_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Command(StrEnum):
    """What the broker is asked: scripts by name, and plain commands."""

    OPEN = "open"
    ASSIGN = "assign"
    ATTACH = "attach"
    RESTORE = "restore"
    APPEND = "append"
    POLL = "poll"
    LINE = "line"
    WITHDRAW = "withdraw"
    CLAIM = "claim"
    COMMIT = "commit"
    INTERIM = "interim"
    RELEASE = "release"
    ACCUSE = "accuse"
    ACQUIT = "acquit"
    HEARTBEAT = "heartbeat"
    RECLAIM = "reclaim"
    TIDY = "tidy"
    HANDOFF = "handoff"
    DROP = "drop"
    ENLIST = "enlist"
    ROSTER = "roster"
    DEMAND = "demand"
    METER = "meter"
    XRANGE = "xrange"
    OTHER = "other"


class BrokerFault(StrEnum):
    """Why the broker did not do what it was asked."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    LOADING = "loading"
    MEMORY = "memory"
    READONLY = "readonly"
    OTHER = "other"


BROKER_SECONDS = histograms(
    "scripta_broker_command_seconds",
    "Time from issuing a command to the broker until its answer, or its failure.",
    "command",
    Command,
    _COMMAND_BUCKETS,
)
BROKER_ERRORS = counters(
    "scripta_broker_errors_total",
    "Commands that the broker did not carry out.",
    "kind",
    BrokerFault,
)
LOOP_LAG = histogram(
    "scripta_event_loop_lag_seconds",
    "How much later than asked the event loop woke a task up.",
    _LAG_BUCKETS,
)
_BUILD = Gauge("scripta_build_info", "1, with what is running.", ["service", "version", "revision"])


def export_build(service: str, revision: str) -> None:
    """Exports what is running.

    Args:
        service: ``gateway`` or ``transcriber``.
        revision: Commit it was built from.
    """
    _BUILD.clear()
    _BUILD.labels(service, version(f"scripta-{service}"), revision).set(1)
