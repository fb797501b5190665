"""A moving window over frames: how much counters grew in it, whatever restarted meanwhile."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import pairwise

from scripta_client.top.distribution import Distribution
from scripta_client.top.samples import Frame, Kind, Labels, Samples, label, total

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    samples: Samples
    restarted: bool


class Window:
    """The last frames, of which the newest is shown.

    Processes that do not answer in the newest frame count for nothing.
    """

    def __init__(self, seconds: float = WINDOW_SECONDS) -> None:
        """Has no frames yet.

        Args:
            seconds: How far back it goes; never to less than the last but one answer.
        """
        self._seconds = seconds
        self._seen: dict[str, deque[_Seen]] = {}
        self._kinds: dict[str, Kind] = {}
        self._latest = Frame(0.0, {})

    @property
    def latest(self) -> Frame:
        """The newest frame."""
        return self._latest

    @property
    def seconds(self) -> float | None:
        """The longest time that any process is known for; ``None`` before a second frame."""
        spans = [self._span(name) for name in self.answering()]
        return max((span for span in spans if span), default=None)

    def push(self, frame: Frame) -> None:
        """Adds a frame; those that are too old now are forgotten."""
        self._latest = frame
        for name, scrape in frame.scrapes.items():
            if scrape.samples is None:
                continue
            seen = self._seen.setdefault(name, deque())
            restarted = bool(seen) and scrape.samples.restarted_since(seen[-1].samples)
            seen.append(_Seen(frame.at, scrape.samples, restarted))
            if kind := scrape.samples.kind:
                self._kinds[name] = kind
        begin = frame.at - self._seconds
        for name, seen in list(self._seen.items()):
            while len(seen) > 2 and seen[1].at <= begin:
                seen.popleft()
            if name not in frame.scrapes and seen[-1].at < begin:
                del self._seen[name]
                self._kinds.pop(name, None)

    def kind(self, name: str) -> Kind | None:
        """Returns which service a process is or was; ``None`` if it never answered."""
        return self._kinds.get(name)

    def answering(self, kind: Kind | None = None) -> list[str]:
        """Returns the names of the processes that answer, perhaps of one service only."""
        return [
            name
            for name, scrape in self._latest.scrapes.items()
            if scrape.samples is not None and kind in (None, self._kinds.get(name))
        ]

    def samples(self, name: str) -> Samples:
        """Returns the newest samples of a process that answers."""
        return self._seen[name][-1].samples

    def increase(self, process: str, metric: str, **labels: str) -> float | None:
        """Returns by how much counters of one process grew, summed; ``None`` if unknown."""
        return total(self.increases(process, metric, **labels).values())

    def increases(self, process: str, metric: str, **labels: str) -> dict[Labels, float]:
        """Returns by how much each counter of one process grew; nothing before two answers."""
        seen = self._seen[process]
        if len(seen) < 2:
            return {}
        grown: defaultdict[Labels, float] = defaultdict(float)
        first: dict[Labels, float] = seen[0].samples.select(metric, **labels)
        for earlier, later in pairwise(seen):
            if later.restarted:
                _add(grown, earlier.samples.select(metric, **labels), first)
                first = {}
        _add(grown, seen[-1].samples.select(metric, **labels), first)
        return dict(grown)

    def rate(self, process: str, metric: str, **labels: str) -> float | None:
        """Returns growth a second of counters of one process; ``None`` if unknown."""
        increase, span = self.increase(process, metric, **labels), self._span(process)
        return None if increase is None or not span else increase / span

    def total_rate(self, kind: Kind, metric: str, **labels: str) -> float | None:
        """Returns growth a second over all processes of a service that answer."""
        return total(self.rate(name, metric, **labels) for name in self.answering(kind))

    def grown_by(self, processes: list[str], metric: str, by: str) -> dict[str, float]:
        """Returns by how much counters of these processes grew, by the values of one label."""
        grown: defaultdict[str, float] = defaultdict(float)
        for name in processes:
            for key, increase in self.increases(name, metric).items():
                grown[label(key, by)] += increase
        return dict(grown)

    def distribution(self, processes: list[str], metric: str, **labels: str) -> Distribution:
        """Returns what histograms of these processes observed within the window, merged."""
        buckets: defaultdict[float, float] = defaultdict(float)
        for name in processes:
            for key, increase in self.increases(name, f"{metric}_bucket", **labels).items():
                buckets[float(label(key, "le"))] += increase
        sums = total(self.increase(name, f"{metric}_sum", **labels) for name in processes)
        return Distribution(tuple(sorted(buckets.items())), sums or 0.0)

    def _span(self, process: str) -> float:
        seen = self._seen[process]
        return seen[-1].at - seen[0].at


def _add(
    grown: defaultdict[Labels, float], last: dict[Labels, float], first: dict[Labels, float]
) -> None:
    """Adds the growth of one run of a process, which began at ``first``, or at 0."""
    for key, value in last.items():
        grown[key] += value - first.get(key, 0.0)
