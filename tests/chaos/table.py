"""What many rounds showed, as a table in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .rounds import Outcome

_HEAD = (
    "| Fault | Runs | Sessions | Words lost | Words doubled | Sessions not equal "
    "| Connections closed | Usage off by | Longest gap p50 | p95 | worst |"
)
_LINE = "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"


def table(outcomes: Sequence[Outcome]) -> str:
    """Returns one row a fault, in the order in which they came first."""
    rows: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        rows.setdefault(outcome.case.key, []).append(outcome)
    return "\n".join([_HEAD, _LINE, *(_row(runs) for runs in rows.values())])


def is_clean(outcome: Outcome) -> bool:
    """Returns whether a round kept the promise."""
    unequal = any(verdict.differences for verdict in outcome.verdicts)
    return not unequal and (outcome.closed == 0 or outcome.case.may_close)


def _row(runs: Sequence[Outcome]) -> str:
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    # Where only some sessions depend on what was harmed, the others would thin out the gap.
    gaps = sorted(v.gap for run in runs for v in (run.hit or run.verdicts))
    cells = (
        runs[0].case.name,
        len(runs),
        len(verdicts),
        sum(verdict.lost for verdict in verdicts),
        sum(verdict.doubled for verdict in verdicts),
        sum(bool(verdict.differences) for verdict in verdicts),
        sum(run.closed for run in runs),
        _seconds(max(verdict.usage_off for verdict in verdicts)),
        *(_seconds(_percentile(gaps, share)) for share in (0.5, 0.95, 1.0)),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Returns the least value that ``share`` of all do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _seconds(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.2f} s"
