"""A service without metrics: whatever would be observed is a call that does nothing.

For ``telemetry.py``; the argument is the service's package. There is no such switch in what is
shipped: the service runs as it is, and only what the metrics do with an observation is left out.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from prometheus_client import Gauge

from scripta_common.loop_metrics import Counter, Histogram


def _nothing(*_: Any, **__: Any) -> None:
    pass


def main() -> None:
    """Runs the service."""
    package = sys.argv[1]
    for kind, names in (
        (Counter, ["inc"]),
        (Gauge, ["inc", "dec", "set"]),
        (Histogram, ["observe"]),
    ):
        for name in names:
            setattr(kind, name, _nothing)
    if package == "scripta_gateway":
        latency = import_module("scripta_gateway.telemetry.latency")
        arrivals = import_module("scripta_gateway.telemetry.arrivals")
        for kind, names in (
            (latency.Stopwatch, ["audio", "control", "handled", "rang", "rang_interim"]),
            (arrivals.Arrivals, ["logged", "forget"]),
        ):
            for name in names:
                setattr(kind, name, _nothing)
    import_module(f"{package}.__main__").main()


if __name__ == "__main__":
    main()
