"""Whether a load test passed, and the table at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripta_load.options import Options
from scripta_load.tally import Tally

DOUBTFUL_SHARE = 0.01
"""Share of late messages beyond which the load was not what it claims to be."""


@dataclass(frozen=True, slots=True)
class Latency:
    """The distribution of one latency, in milliseconds."""

    name: str
    count: int
    median: float
    p95: float
    p99: float
    most: float


def problems(tally: Tally, options: Options) -> list[str]:
    """Returns why the test failed; nothing if it passed."""
    found = []
    if not tally.completed:
        found.append("no session came to its end")
    bad = tally.words.lost + tally.words.added
    share = 100 * bad / tally.words.expected if tally.words.expected else 0.0
    if share > options.max_lost or (bad and not tally.words.expected):
        found.append(
            f"{tally.words.lost} words lost and {tally.words.added} added of "
            f"{tally.words.expected} ({share:.2g} %, allowed {options.max_lost:g} %)"
        )
    broken = tally.broken.total()
    if broken > options.max_broken:
        found.append(
            f"{_times(broken, 'connection')} broke or did not open "
            f"({_by_kind(tally)}; allowed {options.max_broken})"
        )
    if tally.disordered:
        found.append(f"{_times(tally.disordered, 'final')} out of order")
    if tally.errors:
        found.append(f"{_times(tally.errors, 'session')} ended by an error that is in the log")
    if tally.messages_refused:
        found.append(f"{_times(tally.messages_refused, 'message')} refused")
    return found


def table(options: Options, tally: Tally, latencies: Sequence[Latency]) -> str:
    """Returns the summary for a person."""
    lines = [
        f"{options.url} at pace {options.pace:g}, {options.chunk_ms} ms a message",
        "",
        f"{'':14}{'count':>8}{'median':>10}{'p95':>10}{'p99':>10}{'most':>10}",
    ]
    for row in latencies:
        # Locust keeps times to two digits; none is above the largest.
        cells = (min(value, row.most) for value in (row.median, row.p95, row.p99, row.most))
        times = "".join(f"{value:>7.0f} ms" for value in cells) if row.count else ""
        lines.append(f"{row.name:14}{row.count:>8}{times}")
    words = tally.words
    lines += [
        "",
        f"sessions      {tally.completed} completed, {tally.finals} finals",
        f"words         {words.expected} expected, {words.lost} lost, {words.added} added, "
        f"{words.changed} changed" + _uncounted(tally),
        f"connections   {tally.broken.total()} broken{_kinds(tally)}, {tally.refused} refused "
        "with 503",
        f"messages      {tally.sent} sent, {tally.late} late, {1000 * tally.worst_lateness:.0f} ms "
        "at worst" + _doubt(tally),
    ]
    return "\n".join(lines)


def _by_kind(tally: Tally) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in sorted(tally.broken.items()))


def _kinds(tally: Tally) -> str:
    return f" ({_by_kind(tally)})" if tally.broken else ""


def _uncounted(tally: Tally) -> str:
    return f", not counted in {_times(tally.uncounted, 'session')}" if tally.uncounted else ""


def _doubt(tally: Tally) -> str:
    if tally.late <= DOUBTFUL_SHARE * tally.sent:
        return ""
    return ": this load generator is too busy, or the gateway holds back"


def _times(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
