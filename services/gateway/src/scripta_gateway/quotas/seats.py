"""Seats: what each session that counts for a caller's limits has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scripta_gateway.access.caller import Caller, Quota

_MINUTE_MS: Final = 60_000


@dataclass(slots=True, eq=False)
class Seat:
    """The seat of one session, for as long as it counts.

    Attributes:
        name: Id of the session that it was given to; a session that follows it keeps the name.
        caller: For whom it counts.
        new: Whether it was given with the session, which counts as one of its minute.
        spent: Whether its session is told already that the day's audio is used up.
    """

    name: str
    caller: Caller
    new: bool = True
    spent: bool = False


def is_counted(caller: Caller) -> bool:
    """Returns whether a caller has a limit that sessions are counted for."""
    return any(
        quota.sessions is not None
        or quota.sessions_a_minute is not None
        or quota.audio_seconds_a_day is not None
        for quota in (caller.shared, caller.own)
    )


def interval_ms(quota: Quota) -> float:
    """Returns what part of a minute one new session takes, in ms; 0 without such a limit."""
    return _MINUTE_MS / quota.sessions_a_minute if quota.sessions_a_minute else 0.0
