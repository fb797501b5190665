"""The shapes of expression that the dashboards are made of.

Everything is filtered by the variable ``$namespace`` and grouped by namespace, so that releases
stay apart.
"""

from __future__ import annotations

from typing import Final

NAMESPACE: Final = ("namespace",)
POD: Final = ("namespace", "pod")
POD_LEGEND: Final = "{{namespace}} {{pod}}"
RATE: Final = "$__rate_interval"
"""The shortest window that has enough samples, whatever the scrape interval."""


def select(metric: str, *matchers: str) -> str:
    """Returns the selector of a metric in the chosen namespaces."""
    chosen = ", ".join(('namespace=~"$namespace"', *matchers))
    return f"{metric}{{{chosen}}}"


def total(metric: str, *matchers: str, by: tuple[str, ...] = NAMESPACE) -> str:
    """Returns a gauge, added up."""
    return f"sum by ({', '.join(by)}) ({select(metric, *matchers)})"


def largest(metric: str, *matchers: str, by: tuple[str, ...] = NAMESPACE) -> str:
    """Returns the largest of a gauge's values."""
    return f"max by ({', '.join(by)}) ({select(metric, *matchers)})"


def fleet(metric: str) -> str:
    """Returns what the gateways say of a pool: each says the same, so the largest, not the sum."""
    return largest(metric, by=("namespace", "pool"))


def per_second(
    counter: str, *matchers: str, by: tuple[str, ...] = NAMESPACE, window: str = RATE
) -> str:
    """Returns the rate of a counter, added up."""
    return f"sum by ({', '.join(by)}) (rate({select(counter, *matchers)}[{window}]))"


def increase(counter: str, *matchers: str, by: tuple[str, ...] = NAMESPACE, window: str) -> str:
    """Returns by how much a counter grew in a window, added up."""
    return f"sum by ({', '.join(by)}) (increase({select(counter, *matchers)}[{window}]))"


def quantile(
    share: float,
    histogram: str,
    *matchers: str,
    by: tuple[str, ...] = NAMESPACE,
    window: str = RATE,
) -> str:
    """Returns the value below which a share of a histogram's observations lies."""
    buckets = per_second(f"{histogram}_bucket", *matchers, by=("le", *by), window=window)
    return f"histogram_quantile({share}, {buckets})"


def mean(histogram: str, *matchers: str, by: tuple[str, ...] = NAMESPACE) -> str:
    """Returns the mean of a histogram's observations."""
    return ratio(
        per_second(f"{histogram}_sum", *matchers, by=by),
        per_second(f"{histogram}_count", *matchers, by=by),
    )


def ratio(part: str, whole: str) -> str:
    """Returns a share, and nothing while there is nothing to have a share in."""
    return f"{part} / ({whole} > 0)"


def of_process(metric: str, witness: str) -> str:
    """Returns what a process says of itself, of those that also export ``witness``."""
    return f"{metric} and on (namespace, pod, instance) {select(witness)}"
