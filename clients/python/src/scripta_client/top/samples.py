"""Samples as processes exported them: of one process at one moment, and of all of them.

Wherever something is not exported the answer is ``None``, never 0.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Labels = frozenset[tuple[str, str]]
"""Names and values of one series' labels."""

_KEPT: Final = frozenset(
    {"how", "kind", "le", "outcome", "part", "pool", "reason", "result", "stat"}
)
"""Labels that are looked at. Others are dropped: a scraper adds as many as it likes."""


class Kind(StrEnum):
    """Which service a process is."""

    GATEWAY = "gateway"
    TRANSCRIBER = "transcriber"


class Samples:
    """What one process exported at one moment."""

    def __init__(self, samples: Iterable[tuple[str, Mapping[str, str], float]]) -> None:
        """Keeps what is Scripta's and a number.

        Args:
            samples: Name, labels and value of each.
        """
        self._values: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
        for name, labels, value in samples:
            if name.startswith("scripta_") and not math.isnan(value):
                kept = frozenset(item for item in labels.items() if item[0] in _KEPT)
                self._values[name][kept] = value

    @property
    def kind(self) -> Kind | None:
        """Which service exports such names; ``None`` if none of ours does."""
        for kind in Kind:
            if any(name.startswith(f"scripta_{kind}_") for name in self._values):
                return kind
        return None

    def select(self, name: str, **labels: str) -> dict[Labels, float]:
        """Returns the series of that name which have at least these labels."""
        wanted = set(labels.items())
        series = self._values.get(name, {})
        return {key: value for key, value in series.items() if wanted <= key}

    def value(self, name: str, **labels: str) -> float | None:
        """Returns the sum of those series; ``None`` if there are none."""
        return total(self.select(name, **labels).values())

    def restarted_since(self, before: Samples) -> bool:
        """Returns whether the process has begun anew: whether any of its counters fell."""
        for name, series in self._values.items():
            if name.endswith(("_total", "_count", "_bucket")):
                earlier = before._values.get(name, {})
                if any(value < earlier.get(key, 0.0) for key, value in series.items()):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Scrape:
    """One process's answer.

    Attributes:
        samples: What it exported; ``None`` if it did not answer.
        error: Why it did not.
    """

    samples: Samples | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """All processes at one moment.

    Attributes:
        at: When, in seconds since 1970.
        scrapes: The answers by the processes' names.
    """

    at: float
    scrapes: Mapping[str, Scrape]


def label(key: Labels, name: str) -> str:
    """Returns the value of a label; empty if the series does not have it."""
    return next((value for other, value in key if other == name), "")


def total(values: Iterable[float | None]) -> float | None:
    """Returns the sum of the known ones; ``None`` if none is known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None
