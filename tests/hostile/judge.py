"""What an attack must not do, and whether it did."""

from __future__ import annotations

import math
from typing import Final

from .attack import Answer
from .rounds import Outcome
from .told import NO_ANSWER

P99_SECONDS: Final = 0.25
MAX_SECONDS: Final = 1.0
LIVEZ_SECONDS: Final = 1.0
NEWCOMER_SECONDS: Final = 2.0
_STOPPED_WELL: Final = ("exited with code 0", "was killed by SIGTERM")
"""uvicorn ends an orderly stop by the signal that asked for it; a container's first process, which
that signal does not end, exits with 0."""


def violations(outcome: Outcome, *, timing: bool = True) -> list[str]:
    """Returns what is wrong, in words; nothing if all that was promised was kept.

    Args:
        outcome: What a round showed.
        timing: Whether times count too; on a machine that others use they say little.
    """
    found = [*_gateway(outcome), *_neighbours(outcome), *_attacker(outcome)]
    return [*found, *_timing(outcome)] if timing and not outcome.attack.stops_gateway else found


def _gateway(outcome: Outcome) -> list[str]:
    found = []
    if outcome.over_limit:
        found.append(f"memory: killed at {outcome.peak >> 20} MiB")
    if outcome.attack.stops_gateway:
        if not outcome.ends or outcome.ends[0] not in _STOPPED_WELL:
            found.append(f"SIGTERM: the gateway {outcome.ends[:1]}")
    elif outcome.ends and not outcome.over_limit:
        found.append(f"the gateway {outcome.ends[0]}")
    if outcome.errors:
        found.append(f"{len(outcome.errors)} errors in the log: {outcome.errors[0]}")
    return found


def _neighbours(outcome: Outcome) -> list[str]:
    closed, refused = outcome.closed, outcome.refused
    if outcome.attack.stops_gateway:
        closed = [each for each in closed if ": 1012" not in each]
        return [f"not told to come back: {closed[0]}"] if closed else []
    found = []
    if closed:
        found.append(f"{len(closed)} neighbours closed: {closed[0]}")
    if refused:
        found.append(f"neighbours were refused {len(refused)} messages: {refused[0]}")
    if not outcome.attacked.values:
        found.append("no acknowledgement at all")
    if not outcome.attack.fills_slots and outcome.turned_away and not outcome.ends:
        away = outcome.turned_away
        found.append(f"{len(away)} newcomers turned away: {away[0]}")
    return found


def _attacker(outcome: Outcome) -> list[str]:
    told = outcome.told
    if NO_ANSWER in told.ends:
        return [f"{told.ends[NO_ANSWER]} requests were never answered"]
    match outcome.attack.answer:
        case Answer.REASON if not told.reasons:
            return [f"the attacker was not told why ({told.summary()})"]
        case Answer.CLOSE if not told.reasons and not told.ends:
            return ["the attacker was not cut off"]
    return []


def _timing(outcome: Outcome) -> list[str]:
    found = []
    p99, most = outcome.attacked.percentile(0.99), outcome.attacked.percentile(1.0)
    if p99 > P99_SECONDS:
        found.append(f"p99 {1e3 * p99:.0f} ms")
    if most > MAX_SECONDS:
        kind = max(outcome.worst, key=lambda name: outcome.worst[name])
        found.append(f"max {most:.2f} s ({kind})")
    if outcome.livez > LIVEZ_SECONDS:
        found.append(
            "/livez failed" if math.isinf(outcome.livez) else f"/livez {outcome.livez:.2f} s"
        )
    if not outcome.attack.fills_slots and outcome.newcomer > NEWCOMER_SECONDS:
        found.append(f"a newcomer was heard after {outcome.newcomer:.2f} s")
    return found
