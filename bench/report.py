"""How the benches print what they measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from rig import Level, quantile


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Returns the median, with the least and the greatest where there are several."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}" if values else "-"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def milliseconds(values: Sequence[float], shares: Iterable[float] = (0.5, 0.95, 0.99)) -> str:
    """Returns quantiles of some seconds."""
    return " / ".join(f"{1000 * quantile(values, share):.0f}" for share in shares)


LEVEL_HEAD = (
    "sessions  first words p50/95/99   finals p50/95/99 ms    own p50/95  interims stable"
    "  transcriber engine others  late"
)


def level_row(level: Level) -> str:
    """Returns what was measured with a number of sessions.

    Transcriber, engine and others are in cores; late is by how many ms 95 of 100 messages were
    sent late, for want of a processor.
    """
    tally = level.tally
    return (
        f"{level.sessions:8}  {milliseconds(tally.first_words):>21}   "
        f"{milliseconds(level.finals):>20}  {milliseconds(level.own, (0.5, 0.95)):>12}"
        f"{100 * level.interims:9.0f}% {100 * level.stable:5.0f}%"
        f"{level.transcriber:13.2f} {sum(level.engine.values()):6.2f} {level.others:6.2f}"
        f"{1000 * quantile(tally.late, 0.95):6.0f}{'  disturbed' if level.disturbed else ''}"
    )


class Targets:
    """What was asked for, and whether it was reached.

    Attributes:
        reached: Whether all of it was.
    """

    def __init__(self) -> None:
        self.reached = True

    def at_least(self, what: str, value: float, least: float) -> None:
        """Prints a figure beside the least that it should be."""
        self._hold(f"{what}: {value:.3g} (at least {least:g})", value >= least)

    def at_most(self, what: str, value: float, most: float) -> None:
        """Prints a figure beside the most that it should be."""
        self._hold(f"{what}: {value:.3g} (at most {most:g})", value <= most)

    def _hold(self, line: str, good: bool) -> None:
        self.reached = self.reached and good
        print(f"{'ok    ' if good else 'MISSED'}  {line}", flush=True)
