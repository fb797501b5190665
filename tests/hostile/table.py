"""What many attacks showed, as a table in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .judge import violations
from .neighbours import Lateness
from .rounds import Outcome

_HEAD = (
    "| Attack | Acks calm p50 / p99 / max | under attack p50 / p99 / max | Closed | `/livez` max "
    "| Newcomer max | Peak memory | The attacker was told | Kept |"
)
_LINE = "|---|--:|--:|--:|--:|--:|--:|---|---|"


def table(outcomes: Sequence[Outcome]) -> str:
    """Returns one row an attack."""
    return "\n".join([_HEAD, _LINE, *(_row(outcome) for outcome in outcomes)])


def line(outcome: Outcome) -> str:
    """Returns an outcome in short, for the terminal."""
    wrong = violations(outcome)
    verdict = "kept" if not wrong else "BROKEN " + "; ".join(wrong)
    return (
        f"{outcome.attack.key}: acks {_three(outcome.attacked)} (calm {_three(outcome.calm)}), "
        f"max {_by_kind(outcome)}, livez {_ms(outcome.livez)}, newcomer {_ms(outcome.newcomer)}, "
        f"{outcome.peak >> 20} MiB in {outcome.processes} processes, "
        f"suite late {_ms(outcome.own_delay)}; "
        f"told: {outcome.told.summary()}; {verdict}"
    )


def _row(outcome: Outcome) -> str:
    wrong = violations(outcome)
    cells = (
        f"`{outcome.attack.key}`: {outcome.attack.what[0].lower()}{outcome.attack.what[1:]}",
        _three(outcome.calm),
        _three(outcome.attacked),
        str(len(outcome.closed)),
        _ms(outcome.livez),
        _ms(outcome.newcomer),
        f"{outcome.peak >> 20} MiB",
        outcome.told.summary(most=1),
        "yes" if not wrong else f"**no**: {'; '.join(wrong)}",
    )
    return "| " + " | ".join(cells) + " |"


def _by_kind(outcome: Outcome) -> str:
    return ", ".join(f"{kind} {_ms(seconds)}" for kind, seconds in outcome.worst.items())


def _three(lateness: Lateness) -> str:
    return " / ".join(_ms(lateness.percentile(share)) for share in (0.5, 0.99, 1.0))


def _ms(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    if math.isinf(seconds):
        return "failed"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"
